"""Label photos from file names, folders, label files and side tables.

filename         parse file names and folder names, with the archive's words in Korean and English
labeller         label photos by their names and folders, with one interpretation of the archive
broken_names     recognise Korean names that were decoded with another encoding
records          read the archive's label JSON
annotations      find the label record of a photo
tables           read side tables of other data sets, and the user's own
preset_labeller  label photos by a preset's pattern and side tables
corrections      read a person's corrections of labels
votes            keep who said what of each photo, and decide its emotion from the votes
counted_votes    keep how many annotators chose each class, without who (FER+)
classes          map emotions to the classes of a dataset
"""
