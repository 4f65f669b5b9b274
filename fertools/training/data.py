"""A split on disk, held against its manifest before TensorFlow sees it.

What TensorFlow does with damage decides what is checked here: it takes a shard cut between two
records for whole, and a length field of 64 GiB with a right checksum ends the process. So the
lengths are walked through, one seek a record, and must lead exactly to the file's end and to the
manifest's count. The checksums of the data are left to TensorFlow, which looks at every one.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import numpy as np

from fertools.data import Split
from fertools.dataset.example import FEATURES, Feature, Kind
from fertools.dataset.manifest import Manifest, ShardFile
from fertools.dataset.tfrecord import FRAMING_BYTES, read_records
from fertools.errors import DatasetError, OptionError
from fertools.faces.crop import RAW_ROWS_OFFSET, raw_rows_contiguous
from fertools.hashing import rank
from fertools.training.backend import import_tensorflow

if TYPE_CHECKING:
    import tensorflow as tf
from typing import TYPE_CHECKING

from fertools.checking import Between, check, user_path
from fertools.options import TrainOptions

_LENGTH: Final = struct.Struct("<Q")


@dataclass(frozen=True, slots=True)
class Source:
    """One split of a dataset, complete as far as sizes and lengths tell."""

    out: Path
    split: str
    manifest: Manifest

    @classmethod
    def open(cls, out: Path | str, split: str, *, allow_leak: bool = False) -> Source:
        """Read the manifest and check the split's shards.

        Raises OptionError for a split that is not there or whose people are in another one
        too (not with `allow_leak`), DatasetError for what is missing or damaged.
        """
        source = cls(Path(out), split, Manifest.read(Path(out)))
        if not source.records:
            filled = source.manifest.splits
            there = [name for name in Split if name in filled and filled[name].records]
            raise OptionError(f"{out} has no examples in {split!r}: take one of {', '.join(there)}")
        if source.leaks and not allow_leak:
            raise OptionError(
                f"{out} shows the same people in several splits, so its figures mean little: "
                "build it with --split-by subject, or --allow-leak for an experiment"
            )
        for shard in source.shards:
            _check(source.out / shard.file, shard)
        return source

    @property
    def shards(self) -> tuple[ShardFile, ...]:
        """The split's files."""
        contents = self.manifest.splits.get(self.split)
        return contents.shards if contents else ()

    @property
    def records(self) -> int:
        """How many examples the split has."""
        return sum(shard.records for shard in self.shards)

    @property
    def counts(self) -> list[int]:
        """How many examples of each class, in the order of the labels."""
        by_name = self.manifest.splits[self.split].classes
        return [by_name.get(entry.name, 0) for entry in self.manifest.classes]

    @property
    def leaks(self) -> bool:
        """Whether people or pictures are known, or must be expected, to be in two splits."""
        proof = self.manifest.proof
        by_image = self.manifest.options.get("split_by") == "image"
        return by_image or proof.overlap > 0 or proof.copies_across > 0

    def damage(self) -> DatasetError | None:
        """Read every record and say which shard is damaged, None where all are whole."""
        try:
            for shard in self.shards:
                path = self.out / shard.file
                _check(path, shard)
                for _ in read_records(path):
                    pass
        except DatasetError as error:
            return error
        return None


def _check(path: Path, shard: ShardFile) -> None:
    if not path.is_file():
        raise DatasetError(f"{path} is missing: put it back, or build again")
    size, records, offset = path.stat().st_size, 0, 0
    if size == shard.bytes:
        with path.open("rb") as file:
            while offset + FRAMING_BYTES <= size:
                file.seek(offset)
                offset += _LENGTH.unpack(file.read(_LENGTH.size))[0] + FRAMING_BYTES
                records += 1
    if not (size == shard.bytes == offset and records == shard.records):
        raise DatasetError(
            f"{path} is not the shard that was written: {size} bytes where the manifest says "
            f"{shard.bytes}, {records} records of {shard.records}: put a whole copy back"
        )


