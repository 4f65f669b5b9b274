"""Draw an AI-Hub style archive of people who do not exist.

archive   make_sample(out): everything drawn and written
schedule  who is photographed when, in the archive's proportions
people    faces, hair and expressions
setting   places, and how the phone is held
photo     a shot as pixels and as a file (features, canvas)
storage   folders, zips, pieces and label files
troubles  what lies in real archives beside the photos
"""
