"""Answer questions about archives and datasets.

stats          count what is in an archive or a dataset
archive_stats  of an archive, by names alone
dataset_stats  of a dataset, by its manifest and, in ledger_stats, its ledger
counting       cross tables, bins, people, sessions
tables         their layout as text and CSV
repair         list the downloads to repeat
expected       read a list of files that a download should have
verify         check that a dataset is what was built
ledger_rows    read a ledger into arrays
records        compare every record with its ledger row
votes          compare the votes of a ledger with what annotators said
corrections    compare what a person changed with the classes
"""