#: Shards read at once, and records shuffled among each other; records lie in the order of a hash
#: already and every shard is a fair sample, so the buffer need not hold a split.
_READERS: Final = 16
_BUFFER: Final = 4096

#: And bytes of them: 4,096 crops in JPEG, some 2,700 in PNG, 1,300 raw. Of raw ones 4,096 at a time
#: were read at two thirds of the rate, for memory asked of the system and given back.
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

    batch       how many to an element; None gives single examples
    features    of image (uint8 (size, size, 1)), label, key, subject, sex, age, box,
                confidence and, where the dataset has them, votes (int64 (classes,))
    shuffle     in the order that (seed, epoch) stands for, instead of that on disk
    cache       keep decoded images in memory for the next pass
    allow_leak  take a dataset whose splits share people

    Example: for images, labels in load("faces", "train", batch=64, shuffle=True): …

    Raises OptionError and DatasetError as Source.open does, and OptionError for a feature that
    the dataset does not have. A record damaged inside is noticed when it is reached, by
    tf.errors.DataLossError.
    """
    out = user_path(out, "out")
    check("split", split, str)
    if isinstance(features, str):
        raise OptionError(f'features is {features!r}; it must be a list, such as ["{features}"]')
    batch = check("batch", batch, Annotated[int | None, Between(1)])
    seed, epoch = check("seed", seed, int), check("epoch", epoch, Annotated[int, Between(0)])
    source = Source.open(out, split, allow_leak=allow_leak)
    import_tensorflow()
    examples = ordered(source, features, [epoch] if shuffle else None, seed=seed, cache=cache)
    if batch is not None:
        examples = examples.batch(batch)
    return examples.prefetch(2)


def ordered(
    source: Source,
    features: Sequence[str],
    epochs: Sequence[int] | None,
    *,
    seed: int,
    cache: bool,
    batch: int | None = None,
) -> tf.data.Dataset:
    """Return a split's examples once for each epoch, in its order; None is once as on disk.

    With `batch` they come in batches, cut epoch by epoch, so that none spans two of them; what does
    not fill one is left out.
    """
    import tensorflow as tf

    parse = parser(source, features)
    names = [shard.file for shard in source.shards]
    on_disk = tf.data.TFRecordDataset([str(source.out / name) for name in names], buffer_size=_READ)
    examples = decoded(on_disk, parse)
    if cache:
        kept = _in_memory(examples, source.records)
        examples = tf.data.Dataset.from_tensor_slices(kept)
    if epochs is None:
        return examples
    mean_bytes = sum(shard.bytes for shard in source.shards) / max(1, source.records)
    run = max(1, min(_BUFFER, int(_BUFFER_BYTES / max(1, mean_bytes))))
    orders = [sorted(names, key=lambda name: rank(seed, f"{e} {name}")) for e in epochs]
    paths = tf.constant([[str(source.out / name) for name in order] for order in orders])
    seeds = tf.constant([epoch_number(seed, e, "records") for e in epochs], tf.int64)

    def from_disk(i: tf.Tensor) -> tf.data.Dataset:
        records = tf.data.Dataset.from_tensor_slices(paths[i]).interleave(
            lambda file: tf.data.TFRecordDataset(file, buffer_size=_READ),
            cycle_length=min(_READERS, len(names)),
            block_length=8,
            num_parallel_calls=tf.data.AUTOTUNE,
            deterministic=True,
        )
        examples = decoded(_shuffled(records, run, seeds[i]), parse)
        return examples.batch(batch, drop_remainder=True) if batch else examples

    def from_memory(i: tf.Tensor) -> tf.data.Dataset:
        order = tf.random.experimental.stateless_shuffle(
            tf.range(source.records), tf.stack([seeds[i], 0])
        )
        places = tf.data.Dataset.from_tensor_slices(order)
        places = places.batch(batch, drop_remainder=True) if batch else places
        return places.map(lambda place: tuple(tf.gather(column, place) for column in kept))

    return tf.data.Dataset.range(len(epochs)).flat_map(from_memory if cache else from_disk)


def epoch_number(seed: int, epoch: int, purpose: str) -> int:
    """Return a number of 31 bits that (seed, epoch) stands for."""
    return int.from_bytes(rank(seed, str(epoch), purpose)[:4], "big") >> 1


def _shuffled(records: tf.data.Dataset, run: int, seed: tf.Tensor) -> tf.data.Dataset:
    """Permute runs of so many records, each run by a seed of its own."""
    import tensorflow as tf

    def permuted(number: tf.Tensor, rows: tf.Tensor) -> tf.Tensor:
        return tf.random.experimental.stateless_shuffle(rows, tf.stack([seed, number]))

    return records.batch(run).enumerate().map(permuted).unbatch()


def decoded(records: tf.data.Dataset, parse: Callable[[Any], Any]) -> tf.data.Dataset:
    """Return what `parse` makes of the records, on all cores and in their order."""
    import tensorflow as tf

    return records.map(parse, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)


def _in_memory(examples: tf.data.Dataset, records: int) -> tuple[tf.Tensor, ...]:
    """Return all examples as one tensor a feature, in the host's memory."""
    import tensorflow as tf

    with tf.device("CPU"):
        columns: tuple[tf.Tensor, ...] = next(iter(examples.batch(records)))
    return columns


