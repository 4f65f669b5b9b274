"""Build a dataset: which stage runs when, and what each one leaves on disk.

build         the stages in their order; start here
request       check the arguments of a build
build_dir     OUT/.fertools: the lock, and what a build keeps between runs
labelling/    every member with its label and class, and the photos to process
extraction    extract the faces of the photos, part by part, on this machine or a cluster
plan          divide the members into parts
process_part  process the photos of one part
parts         a part on disk: crops, rows and thumbnails in one file
crashes       run the parts in workers; isolate photos that crash, hang or exhaust one
instalments/  an archive that is processed zip by zip (--partial)
samples       the kept photos as columns, and duplicates among them
split         assign the splits, and measure what came out
shards        plan the shards, and write one
assemble      write all shards, and read their crops in few forward passes
ledger        every member with its outcome
publish       write the ledger, the sidecars and, last, the manifest
"""
