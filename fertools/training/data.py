"""Read a split as a tf.data.Dataset: `load` for users, `in_order` and `shuffled` for training.

    shards ──order──▶ interleave ──▶ records ──shuffle──▶ parse, decode ──▶ batches
                      16 at a time            up to 4,096  uint8, on all cores

The order is a function of (seed, epoch): of the shards by a hash of their names, of the records
by stateless permutations. A training that was interrupted in epoch 7 reads the rest in the order
that an unbroken one would have. `Dataset.shuffle` cannot promise that: what it does with a seed
depends on whether `tf.random.set_seed` was called. With a cache, images are decoded once, kept in
memory, and shuffled over the whole split.

Pixels stay uint8 until they are on the device: a quarter of float32's way through memory and bus.

Shards are checked against the manifest before TensorFlow reads them. What TensorFlow does with
damage decides what is checked: it takes a shard cut between two records for whole, and a length
field of 64 GiB with a right checksum ends the process. So the lengths are followed, one seek a
record, and must lead exactly to the file's end and to the manifest's count. The checksums of the
data are left to TensorFlow, which verifies every one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

from fertools.checking import Between, check, user_path
from fertools.data import Split
from fertools.dataset.example import Kind
from fertools.dataset.manifest import Manifest, ShardFile
from fertools.dataset.shards import check_shard, read_examples
from fertools.errors import DatasetError, OptionError
from fertools.faces.crop import RAW_ROWS_OFFSET, raw_rows_contiguous
from fertools.hashing import rank
from fertools.training.backend import import_tensorflow

if TYPE_CHECKING:
    import tensorflow as tf

#: Shards read at once, and records shuffled among each other; records lie in the order of a hash
#: already and every shard is a fair sample, so the buffer need not hold a split.
_READERS: Final = 16
_BUFFER: Final = 4096

#: And bytes of them: 4,096 crops in JPEG, some 2,700 in PNG, 1,300 raw. Of raw ones 4,096 at a time
#: were read at two thirds of the rate, because memory was allocated and freed each time.
_BUFFER_BYTES: Final = 1 << 26

#: Bytes read from a shard at a time.
_READ: Final = 1 << 20


def load(
    out: Path | str,
    split: str,
    *,
    batch: int | None = None,
    features: Sequence[str] = ("image", "label"),
    shuffle: bool = False,
    seed: int = 0,
    epoch: int = 0,
    cache: bool = False,
    allow_leak: bool = False,
) -> tf.data.Dataset:
    """Return a split as tuples of `features`, in the order asked for.

    batch       examples to an element; None for single examples
    features    of image (uint8 (size, size, 1)), label, key, subject, sex, age, box,
                confidence and, where the dataset has them, votes (int64 (classes,)) and
                uploader (int64)
    shuffle     in the order that (seed, epoch) stands for, instead of that on disk
    cache       keep decoded images in memory for the next pass
    allow_leak  take a dataset whose splits share people

    Example: for images, labels in load("faces", "train", batch=64, shuffle=True): …

    Raises OptionError and DatasetError as DatasetSplit.open does, and OptionError for a feature
    that the dataset does not have. A record damaged inside is noticed when it is reached, by
    tf.errors.DataLossError.
    """
    out = user_path(out, "out")
    check("split", split, str)
    if isinstance(features, str):
        raise OptionError(f'features is {features!r}; it must be a list, such as ["{features}"]')
    batch = check("batch", batch, Annotated[int | None, Between(1)])
    seed, epoch = check("seed", seed, int), check("epoch", epoch, Annotated[int, Between(0)])
    source = DatasetSplit.open(out, split, allow_leak=allow_leak)
    import_tensorflow()
    if shuffle:
        examples = shuffled(source, features, [epoch], seed=seed, cache=cache)
    else:
        examples = in_order(source, features, cache=cache)
    if batch is not None:
        examples = examples.batch(batch)
    return examples.prefetch(2)


@dataclass(frozen=True, slots=True)
class DatasetSplit:
    """One split of a dataset, checked by the sizes of its files and the lengths of its records."""

    out: Path
    name: str
    manifest: Manifest

    @classmethod
    def open(cls, out: Path | str, name: str, *, allow_leak: bool = False) -> DatasetSplit:
        """Read the manifest and check the split's shards.

        Raises OptionError for a split that does not exist or whose people are in another one
        too (not with `allow_leak`), DatasetError for what is missing or damaged.
        """
        split = cls(Path(out), name, Manifest.read(Path(out)))
        if not split.records:
            known = [each for each in Split if replace(split, name=each).records]
            raise OptionError(f"{out} has no examples in {name!r}: take one of {', '.join(known)}")
        if split.leaks and not allow_leak:
            raise OptionError(
                f"{out} shows the same people in several splits, so its figures mean little: "
                "build it with --split-by subject, or --allow-leak for an experiment"
            )
        for shard in split.shards:
            check_shard(split.out / shard.file, shard)
        return split

    @property
    def shards(self) -> tuple[ShardFile, ...]:
        contents = self.manifest.splits.get(self.name)
        return contents.shards if contents else ()

    @property
    def records(self) -> int:
        return sum(shard.records for shard in self.shards)

    @property
    def counts(self) -> list[int]:
        """How many examples of each class, in the order of the labels."""
        by_name = self.manifest.splits[self.name].classes
        return [by_name.get(entry.name, 0) for entry in self.manifest.classes]

    @property
    def leaks(self) -> bool:
        """Whether people or pictures are known, or must be expected, to be in two splits."""
        proof = self.manifest.proof
        by_image = self.manifest.options.get("split_by") == "image"
        return by_image or proof.overlap > 0 or proof.copies_across > 0

    def damage(self) -> DatasetError | None:
        """Read every example; return the error of the first damaged shard, None without one."""
        try:
            for _ in read_examples(self.out, self.name):
                pass
        except DatasetError as error:
            return error
        return None


def in_order(split: DatasetSplit, features: Sequence[str], *, cache: bool) -> tf.data.Dataset:
    """Return a split's examples in the order on disk."""
    import tensorflow as tf

    paths = [str(split.out / shard.file) for shard in split.shards]
    records = tf.data.TFRecordDataset(paths, buffer_size=_READ)
    examples = decoded(records, parser(split, features))
    return with_length(examples, split.records).cache() if cache else examples