def parser(source: Source, features: Sequence[str]) -> Callable[[Any], tuple[Any, ...]]:
    """Make the function from a record to the features: one parse and one decode an example.

    Parsing a batch at once and decoding it in a tf.map_fn measured the same (5,495 against 5,416
    JPEG images per CPU-second): decoding is nearly all of it.
    """
    import tensorflow as tf

    known = {feature.name: feature for feature in FEATURES}
    if source.manifest.votes:
        known["votes"] = Feature("votes", Kind.INT64, len(source.manifest.classes))
    for name in features:
        if name not in known:
            raise OptionError(f"{source.out} has no feature {name!r}: take of {', '.join(known)}")
    kinds = {Kind.LABEL: tf.int64, Kind.INT64: tf.int64, Kind.FLOAT32: tf.float32}
    spec = {
        name: tf.io.FixedLenFeature(
            [known[name].length or 1] if known[name].length else [],
            kinds.get(known[name].kind, tf.string),
        )
        for name in features
    }
    size, unpacked = source.manifest.image.size, _unpacker(source)

    def parse(record: tf.Tensor) -> tuple[Any, ...]:
        values = tf.io.parse_single_example(record, spec)
        if "image" in values:
            values["image"] = tf.ensure_shape(unpacked(values["image"]), (size, size, 1))
        return tuple(values[name] for name in features)

    # Left to AutoGraph, TensorFlow would rewrite the function's source, and cannot always.
    made: Callable[[Any], tuple[Any, ...]] = tf.autograph.experimental.do_not_convert(parse)
    return made


def _unpacker(source: Source) -> Callable[[Any], Any]:
    """Make the function from an image's bytes to its pixels, uint8 (size, size, 1)."""
    import tensorflow as tf

    size = source.manifest.image.size
    if source.manifest.image.format == "jpeg":
        # The method is named because the default one differs between builds of TensorFlow.
        return lambda data: tf.io.decode_jpeg(data, channels=1, dct_method="INTEGER_ACCURATE")
    if source.manifest.options.get("image_format") != "raw" or not raw_rows_contiguous(size):
        return lambda data: tf.io.decode_png(data, channels=1)

    def rows(data: tf.Tensor) -> tf.Tensor:
        # Not decoding what needs no decoding: 17,000 images per CPU-second instead of 10,600.
        found = tf.strings.substr(data, RAW_ROWS_OFFSET, size * (size + 1))
        return tf.reshape(tf.io.decode_raw(found, tf.uint8), (size, size + 1))[:, 1:, tf.newaxis]

    return rows


