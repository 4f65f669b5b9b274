"""Read archives in place: folders, zips and zips split into pieces.

scan     list every entry of SRC once: a photo, or a reason why it is none
reader   read a member's bytes, whole and checked

folder   walk folders, open files, retry faults that may pass
names    decode file names and tell photos from everything else
volumes  the bytes of a zip by offset, in one file or in pieces
zips     the members of a zip, whole or damaged (directory, entry)
members  the list of members, as columns
identity tell whether two machines see the same archive
"""
