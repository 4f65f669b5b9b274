"""Read archives in place: folders, zips and zips split into volumes.

scan       list every entry of SRC once, as a photo or with the reason why it is none
reader     read the bytes of a member and check them
members    the list of members, as columns
identity   compare archives on two machines; derive the pseudonym secret

folder     walk folders, open files, retry reads that fail
names      decode file names, and tell photos from everything else
volumes    read the bytes of a zip by offset, from one file or several volumes
zips       list the members of a zip, whole or damaged
central_directory  read the list of entries at the end of a zip
entry      the fields of one zip entry
"""