def epoch_keys(seed: int, epochs: Sequence[int], records: int) -> np.ndarray[Any, Any]:
    """Return each epoch's first augmentation key: int32 (epochs,); an example adds its place."""
    first = [epoch_number(seed, epoch, "augment") for epoch in epochs]
    return np.array([key % (2**31 - records) for key in first], np.int32)


@dataclass(frozen=True, slots=True)
class Feed:
    """Both splits that training looks at; `validation` is None where the dataset has none.

    An element is ({"image": uint8 (N, S, S, 1), "key": int32 (N,)}, targets float32
    (N, classes)), in training with weights float32 (N,) as a third where classes are balanced.
    """

    train: Source
    validation: Source | None
    recipe: TrainOptions
    seed: int
    cache: bool

    def __post_init__(self) -> None:
        if self.recipe.soft_labels and not self.train.manifest.votes:
            raise OptionError(
                f"{self.train.out} holds no votes: leave --soft-labels out, or build the dataset "
                "with its annotators' votes"
            )

    @property
    def batch(self) -> int:
        """Images a step: as asked for, or all that there are."""
        return min(self.recipe.batch, self.train.records)

    @property
    def steps(self) -> int:
        """Steps an epoch; what does not fill a batch waits for an epoch with another order."""
        return self.train.records // self.batch

    def training(self, first_epoch: int) -> tf.data.Dataset:
        """Return all batches from an epoch to the end of the training, `steps` for each."""
        import tensorflow as tf

        epochs = range(first_epoch, self.recipe.epochs)
        keys = tf.constant(epoch_keys(self.seed, epochs, self.train.records))
        features = ("image", "label", "votes") if self.recipe.soft_labels else ("image", "label")
        batches = ordered(
            self.train, features, epochs, seed=self.seed, cache=self.cache, batch=self.batch
        )
        weights, places = self._weights(), tf.range(self.batch, dtype=tf.int32)

        def element(number: Any, batch: tuple[Any, ...]) -> tuple[Any, ...]:
            image, label, *votes = batch
            first = tf.cast(number % self.steps * self.batch, tf.int32)
            key = keys[number // self.steps] + first + places
            target = self._target(label)
            target = _shares(votes[0], target) if votes else target
            row = ({"image": image, "key": key}, target)
            return (*row, tf.gather(weights, label)) if self.recipe.balance else row

        total = tf.data.experimental.assert_cardinality(self.steps * len(epochs))
        return batches.enumerate().map(element).apply(total).prefetch(tf.data.AUTOTUNE)

    def validating(self) -> tf.data.Dataset | None:
        """Return validation's batches once, unaltered, in the order on disk."""
        import tensorflow as tf

        if self.validation is None:
            return None
        examples = ordered(
            self.validation, ("image", "label"), None, seed=self.seed, cache=self.cache
        )

        def element(image: Any, label: Any) -> tuple[Any, ...]:
            key = tf.zeros_like(label, tf.int32)
            return {"image": image, "key": key}, self._target(label)

        # Not told how many there are, Keras takes the end for an interruption, and warns of it.
        total = tf.data.experimental.assert_cardinality(-(-self.validation.records // self.batch))
        return examples.batch(self.batch).map(element).apply(total).prefetch(tf.data.AUTOTUNE)

    def _target(self, label: Any) -> Any:
        import tensorflow as tf

        return tf.one_hot(label, len(self.train.manifest.classes), dtype=tf.float32)

    def _weights(self) -> list[float]:
        """Weigh each class by the inverse of its number, 1 on average over the examples."""
        counts = self.train.counts
        present = sum(count > 0 for count in counts)
        return [self.train.records / (present * count) if count else 0.0 for count in counts]


def _shares(votes: Any, target: Any) -> Any:
    """Turn votes into shares; where nobody voted, the name's class stands."""
    import tensorflow as tf

    counts = tf.cast(votes, tf.float32)
    total = tf.reduce_sum(counts, 1, keepdims=True)
    return tf.where(total > 0, counts / tf.maximum(total, 1.0), target)
