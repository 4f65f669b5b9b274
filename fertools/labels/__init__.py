"""Labels: what file names, folders and the annotators' label files say about a photo.

filename     parse file names and folder names, with the archive's words in Korean and English
labeller     label photos by their names and folders, with one interpretation of the archive
records      read the archive's label JSON
annotations  find a photo's record, and decide its emotion from the votes
classes      map emotions to the classes of a dataset
"""
