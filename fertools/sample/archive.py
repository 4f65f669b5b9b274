"""Archive: everything drawn and written, as layout.py has it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Unpack

from fertools.checking import user_path
from fertools.errors import OutputError
from fertools.keywords import SampleKeywords
from fertools.options import Form, SampleOptions
from fertools.sample.people import EXPRESSIONS
from fertools.sample.photo import face_of, photograph
from fertools.sample.schedule import Schedule, Shot, schedule
from fertools.sample.storage import Folder, StoredZip, cut, label_file, record
from fertools.sample.troubles import Trouble, plant


@dataclass(frozen=True, slots=True)
class Sample:
    """What was written.

    `emotions` counts the proper photos of each; `troubles` the files planted besides, by kind;
    `containers` are the folders, zips and pieces that hold photos, relative to `out`.
    """

    out: Path
    people: int
    photos: int
    emotions: Mapping[str, int]
    troubles: Mapping[str, int]
    containers: tuple[str, ...]

    def __post_init__(self) -> None:
        """Refuse counts that do not add up."""
        if (counted := sum(self.emotions.values())) != self.photos:
            raise ValueError(f"{counted} photos by emotion, {self.photos} in all")

    def __str__(self) -> str:
        """Say it in a line or two, for a terminal."""
        each = ", ".join(f"{emotion} {count}" for emotion, count in self.emotions.items())
        lines = [f"{self.photos} photos of {self.people} drawn people in {self.out}: {each}"]
        if self.troubles:
            kinds = ", ".join(f"{kind} {count}" for kind, count in self.troubles.items())
            lines.append(f"{sum(self.troubles.values())} troubles planted: {kinds}")
        return "\n".join(lines)


def make_sample(
    out: Path | str,
    *,
    progress: Callable[[int, int], None] | None = None,
    **options: Unpack[SampleKeywords],
) -> Sample:
    """Draw people and write an AI-Hub style archive of them into `out`; same seed, same bytes.

    "Same bytes" holds for the same versions of numpy, OpenCV and simplejpeg on one kind of CPU:
    another may round a pixel otherwise.

    progress   called with (files drawn, files to draw) after each
    options    the fields of SampleOptions; of form="zips" one is in pieces

    Raises OutputError where `out` is not an empty or new folder, OptionError where an option is
    out of range.
    """
    wish = SampleOptions.of(options)
    root = _prepared(user_path(out))
    plan = schedule(wish.seed, wish.people, wish.photos)
    pixels = wish.megapixels * 1e6
    planted = plant(wish.seed, plan.training, pixels, int(wish.troubles), wish.form == "folders")
    writer = _Writer(
        root, wish.form, wish.seed, pixels, wish.photos + len(planted), _homes(planted), progress
    )
    containers = [path for batch in batches(plan) for path in writer.photos(batch)]
    for file in label_files(plan):
        writer.labels(file)
    emotions = Counter(shot.session.emotion for shot in plan.training + plan.validation)
    return Sample(
        out=root,
        people=wish.people,
        photos=wish.photos,
        emotions=MappingProxyType({emotion: emotions[emotion] for emotion in EXPRESSIONS}),
        troubles=MappingProxyType(Counter(trouble.kind for trouble in planted)),
        containers=tuple(containers),
    )


@dataclass(slots=True)
class _Writer:
    """Draws and writes one container after the other, and says how far it is."""

    root: Path
    form: Form
    seed: int
    pixels: float
    total: int
    planted: Mapping[str, list[Trouble]]  # by the name of the shot they lie beside
    progress: Callable[[int, int], None] | None
    done: int = 0

    def photos(self, batch: Batch) -> list[str]:
        """Write a container of photos; give the paths it came to, relative to the root."""
        with self._container(batch.path, batch.coding) as container:
            for shot in batch.shots:
                container.add(shot.name, photograph(self.seed, shot, self.pixels))
                self._tick()
            for trouble in (t for shot in batch.shots for t in self.planted[shot.name]):
                container.add(*trouble.file())
                self._tick()
        in_pieces = self.form == "zips" and batch.pieces > 1
        paths = cut(container.path, batch.pieces) if in_pieces else [container.path]
        return [path.relative_to(self.root).as_posix() for path in paths]

    def labels(self, file: LabelFile) -> None:
        """Write a label JSON into its container."""
        seed, pixels = self.seed, self.pixels
        records = [record(seed, shot, face_of(seed, shot, pixels)) for shot in file.shots]
        with self._container(file.path, "cp949") as container:
            container.add(file.name, label_file(records, file.coding))

    def _container(self, path: str, coding: str) -> Folder | StoredZip:
        if self.form == "folders":
            return Folder(self.root / path)
        return StoredZip(self.root / f"{path}.zip", coding)

    def _tick(self) -> None:
        self.done += 1
        if self.progress:
            self.progress(self.done, self.total)


def _homes(planted: list[Trouble]) -> Mapping[str, list[Trouble]]:
    homes: dict[str, list[Trouble]] = defaultdict(list)
    for trouble in planted:
        homes[trouble.shot.name].append(trouble)
    return homes


def _prepared(out: Path) -> Path:
    """Make the folder; one that holds anything is left alone."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        taken = any(out.iterdir())
    except OSError as error:
        raise OutputError(
            f"{out} cannot be written ({error.strerror}): name a new folder"
        ) from error
    if taken:
        raise OutputError(f"{out} is not empty: name a new folder for the sample, or empty it")
    return out


