"""Answer questions about archives and datasets.

stats        count what is in an archive or a dataset
verify       check that a dataset is what was built
ledger_rows  read a ledger into arrays
records      compare every record with its ledger row
votes        compare the votes of a ledger with what annotators said
"""
