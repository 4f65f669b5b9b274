"""What a training follows: every option of `train` decided.

What is left open is decided by the number of training photos. Half a million photos carry the
talk's ResNet-50, a few hundred do not: docs/training.md has the table, docs/decisions.md what was
tried. A value that is given stays, and the others are chosen as without it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Final, Self

from fertools.checking import Between, flag
from fertools.options import TALK, Augmentation, Depth, Initializer, TrainOptions

#: Training photos from which on a network is that of the defaults of `Recipe`: the talk's size.
MANY: Final = 20_000

#: Images that a network for fewer photos sees, in 20 to 60 epochs.
IMAGES: Final = 16_000

#: Training photos below which batches are halved, since 60 epochs would be too few steps.
FEW: Final = 200

#: The values that may be left open.
OPEN: Final = ("depth", "width", "init", "augment", "epochs", "batch", "learning_rate")


@dataclass(frozen=True, slots=True)
class Recipe(TrainOptions):
    """The options of a training without an open value, as in run.json."""

    depth: Depth = 50
    width: Annotated[int, Between(1, 4096)] = 64
    init: Initializer = "he_normal"
    augment: Augmentation = "talk"
    epochs: Annotated[int, Between(1, 999_999)] = 60
    batch: Annotated[int, Between(1, 2**20)] = 64
    learning_rate: Annotated[float, Between(0, 100)] = 0.0

    @classmethod
    def choose(cls, asked: TrainOptions, photos: int, begun: Recipe | None = None) -> Self:
        """Decide what was left open by the number of training photos.

        begun   the recipe of a training that goes on, from which open values are taken instead
        """
        is_talk = asked.recipe == "talk"
        if begun:
            open_values = begun.flat()
        else:
            open_values = {} if is_talk else by_photos(photos, asked.optimizer)
        given = {name: value for name, value in asked.flat().items() if value is not None}
        return cls.of(open_values | given | (dict(TALK) if is_talk else {}))

    def text(self, asked: TrainOptions, photos: int) -> str:
        """Return one line that states what the photos decided; "" where they decided nothing."""
        names = [name for name in OPEN if getattr(asked, name) is None]
        if self.model:
            names = [name for name in names if name not in ("depth", "width", "init")]
        if self.recipe == "talk" or not names:
            return ""
        values = self.flat() | {"learning_rate": f"{self.peak_rate:g}"}
        chosen = " ".join(f"{flag(name)} {values[name]}" for name in names)
        return f"chosen by {photos:,} training photos: {chosen}"

    @property
    def smoothing(self) -> float:
        """The label smoothing: none for targets that are soft where annotators disagree."""
        return self.label_smoothing if self.soft_labels == "none" else 0.0

    @property
    def peak_rate(self) -> float:
        """The highest learning rate; the optimizer's default if the option is 0."""
        return self.learning_rate or (1e-3 if self.optimizer == "adamw" else 0.1 * self.batch / 256)

    @property
    def decay(self) -> float:
        """The weight decay; the optimizer's default if the option is -1."""
        if self.weight_decay >= 0:
            return self.weight_decay
        return 0.05 if self.optimizer == "adamw" else 1e-4


def by_photos(photos: int, optimizer: str = "adamw") -> dict[str, Any]:
    """Return the values of OPEN for a number of training photos.

    Steps count, not epochs: a few hundred photos in batches of 64 are four steps an epoch.
    """
    if photos >= MANY:
        return {}
    return {
        "depth": 14,
        "width": 16,
        "init": "glorot_uniform",
        "augment": "light",
        "epochs": min(60, max(20, IMAGES // photos)),
        "batch": 16 if photos < FEW else 32,
        "learning_rate": 0.003 if optimizer == "adamw" else 0.0,
    }