def shuffled(
    split: DatasetSplit,
    features: Sequence[str],
    epochs: Sequence[int],
    *,
    seed: int,
    cache: bool,
    batch: int | None = None,
) -> tf.data.Dataset:
    """Return a split's examples once per epoch, each time in the order of (seed, epoch).

    With `batch` they come in batches. None spans two epochs, and examples that do not fill one
    are left out of their epoch.
    """
    import tensorflow as tf

    seeds = tf.constant([epoch_number(seed, epoch, "records") for epoch in epochs], tf.int64)
    if cache:
        in_memory = _from_memory(split, features, batch)
        return tf.data.Dataset.from_tensor_slices(seeds).flat_map(in_memory)
    names = [shard.file for shard in split.shards]
    orders = [sorted(names, key=lambda name: rank(seed, f"{e} {name}")) for e in epochs]
    paths = tf.constant([[str(split.out / name) for name in order] for order in orders])
    on_disk = _from_disk(split, features, batch)
    return tf.data.Dataset.from_tensor_slices((paths, seeds)).flat_map(on_disk)


def epoch_number(seed: int, epoch: int, purpose: str) -> int:
    """Return a number of 31 bits that is a function of seed, epoch and purpose."""
    return int.from_bytes(rank(seed, str(epoch), purpose)[:4], "big") >> 1


def with_length(dataset: tf.data.Dataset, length: int) -> tf.data.Dataset:
    """State the number of elements, after `batch`.

    Before it, tf.data cannot fuse `map` and `batch`: images of 16 pixels came at four fifths of the
    rate.
    """
    import tensorflow as tf

    return dataset.apply(tf.data.experimental.assert_cardinality(length))


def _from_memory(
    split: DatasetSplit, features: Sequence[str], batch: int | None
) -> Callable[[tf.Tensor], tf.data.Dataset]:
    """Decode all examples into memory; return the function from a seed to an epoch."""
    import tensorflow as tf

    with tf.device("CPU"):  # one tensor a feature, in the host's memory
        columns = next(iter(in_order(split, features, cache=False).batch(split.records)))

    def epoch(seed: tf.Tensor) -> tf.data.Dataset:
        order = tf.random.experimental.stateless_shuffle(
            tf.range(split.records), tf.stack([seed, 0])
        )
        rows = _batched(tf.data.Dataset.from_tensor_slices(order), batch)
        return rows.map(lambda rows: tuple(tf.gather(column, rows) for column in columns))

    return epoch


