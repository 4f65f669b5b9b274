"""Group photos that belong together, and assign the groups to train, validation or test.

    groups        find photos that must stay in one split; limit photos per person and class
    duplicates    find duplicates of a picture, byte for byte or re-encoded
    assign        assign groups to splits, with the ratios in every class; or use AI-Hub's own split
    local_search  improve an assignment by swaps
    measures      measure the distance from the ratios, and the leakage of people between splits
    split_file    read and write splits.csv

All modules are pure functions of tables, except split_file, which reads and writes files.
"""
