"""The dataset format: TFRecord shards, their manifest, and files for other tools.

tfrecord  the framing of a record file
example   one crop with its label, as the bytes of a tf.train.Example
shards    plan the shards, check them, and read a dataset without TensorFlow
index     where each record of a shard begins, in a file beside it
random_access    read any example by its number: for PyTorch, Grain and others
manifest  OUT/metadata.json: the contents of a dataset; the names of its files
sidecars  the files for tensorflow-datasets, and SHA256SUMS
report    the summary that a build and `fertools stats` print
facts     what is known about a dataset, in sentences: for all that follow
steps     how it was made, in words
datasheet OUT/README.md, and its sections for the cards of exports
snippets  how to read a dataset in several tools, in OUT/README.md
croissant OUT/croissant.json, the same facts for machines
markdown  tables and lists
"""
