"""Answer questions about archives and datasets.

stats    count what is in an archive or a dataset
verify   check that a dataset is what was built
records  compare every record with its ledger row
"""
