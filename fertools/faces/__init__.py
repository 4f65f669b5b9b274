"""Turn the bytes of a photo into one upright gray crop, or a reason why there is none.

extract      the whole path of a photo; start here
decode       decode bytes to pixels at the scale that the face needs (header, jpeg, tiff)
detectors    find faces
crop         cut out, resize, make gray, encode
fingerprint  compute a hash and a thumbnail, by which duplicates of a photo are found
augment      augment crops as the reference pipeline does, offline
"""
