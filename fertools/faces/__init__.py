"""Faces: the bytes of a photo in, one upright gray crop or a reason out.

extract      the whole path of a photo; start here
decode       bytes to pixels, at the scale that the face needs (header, jpeg)
detectors    find faces
crop         cut out, resize, make gray, encode
fingerprint  a hash and a thumbnail, by which duplicates of a photo are found
augment      the talk's augmentation, made once and written to disk
"""
