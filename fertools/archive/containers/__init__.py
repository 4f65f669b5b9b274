"""Open zips and tars in place.

volumes    read the bytes of a zip by offset, from one file or several volumes
locate     find the volumes of a zip, on the disk or in a tar, and open it
misjoined  read a zip whose volumes were joined in the wrong order
zips       list the members of a zip, whole or damaged
central_directory  read the list of entries at the end of a zip
entry      the fields of one zip entry
tar        list the entries of a tar
"""
