"""What a user may choose about a training, checked where it is made."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Final, Literal, get_args

from fertools.errors import OptionError
from fertools.training.checks import of_kind, shown

Init = Literal["he_normal", "glorot_uniform"]
Head = Literal["gap", "flatten"]
Augment = Literal["talk", "light", "none"]
Mix = Literal["none", "mixup", "erasing"]
Stretch = Literal["always", "train", "never"]
Optimizer = Literal["adamw", "sgd"]
Precision = Literal["auto", "float32", "bfloat16"]

#: Blocks in each stage, by the depth that the network is known by: 3 layers a block, stem, head.
DEPTHS: Final = {
    8: (1, 1),
    14: (1, 1, 1, 1),
    26: (2, 2, 2, 2),
    50: (3, 4, 6, 3),
    101: (3, 4, 23, 3),
    152: (3, 8, 36, 3),
}


@dataclass(frozen=True, slots=True)
class TrainOptions:
    """Every choice that changes what a network learns; the seed and the dataset are beside it.

    depth            layers of the ResNet: 8, 14, 26, 50, 101 or 152
    width            channels of its first stage; 64 is the textbook's
    init             kernels: he_normal for ReLU, or Keras' own glorot_uniform
    zero_gamma       begin every residual block as the identity (Goyal et al. 2017, 5.1)
    head             global average pooling, or the talk's flatten
    head_units       a Dense layer of so many units before the classifier; 0 for none
    model            "module:function" to make another network: function(size, classes) gives a
                     keras.Model from images in -1 to 1, (size, size, 1), to logits
    augment          the talk's generator, a light one without noise, or none
    mix              mixup (Zhang et al. 2018), random erasing (Zhong et al. 2020), or none
    stretch          each image's grays to 0..255: always, in training only as in the talk, never
    epochs, batch    how often, and how many images a step
    optimizer        AdamW, or SGD with Nesterov momentum 0.9
    learning_rate    at its highest; 0 stands for 0.001 (adamw), 0.1 × batch / 256 (sgd)
    weight_decay     decoupled from the gradient; -1 stands for 0.05 (adamw), 0.0001 (sgd)
    warmup           share of the steps in which the rate rises; then it falls as a cosine
    label_smoothing  0 to 1, less than 1
    soft_labels      learn the annotators' votes instead of the name's class
    balance          weigh classes by the inverse of their number
    precision        auto is bfloat16 on a GPU and float32 elsewhere

    Raises OptionError for a value of another type or out of range.
    """

    depth: int = 50
    width: int = 64
    init: Init = "he_normal"
    zero_gamma: bool = False
    head: Head = "gap"
    head_units: int = 0
    model: str = ""
    augment: Augment = "talk"
    mix: Mix = "none"
    stretch: Stretch = "always"
    epochs: int = 60
    batch: int = 64
    optimizer: Optimizer = "adamw"
    learning_rate: float = 0.0
    weight_decay: float = -1.0
    warmup: float = 0.05
    label_smoothing: float = 0.1
    soft_labels: bool = False
    balance: bool = False
    precision: Precision = "auto"

    def __post_init__(self) -> None:
        for field in fields(self):
            kind: Any = type(field.default)
            value = of_kind(field.name, getattr(self, field.name), kind)
            object.__setattr__(self, field.name, value)  # a NumPy number becomes Python's
        for name, choice in _CHOICES.items():
            self._check(name, getattr(self, name) in get_args(choice), _listed(get_args(choice)))
        self._check("depth", self.depth in DEPTHS, _listed(DEPTHS))
        for name, most in _MOST.items():
            least = 0 if name == "head_units" else 1
            value = getattr(self, name)
            self._check(name, least <= value <= most, f"from {least} to {most}")
        self._check("model", not self.model or ":" in self.model[1:-1], "module:function")
        self._check("learning_rate", 0 <= self.learning_rate <= 100, "from 0 to 100")
        self._check(
            "weight_decay", self.weight_decay == -1 or 0 <= self.weight_decay <= 1, "0 to 1"
        )
        self._check("warmup", 0 <= self.warmup < 1, "from 0 to less than 1")
        self._check("label_smoothing", 0 <= self.label_smoothing < 1, "from 0 to less than 1")

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> TrainOptions:
        """Return a recipe of options by the names of its fields; OptionError for another name."""
        names = [field.name for field in fields(cls)]
        for unknown in options.keys() - set(names):
            near = difflib.get_close_matches(unknown, names, 1)
            hint = f": did you mean {near[0]}?" if near else ""
            raise OptionError(f"there is no option {unknown}{hint}")
        return cls(**options)

    def flat(self) -> dict[str, Any]:
        """Return the options by their names, as JSON would."""
        return asdict(self)

    @property
    def peak_rate(self) -> float:
        """The highest learning rate, chosen where it was left open."""
        return self.learning_rate or (1e-3 if self.optimizer == "adamw" else 0.1 * self.batch / 256)

    @property
    def decay(self) -> float:
        """The weight decay, chosen where it was left open."""
        if self.weight_decay >= 0:
            return self.weight_decay
        return 0.05 if self.optimizer == "adamw" else 1e-4

    def _check(self, name: str, good: bool, meant: str) -> None:
        if not good:
            raise OptionError(f"{name} is {shown(getattr(self, name))}; it must be {meant}")


#: The largest values that can be meant: six digits of an epoch stand in file names, and images of
#: a step are counted in int32.
_MOST: Final = {"width": 4096, "head_units": 2**16, "epochs": 999_999, "batch": 2**20}

_CHOICES: Final[dict[str, Any]] = {
    "init": Init,
    "head": Head,
    "augment": Augment,
    "mix": Mix,
    "stretch": Stretch,
    "optimizer": Optimizer,
    "precision": Precision,
}


def _listed(values: Any) -> str:
    return "one of " + ", ".join(map(str, values))