def _from_disk(
    split: DatasetSplit, features: Sequence[str], batch: int | None
) -> Callable[[tf.Tensor, tf.Tensor], tf.data.Dataset]:
    """Return the function from the paths of shards and a seed to an epoch.

    Shards are read side by side; each run of records is permuted by a seed of its own.
    """
    import tensorflow as tf

    mean_bytes = sum(shard.bytes for shard in split.shards) / split.records
    buffer = max(1, min(_BUFFER, int(_BUFFER_BYTES / mean_bytes)))
    parse = parser(split, features)

    def epoch(paths: tf.Tensor, seed: tf.Tensor) -> tf.data.Dataset:
        def permuted(number: tf.Tensor, rows: tf.Tensor) -> tf.Tensor:
            return tf.random.experimental.stateless_shuffle(rows, tf.stack([seed, number]))

        records = tf.data.Dataset.from_tensor_slices(paths).interleave(
            lambda path: tf.data.TFRecordDataset(path, buffer_size=_READ),
            cycle_length=min(_READERS, len(split.shards)),
            block_length=8,
            num_parallel_calls=tf.data.AUTOTUNE,
            deterministic=True,
        )
        records = records.batch(buffer).enumerate().map(permuted).unbatch()
        return _batched(decoded(records, parse), batch)

    return epoch


def _batched(examples: tf.data.Dataset, batch: int | None) -> tf.data.Dataset:
    return examples.batch(batch, drop_remainder=True) if batch else examples


def decoded(records: tf.data.Dataset, parse: Callable[[Any], Any]) -> tf.data.Dataset:
    """Apply `parse` to the records, on all cores and in their order."""
    import tensorflow as tf

    return records.map(parse, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)


def parser(split: DatasetSplit, features: Sequence[str]) -> Callable[[Any], tuple[Any, ...]]:
    """Make the function from a record to the features: one parse and one decode an example.

    Parsing a batch at once and decoding it in a tf.map_fn measured the same (5,495 against 5,416
    JPEG images per CPU-second): decoding is nearly all of it.
    """
    import tensorflow as tf

    known = {feature.name: feature for feature in split.manifest.features}
    for name in features:
        if name not in known:
            raise OptionError(f"{split.out} has no feature {name!r}: take of {', '.join(known)}")
    kinds = {Kind.LABEL: tf.int64, Kind.INT64: tf.int64, Kind.FLOAT32: tf.float32}
    spec = {
        name: tf.io.FixedLenFeature(
            [length] if (length := known[name].length) else [],
            kinds.get(known[name].kind, tf.string),
        )
        for name in features
    }
    size, decode = split.manifest.image.size, _decoder(split.manifest)

    def parse(record: tf.Tensor) -> tuple[Any, ...]:
        values = tf.io.parse_single_example(record, spec)
        if "image" in values:
            values["image"] = tf.ensure_shape(decode(values["image"]), (size, size, 1))
        return tuple(values[name] for name in features)

    # Left to AutoGraph, TensorFlow would rewrite the function's source, and cannot always.
    made: Callable[[Any], tuple[Any, ...]] = tf.autograph.experimental.do_not_convert(parse)
    return made


def _decoder(manifest: Manifest) -> Callable[[Any], Any]:
    """Make the function from an image's bytes to its pixels, uint8 (size, size, 1)."""
    import tensorflow as tf

    size = manifest.image.size
    if manifest.image.format == "jpeg":
        # The method is named because the default one differs between builds of TensorFlow.
        return lambda data: tf.io.decode_jpeg(data, channels=1, dct_method="INTEGER_ACCURATE")
    if manifest.options.get("image_format") != "raw" or not raw_rows_contiguous(size):
        return lambda data: tf.io.decode_png(data, channels=1)

    def rows(data: tf.Tensor) -> tf.Tensor:
        # Not decoding what needs no decoding: 17,000 images per CPU-second instead of 10,600.
        found = tf.strings.substr(data, RAW_ROWS_OFFSET, size * (size + 1))
        return tf.reshape(tf.io.decode_raw(found, tf.uint8), (size, size + 1))[:, 1:, tf.newaxis]

    return rows
