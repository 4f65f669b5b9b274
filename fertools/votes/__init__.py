"""Estimate from the votes of annotators what photos show, and how far the votes can be trusted.

answers      what annotators, uploader and names say of photos, as arrays; start here
patterns     collect photos with equal votes
agreement    pairs, Fleiss' κ, Krippendorff's α, majority, confusion with the names
dawid_skene  confusion matrices of the annotators and of the uploader, a posterior for each photo
ceilings     how good any classifier can be on these labels
survey       compute all of these, with intervals over people
"""
