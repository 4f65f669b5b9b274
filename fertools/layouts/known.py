"""The presets there are. Each is data: to add one, see CONTRIBUTING.md."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from fertools.data import Split
from fertools.layouts.preset import Pixels, Preset, Table, numbered

_TRAIN_TEST: Final = {"train": Split.TRAIN, "test": Split.TEST}

_FER_SPLITS: Final = {
    "training": Split.TRAIN,
    "publictest": Split.VALIDATION,
    "privatetest": Split.TEST,
    **_TRAIN_TEST,
}
_FER_NUMBERS: Final = "angry disgust fear happy sad surprise neutral"
_FER_COLUMNS: Final = {"emotion": "class", "usage": "split"}
_FER_FILES: Final = ("fer2013.csv", "icml_face_data.csv", "train.csv")
_FERPLUS_CLASSES: Final = "neutral happiness surprise sadness anger disgust fear contempt"
_FERPLUS_VOTES: Final = {word: word for word in _FERPLUS_CLASSES.split()} | {"unknown": "", "nf": ""}

_AIHUB: Final = Preset(
    title="AI-Hub",
    layout="AI-Hub's names, such as 1076…_여_30_기쁨_도심 환경_20210202151813-008-009.jpg, in zips "
    "or folders; or a folder for each class (docs/quickstart.md)",
    source="AI-Hub, 한국인 감정인식을 위한 복합 영상, dataSetSn 82",
    sign=r"EMOIMG_|_[남여]_\d{1,3}_[^_/]+_.+\.[a-z]{3,4}$",
)

_FOLDERS: Final = Preset(
    title="class folders",
    layout="a folder for each class, CLASS/NAME.jpg or CLASS/PERSON/NAME.jpg, whatever the names "
    "say (docs/quickstart.md)",
)

_FER2013: Final = Preset(
    title="FER2013",
    layout="fer2013.csv (emotion,pixels,Usage), or Kaggle's icml_face_data.csv or train.csv; or "
    "train|test/CLASS/NAME.jpg",
    source="Goodfellow et al. 2013, Challenges in Representation Learning, arXiv:1307.0414",
    pattern=r"(?:(?:^|/)(?P<split>train|test)/(?P<class>[a-z]+)/|(?:^|/))(?P<name>[^/]+)\.[a-z]+$",
    classes=numbered(_FER_NUMBERS),
    pixels=Pixels(_FER_FILES, "fer{:07d}.png", _FER_COLUMNS),
    splits=_FER_SPLITS,
    crops=True,
    people=False,
    sign=r"(?:^|/)(?:fer2013|icml_face_data)\.csv$",
)

_FERPLUS: Final = Preset(
    title="FER+",
    layout="fer2013new.csv (FER+'s ten votes) beside fer2013.csv, or beside the PNG files that "
    "FER+'s own script makes of it (fer0000000.png)",
    source="Barsoum et al. 2016, Training Deep Networks with Crowd-Sourced Label Distribution, "
    "arXiv:1608.01041",
    pattern=r"(?:^|/)(?P<name>fer\d{7})\.png$",
    classes=numbered(_FERPLUS_CLASSES),
    tables=(
        Table(
            file=r"(?:^|/)fer2013new\.csv$",
            columns={"image name": "name", "usage": "split"},
            votes=_FERPLUS_VOTES,
            unnamed="fer{:07d}",
            needed="fer2013new.csv",
        ),
    ),
    pixels=Pixels(
        _FER_FILES,
        "fer{:07d}.png",
        _FER_COLUMNS,
        ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral"),
    ),
    splits=_FER_SPLITS,
    crops=True,
    people=False,
    sign=r"(?:^|/)fer2013new\.csv$",
)

#: By the word for --preset, in the order of the list.
PRESETS: Final = MappingProxyType(
    {
        "aihub": _AIHUB,
        "folders": _FOLDERS,
        "fer2013": _FER2013,
        "ferplus": _FERPLUS,
    }
)

#: The default.
AIHUB: Final = PRESETS["aihub"]
