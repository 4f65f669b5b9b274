"""Measure how far the labels of a dataset can be trusted, from what its annotators said.

measure       measure_labels(out): compute the figures, write OUT/labels.parquet; start here
ledger_votes  read the votes of a ledger into arrays, and write what they say of each photo
report        format the figures as text, JSON and CSV
"""
