"""The format on disk: TFRecord shards, their manifest, and the files that other tools read.

tfrecord  the framing of a record file
example   one crop with its label, as the bytes of a tf.train.Example
shards    which record goes to which shard; read a dataset without TensorFlow
manifest  what was written: OUT/metadata.json
sidecars  the files for tensorflow-datasets, README.md and SHA256SUMS
report    the summary that a build and `fertools stats` print
"""
