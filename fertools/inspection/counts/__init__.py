"""Count what is in an archive or a dataset, for `stats`.

archive    of an archive, by names alone
dataset    of a dataset, by its manifest and, in ledger, its ledger
counting   cross tables, bins, people, sessions
tables     their layout as text and CSV
plot       their bars as PNG and SVG
"""
