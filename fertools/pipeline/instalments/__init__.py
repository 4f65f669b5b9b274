"""Build from an archive that is never there as a whole: a zip comes, is processed, and goes.

seen      what was seen of each zip, in OUT/.fertools/seen
merge     the members of the zips that are there and of those that were seen
partial   process what is there, and report what was seen
"""
