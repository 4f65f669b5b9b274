"""Read archives in place: folders, zips, zips split into volumes, and tars.

scan          list every entry of SRC once, as a photo or with the reason why it is none
reader        read the bytes of a member and check them
members       the list of members, as columns
order         the order of the members of all containers
identity      compare archives on two machines; derive the pseudonym secret

folder        walk folders, open files, retry reads that fail
names         decode file names, and tell photos from everything else
preset_files  apply a preset: label files, TIFF photos, CSVs with pixels
pixels        read the rows of a CSV as photos
containers/   zips, volumes and tars
"""
