"""Read archives in place: folders, zips and zips split into volumes.

scan       list every entry of SRC once, as a photo or with a reason why it is not one
reader     read a member's bytes, complete and checked
members    the list of members, as columns
identity   whether two machines see the same archive; the pseudonym secret

folder     walk folders, open files, retry faults that may pass
names      decode file names, and tell photos from everything else
volumes    the bytes of a zip by offset, from one file or several volumes
zips       the members of a zip, whole or damaged
central_directory  the list of members at the end of a zip
entry      the fields of one zip entry
"""
