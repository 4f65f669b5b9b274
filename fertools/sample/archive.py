"""Draw and write a whole archive in AI-Hub's layout.

    1.Training/[원천]EMOIMG_기쁨_TRAIN_01     photos; as a zip: CP949 names, no UTF-8 flag
    1.Training/[원천]EMOIMG_기쁨_TRAIN_02     photos; as a zip: UTF-8 names, flag, in volumes
    1.Training/[라벨]EMOIMG_기쁨_TRAIN        img_emotion_training_data(기쁨).json
    2.Validation/[원천]EMOIMG_기쁨_VALID      photos; as a zip: CP949 names
    2.Validation/[라벨]EMOIMG_기쁨_VALID      img_emotion_validation_data(기쁨).json

Each of these containers is a folder, or a zip of that name.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final, Unpack

from fertools.checking import user_path
from fertools.errors import OutputError
from fertools.keywords import SampleKeywords
from fertools.options import Form, SampleOptions
from fertools.sample.people import EXPRESSIONS
from fertools.sample.photo import photograph, true_face_box
from fertools.sample.schedule import Schedule, Shot, schedule
from fertools.sample.storage import Folder, StoredZip, label_file, label_record, split_zip
from fertools.sample.troubles import Trouble, choose_troubles

#: Photos in a zip: at about 2.5 MB for 16 megapixels far below the 4 GiB of a zip without zip64.
MAX_CONTAINER_PHOTOS: Final = 1000
VOLUMES: Final = 3
NAME_ENCODINGS: Final = ("cp949", "utf-8")


@dataclass(frozen=True, slots=True)
class Sample:
    """The contents of a drawn archive.

    emotions    number of regular photos by emotion
    troubles    number of planted files by kind
    containers  paths of folders, zips and volumes with photos, relative to `out`
    """

    out: Path
    people: int
    photos: int
    emotions: Mapping[str, int]
    troubles: Mapping[str, int]
    containers: tuple[str, ...]

    def __str__(self) -> str:
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
    """Draw people and write an AI-Hub style archive of their photos into `out`.

    The same seed results in the same bytes with the same versions of numpy, OpenCV and simplejpeg
    on one kind of CPU: another CPU may round a pixel differently.

    progress   called after each file with (files drawn, files to draw)
    options    the fields of SampleOptions: people=12, troubles=2, …

    Raises OutputError if `out` is neither new nor an empty folder, OptionError if an option is out
    of range.
    """
    chosen = SampleOptions.of(options)
    folders = chosen.form == "folders"
    root = _make_empty_folder(user_path(out))
    plan = schedule(chosen.seed, chosen.people, chosen.photos)
    pixels = chosen.megapixels * 1e6
    planted = choose_troubles(chosen.seed, plan.training, pixels, int(chosen.troubles), folders)
    by_shot: dict[str, list[Trouble]] = defaultdict(list)
    for trouble in planted:
        by_shot[trouble.shot.name].append(trouble)
    n_files = chosen.photos + len(planted)
    writer = _Writer(root, chosen.form, chosen.seed, pixels, n_files, by_shot, progress)
    containers = [path for group in photo_containers(plan) for path in writer.write_photos(group)]
    writer.write_labels("1.Training/[라벨]EMOIMG_{}_TRAIN", "training", "utf-8-sig", plan.training)
    writer.write_labels(
        "2.Validation/[라벨]EMOIMG_{}_VALID", "validation", "cp949", plan.validation
    )
    emotions = Counter(shot.session.emotion for shot in plan.training + plan.validation)
    return Sample(
        out=root,
        people=chosen.people,
        photos=chosen.photos,
        emotions=MappingProxyType({emotion: emotions[emotion] for emotion in EXPRESSIONS}),
        troubles=MappingProxyType(Counter(trouble.kind for trouble in planted)),
        containers=tuple(containers),
    )


def _make_empty_folder(out: Path) -> Path:
    """Create the output folder and return it; raise OutputError if it has contents."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        has_contents = any(out.iterdir())
    except OSError as error:
        raise OutputError(
            f"{out} cannot be written ({error.strerror}): name a new folder"
        ) from error
    if has_contents:
        raise OutputError(f"{out} is not empty: name a new folder for the sample, or empty it")
    return out


@dataclass(frozen=True, slots=True)
class PhotoContainer:
    """The photos of one container, and how it is written.

    path      relative to OUT, without ".zip"
    encoding  the encoding of names in a zip
    volumes   the number of volumes of a zip
    """

    path: str
    shots: tuple[Shot, ...]
    encoding: str = "cp949"
    volumes: int = 1


def photo_containers(plan: Schedule) -> Iterator[PhotoContainer]:
    """Yield all containers of photos; the last Training one of the first emotion is in volumes."""
    for emotion, shots in _by_emotion(plan.training):
        count = max(min(2, len(shots)), -(-len(shots) // MAX_CONTAINER_PHOTOS))
        for i in range(count):
            last = i == count - 1 and emotion == plan.training[0].session.emotion
            yield PhotoContainer(
                f"1.Training/[원천]EMOIMG_{emotion}_TRAIN_{i + 1:02}",
                shots[len(shots) * i // count : len(shots) * (i + 1) // count],
                NAME_ENCODINGS[i % 2],
                VOLUMES if last else 1,
            )
    for emotion, shots in _by_emotion(plan.validation):
        yield PhotoContainer(f"2.Validation/[원천]EMOIMG_{emotion}_VALID", shots)


def _by_emotion(shots: tuple[Shot, ...]) -> Iterator[tuple[str, tuple[Shot, ...]]]:
    for emotion in EXPRESSIONS:
        if selected := tuple(shot for shot in shots if shot.session.emotion == emotion):
            yield emotion, selected


@dataclass(slots=True)
class _Writer:
    """A writer of containers: it draws their photos and reports progress."""

    root: Path
    form: Form
    seed: int
    pixels: float
    n_files: int
    troubles: Mapping[str, list[Trouble]]  # by shot name; written to the container of the shot
    progress: Callable[[int, int], None] | None
    n_drawn: int = 0

    def write_photos(self, group: PhotoContainer) -> list[str]:
        """Write a container of photos; return the paths of its files, relative to `root`."""
        with self._open(group.path, group.encoding) as container:
            for shot in group.shots:
                container.add(shot.name, photograph(self.seed, shot, self.pixels))
                self._count_file()
            for trouble in (t for shot in group.shots for t in self.troubles.get(shot.name, ())):
                container.add(*trouble.file())
                self._count_file()
        in_volumes = self.form == "zips" and group.volumes > 1
        paths = split_zip(container.path, group.volumes) if in_volumes else [container.path]
        return [path.relative_to(self.root).as_posix() for path in paths]

    def write_labels(self, path: str, half: str, encoding: str, shots: tuple[Shot, ...]) -> None:
        """Write one container with a label file for each emotion of a half of the archive."""
        for emotion, group in _by_emotion(shots):
            records = [
                label_record(self.seed, shot, true_face_box(self.seed, shot, self.pixels))
                for shot in group
            ]
            with self._open(path.format(emotion), "cp949") as container:
                name = f"img_emotion_{half}_data({emotion}).json"
                container.add(name, label_file(records, encoding))

    def _open(self, path: str, encoding: str) -> Folder | StoredZip:
        if self.form == "folders":
            return Folder(self.root / path)
        return StoredZip(self.root / f"{path}.zip", encoding)

    def _count_file(self) -> None:
        self.n_drawn += 1
        if self.progress:
            self.progress(self.n_drawn, self.n_files)
