"""Build a dataset: which stage runs when, and what each one leaves on disk.

build         the stages in their order; start here
options       what a user may choose
build_dir     OUT/.fertools: the lock, and what a build keeps between runs
catalog       every member with its label and class
plan          cut the members into parts
process_part  process the photos of one part
parts         a part on disk: crops, rows and thumbnails in one file
crashes       isolate photos that crash, hang or exhaust a worker
samples       the kept photos as columns, and copies among them
split         assign the splits, and measure what came out
shards        write the shards
ledger        every member with its outcome
publish       write the ledger, the sidecars and, last, the manifest
"""
