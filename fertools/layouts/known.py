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
_FERPLUS_VOTES: Final = {word: word for word in _FERPLUS_CLASSES.split()} | {
    "unknown": "",
    "nf": "",
}

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

_RAFDB: Final = Preset(
    title="RAF-DB",
    layout="EmoLabel/list_patition_label.txt and Image/aligned/train_00001_aligned.jpg; or "
    "Kaggle's DATASET/train|test/1..7/train_00001_aligned.jpg. Image/original is not read",
    source="Li, Deng, Du 2017, Reliable Crowdsourcing and Deep Locality-Preserving Learning, CVPR",
    pattern=r"^(?!.*(?:^|/)original/)(?:.*/)?(?:(?P<class>[^/]+)/)?"
    r"(?P<name>(?P<split>train|test)_\d+)(?:_aligned)?\.jpe?g$",
    classes=numbered("surprise fear disgust happiness sadness anger neutral", 1),
    tables=(
        Table(r"(?:^|/)list_par?tition_label\.txt$", order=("name", "class")),
        Table(r"(?:^|/)(?:train|test)_labels\.csv$", columns={"image": "name", "label": "class"}),
    ),
    splits=_TRAIN_TEST,
    crops=True,
    people=False,
    sign=r"(?:^|/)(?:train|test)_\d{4,5}_aligned\.jpe?g$|(?:^|/)list_par?tition_label\.txt$",
)

_CKPLUS: Final = Preset(
    title="CK+",
    layout="cohn-kanade-images/S005/001/S005_001_00000011.png and Emotion/S005/001/"
    "S005_001_00000011_emotion.txt: the frames that an emotion file names; or CK+48/anger/"
    "S010_004_00000017.png or ckextended.csv, both with --no-detect",
    source="Lucey et al. 2010, The Extended Cohn-Kanade Dataset (CK+), CVPR Workshops",
    pattern=r"(?:^|/)(?:(?P<class>[a-z]+)/)?(?P<name>(?P<subject>S\d{3})_\d{3}_\d{8})\.png$",
    classes=numbered("neutral anger contempt disgust fear happy sadness surprise"),
    tables=(Table(r"(?:^|/)(?P<name>S\d{3}_\d{3}_\d{8})_emotion\.txt$", order=("class",)),),
    pixels=Pixels(
        ("ckextended.csv",),
        "ck{:07d}.png",
        _FER_COLUMNS,
        ("anger", "disgust", "fear", "happy", "sadness", "surprise", "neutral", "contempt"),
    ),
    splits=_FER_SPLITS,
    sign=r"(?:^|/)S\d{3}_\d{3}_\d{8}(?:_emotion\.txt|\.png)$|(?:^|/)ckextended\.csv$",
)

_JAFFE: Final = Preset(
    title="JAFFE",
    layout="KA.AN1.39.tiff: person, emotion with take, number; ten women",
    source="Lyons et al. 1998, Coding Facial Expressions with Gabor Wavelets, FG",
    pattern=r"(?:^|/)(?P<subject>[A-Z]{2})\.(?P<class>AN|DI|FE|HA|NE|SA|SU)\d?\.\d+\.[a-z]+$",
    classes=numbered("anger disgust fear happiness neutral sadness surprise", None),
    tiff=True,
    sign=r"(?:^|/)[A-Z]{2}\.(?:AN|DI|FE|HA|NE|SA|SU)\d?\.\d+\.[a-z]+$",
)

_KDEF: Final = Preset(
    title="KDEF",
    layout="AF01/AF01ANS.JPG: session A or B, sex F or M, number 01 to 35, emotion, angle",
    source="Lundqvist, Flykt, Öhman 1998, The Karolinska Directed Emotional Faces",
    pattern=r"(?:^|/)[AB](?P<subject>(?P<sex>[FM])\d\d)(?P<class>AF|AN|DI|HA|NE|SA|SU)"
    r"(?:S|HL|HR|FL|FR)\.jpe?g$",
    classes=numbered("afraid angry disgusted happy neutral sad surprised", None),
    sign=r"(?:^|/)[AB][FM]\d\d(?:AF|AN|DI|HA|NE|SA|SU)(?:S|HL|HR|FL|FR)\.jpe?g$",
)

_KFACE: Final = Preset(
    title="K-FACE",
    layout="High|Middle|Low/19062421/S001/L1/E01/C7.jpg: resolution, person, accessory, light, "
    "expression, camera; or 19062421_S001_L1_E01_C7.jpg",
    source="AI-Hub, 한국인 안면 이미지 (K-FACE), dataSetSn 83",
    pattern=r"(?:^|/)(?P<subject>\d{8})[/_]S\d+[/_]L\d+[/_](?P<class>E\d+)[/_]C\d+\.jpe?g$",
    classes=(("중립", "E01"), ("기쁨", "E02"), ("찡그림", "E03")),
    english={"중립": "neutral", "기쁨": "joy", "찡그림": "frown"},
    sign=r"(?:^|/)\d{8}[/_]S\d+[/_]L\d+[/_]E\d+[/_]C\d+\.jpe?g$",
)

#: By the word for --preset, in the order of the list.
PRESETS: Final = MappingProxyType(
    {
        "aihub": _AIHUB,
        "folders": _FOLDERS,
        "fer2013": _FER2013,
        "ferplus": _FERPLUS,
        "rafdb": _RAFDB,
        "ckplus": _CKPLUS,
        "jaffe": _JAFFE,
        "kdef": _KDEF,
        "kface": _KFACE,
    }
)

#: The default.
AIHUB: Final = PRESETS["aihub"]
