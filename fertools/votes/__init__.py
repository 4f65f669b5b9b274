"""Estimate from the votes of annotators what photos show, and how far the votes can be trusted.

patterns     photos with equal votes, counted once
dawid_skene  confusion matrices of the annotators and of the uploader, a posterior for each photo
"""
