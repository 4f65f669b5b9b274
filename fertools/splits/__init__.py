"""Splits: which photos belong together, and which group goes to train, validation or test.

    groups        photos that must stay together, because they show one person or are duplicates
    duplicates    find duplicates of a picture, byte for byte or re-encoded
    assign        assign groups to splits, evenly by class; or keep AI-Hub's own split
    local_search  improve an assignment by swaps
    measures      how far an assignment is from its ratios, and how well it separates people
    split_file    read and write splits.csv

Pure functions of tables; only split_file reads or writes.
"""
