"""Answer questions about archives and datasets.

preview        show what a build would make of a few photos
contact_sheet  draw them
stats          count what is in an archive or a dataset
counts         the counts themselves, their tables and bars
pictures       whether a file may be replaced by a picture
repair         list the downloads to repeat
expected       read a list of files that a download should have
verify         check that a dataset is what was built
label_quality  measure how far votes agree, and what they say of each photo
ledger_rows    read a ledger into arrays
records        compare every record with its ledger row
votes          compare the votes of a ledger with what annotators said
corrections    compare what a person changed with the classes
"""
