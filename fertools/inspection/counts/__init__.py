"""Count what is in an archive or a dataset, for `stats`.

archive    count an archive, by names alone
dataset    count a dataset, by its manifest and its ledger
ledger     count the rows of a ledger
counting   cross tables, bins, people, sessions
tables     lay out counts as text and CSV
plot       draw counts as bars, PNG or SVG
"""
