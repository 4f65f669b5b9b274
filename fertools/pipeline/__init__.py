"""Build a dataset: which stage runs when, and what each one leaves on disk.

build          the stages in their order; start here
build_dir      OUT/.fertools: the lock, and what a build keeps between runs
label_sources  read label records or side tables
catalog        every member with its label and class
classify       decide the class of each member: rule, then corrections
plan           divide the members into parts
process_part   process the photos of one part
parts          a part on disk: crops, rows and thumbnails in one file
crashes        run the parts in workers; isolate photos that crash, hang or exhaust one
instalments/   an archive that is processed zip by zip (--partial)
samples        the kept photos as columns, and duplicates among them
split          assign the splits, and measure what came out
shards         plan and write the shards
ledger         every member with its outcome
publish        write the ledger, the sidecars and, last, the manifest
"""