MOST_IN_ONE = 1000  # 16 megapixels are about 2.5 MB: far below the 4 GiB of a plain zip
PIECES = 3
CODINGS = ("cp949", "utf-8")


@dataclass(frozen=True, slots=True)
class Batch:
    """The photos of one container: a path relative to OUT without ".zip", and what goes in.

    `coding` is that of the names in a zip, `pieces` how many it is cut into.
    """

    path: str
    shots: tuple[Shot, ...]
    coding: str = "cp949"
    pieces: int = 1

    def __post_init__(self) -> None:
        """Refuse a container without photos."""
        if not self.shots:
            raise ValueError(f"no photos for {self.path}")


@dataclass(frozen=True, slots=True)
class LabelFile:
    """One label JSON: the container it lies in, its name and coding, the photos it tells of."""

    path: str
    name: str
    coding: str
    shots: tuple[Shot, ...]


def batches(plan: Schedule) -> Iterator[Batch]:
    """Give all containers of photos; the last Training one of the first emotion is in pieces."""
    for emotion, shots in _by_emotion(plan.training):
        count = max(min(2, len(shots)), -(-len(shots) // MOST_IN_ONE))
        for i in range(count):
            last = i == count - 1 and emotion == plan.training[0].session.emotion
            yield Batch(
                f"1.Training/[원천]EMOIMG_{emotion}_TRAIN_{i + 1:02}",
                shots[len(shots) * i // count : len(shots) * (i + 1) // count],
                CODINGS[i % 2],
                PIECES if last else 1,
            )
    for emotion, shots in _by_emotion(plan.validation):
        yield Batch(f"2.Validation/[원천]EMOIMG_{emotion}_VALID", shots)


def label_files(plan: Schedule) -> Iterator[LabelFile]:
    """Give all label files: UTF-8 with BOM for Training, CP949 for Validation."""
    for emotion, shots in _by_emotion(plan.training):
        path = f"1.Training/[라벨]EMOIMG_{emotion}_TRAIN"
        yield LabelFile(path, f"img_emotion_training_data({emotion}).json", "utf-8-sig", shots)
    for emotion, shots in _by_emotion(plan.validation):
        path = f"2.Validation/[라벨]EMOIMG_{emotion}_VALID"
        yield LabelFile(path, f"img_emotion_validation_data({emotion}).json", "cp949", shots)


def _by_emotion(shots: tuple[Shot, ...]) -> Iterator[tuple[str, tuple[Shot, ...]]]:
    for emotion in EXPRESSIONS:
        if mine := tuple(shot for shot in shots if shot.session.emotion == emotion):
            yield emotion, mine
