"""Labels: what file names, folders and the annotators' label files say about a photo.

filename     the grammar of file names, and the archive's words in Korean and English
labeller     label photos by their names and folders, under one rule for the whole archive
records      read the archive's label JSON
annotations  find a photo's record, and decide its emotion from the votes
classes      map emotions to the classes of a dataset
"""
