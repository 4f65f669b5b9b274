"""The keywords that fertools' functions take, for type checkers and editors.

Written by `make docs` from fertools/options.py, where each is documented: change them there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, TypedDict


class SampleKeywords(TypedDict, total=False):
    """The fields of SampleOptions."""

    people: int
    photos: int
    megapixels: float
    form: Literal["zips", "folders"]
    troubles: bool | int
    seed: int


class BuildKeywords(TypedDict, total=False):
    """The fields of BuildOptions and RunOptions."""

    preset: Literal[
        "aihub", "folders", "fer2013", "ferplus", "rafdb", "ckplus", "jaffe", "kdef", "kface"
    ]
    pattern: str | None
    table: Path | str | None
    classes: Literal["auto", "aihub7", "talk5", "folders"]
    rename: str | Sequence[str] | Mapping[str, str]
    drop: str | Sequence[str]
    labels: str
    disputed: Literal["drop", "keep"]
    detect: bool
    compare: bool
    stop_at_chin: bool
    runtime: Literal["auto", "openvino", "opencv"]
    precision: Literal["auto", "f32", "bf16", "int8"]
    exact: bool
    min_confidence: float
    on_many: Literal["largest", "best", "reject"]
    size: int
    margin: float
    square: bool
    align: bool
    image_format: Literal["png", "raw", "jpeg"]
    jpeg_quality: int
    max_pixels: int
    split: str
    split_by: Literal["subject", "image"]
    split_file: Path | str | None
    overlap: Literal["drop", "report"]
    duplicates: Literal["keep", "drop"]
    max_per_subject: int | None
    max_per_class: int | None
    seed: int
    name: str
    shard_size: str | int
    keep_names: bool
    augment: int
    salt_file: Path | str | None
    jobs: int | None
    dask: str | None
    quiet: bool
    photo_seconds: float
    overwrite: bool
    accept_unreadable: bool


class TrainKeywords(TypedDict, total=False):
    """The fields of TrainOptions and TrainRunOptions."""

    recipe: Literal["auto", "talk"]
    depth: Literal[8, 14, 26, 50, 101, 152] | None
    width: int | None
    init: Literal["he_normal", "glorot_uniform"] | None
    zero_gamma: bool
    head: Literal["gap", "flatten"]
    head_units: int
    model: str
    augment: Literal["talk", "light", "none"] | None
    mix: Literal["none", "mixup", "erasing"]
    stretch: Literal["always", "train", "never"]
    epochs: int | None
    batch: int | None
    optimizer: Literal["adamw", "sgd"]
    learning_rate: float | None
    weight_decay: float
    warmup: float
    label_smoothing: float
    soft_labels: Literal["none", "votes", "posterior", "majority"]
    balance: bool
    precision: Literal["auto", "float32", "bfloat16"]
    seed: int
    resume: bool
    cache: bool
    tensorboard: bool
    allow_leak: bool
    quiet: bool


class PreviewKeywords(TypedDict, total=False):
    """The fields of PreviewOptions."""

    preset: Literal[
        "aihub", "folders", "fer2013", "ferplus", "rafdb", "ckplus", "jaffe", "kdef", "kface"
    ]
    pattern: str | None
    table: Path | str | None
    classes: Literal["auto", "aihub7", "talk5", "folders"]
    rename: str | Sequence[str] | Mapping[str, str]
    drop: str | Sequence[str]
    labels: str
    disputed: Literal["drop", "keep"]
    detect: bool
    compare: bool
    stop_at_chin: bool
    runtime: Literal["auto", "openvino", "opencv"]
    precision: Literal["auto", "f32", "bf16", "int8"]
    exact: bool
    min_confidence: float
    on_many: Literal["largest", "best", "reject"]
    size: int
    margin: float
    square: bool
    align: bool
    image_format: Literal["png", "raw", "jpeg"]
    jpeg_quality: int
    max_pixels: int
    photos: int
    seed: int


class StatsKeywords(TypedDict, total=False):
    """The fields of StatsOptions."""

    by: str | Sequence[str]
    preset: Literal[
        "aihub", "folders", "fer2013", "ferplus", "rafdb", "ckplus", "jaffe", "kdef", "kface"
    ]
    pattern: str | None
    table: Path | str | None
    plot: Path | str | None
    repair: bool
    expect: Path | str | None


class SuspectsKeywords(TypedDict, total=False):
    """The fields of SuspectsOptions."""

    folds: int
    max_per_subject: int | None
    size: int
    depth: Literal[8, 14, 26, 50, 101, 152]
    width: int
    epochs: int
    seed: int
    quiet: bool


class EvaluateKeywords(TypedDict, total=False):
    """The fields of EvaluateOptions."""

    split: Literal["test", "validation", "train"]
    weights: Literal["best", "last"]
    batch: int


class PredictKeywords(TypedDict, total=False):
    """The fields of PredictOptions."""

    weights: Literal["best", "last"]


class ReportKeywords(TypedDict, total=False):
    """The fields of ReportOptions."""

    run: Path | str | None
    source: Path | str | None
    photos: bool
    max_photos: int
    quiet: bool


class ExportKeywords(TypedDict, total=False):
    """The fields of ExportOptions."""

    to: Literal["onnx", "savedmodel", "litert"]
    weights: Literal["best", "last"]


class ExportDatasetKeywords(TypedDict, total=False):
    """The fields of ExportDatasetOptions."""

    to: Literal["parquet", "webdataset", "folders"]
    shard_size: str | int
    jobs: int | None
    quiet: bool
