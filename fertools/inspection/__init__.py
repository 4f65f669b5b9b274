"""Answer questions about archives and datasets.

preview        show what a build would make of a few photos
contact_sheet  draw photos with their boxes and crops
stats          count what is in an archive or a dataset
counts         count an archive or a dataset; tables and bars
pictures       check whether a picture may be written to a file
repair         list the downloads to repeat
expected       read a list of files that a download should have
verify         check that a dataset is what was built
label_quality  measure from the votes how far labels can be trusted
ledger_rows    read a ledger into arrays
records        compare every record with its ledger row
votes          compare the votes of a ledger with what annotators said
corrections    compare the corrections in a ledger with the classes
"""
