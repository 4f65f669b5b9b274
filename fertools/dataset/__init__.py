"""The dataset format: TFRecord shards, their manifest, and files for other tools.

tfrecord       the framing of a record file
example        one crop with its label, as the bytes of a tf.train.Example
shards         plan the shards, check them, and read a dataset without TensorFlow
index          where each record of a shard begins, in a file beside it
random_access  read any example by its number: for PyTorch, Grain and others
manifest       OUT/metadata.json: the contents of a dataset; the names of its files
typed_json     a manifest's JSON as dataclasses
sidecars       the files for tensorflow-datasets, and SHA256SUMS
report         the summary that a build and `fertools stats` print
cards          what is known about a dataset: README.md and croissant.json
"""
