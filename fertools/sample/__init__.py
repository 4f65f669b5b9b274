"""Draw an AI-Hub style archive of invented people.

archive     make_sample(out): draw and write everything; the layout of the containers
schedule    which person is photographed when, in the archive's proportions
people      faces, hair and expressions
setting     scenes behind the person, and the orientation of the camera
photo       draw a shot, and encode it as a file
features    eyes, brows, nose and mouth
canvas      draw curves in the units of a head
annotators  what annotators say of a photo, by known confusion matrices
storage     folders, zips, zip volumes and label files
troubles    the unusual files that real archives have beside the photos
"""
