"""What the network learns of a photo: its label, or what the annotators said of it.

    rule        target of a photo (classes,)
    none        1 for the label's class, smoothed by --label-smoothing
    votes       each class's share of the annotators' votes
    majority    1 for the class of most annotators, at least two; on a tie the label's
    posterior   probability of each class given votes and uploader, by Dawid and Skene's model
                of annotators who err (`votes.dawid_skene`), fitted on train alone

A photo without votes is learned by its label. Targets other than the label's are not smoothed: they
are soft where annotators disagree. Validation is always measured against the label, so that runs
of different rules can be compared, and their epochs are chosen alike. In a dataset of format 1 the
votes include the uploader's word, which cannot be told from the others.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np

from fertools.errors import OptionError
from fertools.options import SoftLabels
from fertools.training.data import DatasetSplit, in_order
from fertools.votes.dawid_skene import DawidSkene, fit

_NOTE: Final = "not smoothed (in datasets of format 1 the uploader's word is one of the votes)"

#: The rules in words, for run.json and the model card.
RULES: Final[dict[SoftLabels, str]] = {
    "none": "the photo's label, smoothed by label_smoothing",
    "votes": f"each class's share of the annotators' votes; the label without votes; {_NOTE}",
    "majority": "the class that most annotators chose, at least two; the label on a tie and "
    f"without votes; {_NOTE}",
    "posterior": "the probability of each class given the annotators' votes and the uploader's "
    "word, by the model of Dawid and Skene (1979), fitted on train alone; the label without "
    f"votes; {_NOTE}",
}

#: Examples that are read at once where only votes are wanted.
_READ: Final = 4096


@dataclass(frozen=True, slots=True)
class Targets:
    """A rule for one dataset; a call returns the targets of a batch.

    model   what was fitted on train, only for the rule "posterior"
    """

    rule: SoftLabels
    classes: int
    features: tuple[str, ...] = ("label",)
    model: DawidSkene | None = None

    @classmethod
    def of(cls, rule: SoftLabels, train: DatasetSplit) -> Self:
        """Prepare a rule for a dataset; "posterior" reads the votes of train.

        Raises OptionError where the dataset has no votes.
        """
        manifest = train.manifest
        classes = len(manifest.classes)
        if rule == "none":
            return cls(rule, classes)
        check_votes(rule, train)
        if rule != "posterior":
            return cls(rule, classes, ("label", "votes"))
        said = ("votes", "uploader") if manifest.uploader else ("votes",)
        return cls(rule, classes, ("label", *said), _fit(train, said))

    def __call__(self, label: Any, votes: Any = None, uploader: Any = None) -> Any:
        """Return float32 (N, classes) for int64 (N,), (N, classes), (N,): values of `features`."""
        import tensorflow as tf

        one_hot = tf.one_hot(label, self.classes, dtype=tf.float32)
        if votes is None:
            return one_hot
        counts = tf.cast(votes, tf.float32)
        if self.model:
            known, soft = tf.reduce_sum(counts, 1) > 0, self._posterior(counts, uploader)
        elif self.rule == "majority":
            most = tf.reduce_max(counts, 1, keepdims=True)
            soft = tf.cast(counts == most, tf.float32)
            known = (tf.reduce_sum(soft, 1) == 1) & (most[:, 0] > 1)
        else:
            total = tf.reduce_sum(counts, 1, keepdims=True)
            known, soft = total[:, 0] > 0, counts / tf.maximum(total, 1.0)
        return tf.where(known[:, tf.newaxis], soft, one_hot)

    def _posterior(self, counts: Any, uploader: Any) -> Any:
        """Do what `DawidSkene.posterior` does, on the device: float32 (N, classes)."""
        import tensorflow as tf

        assert self.model is not None
        with np.errstate(divide="ignore"):  # log(0) = -inf is a posterior of 0
            priors, annotator = np.log(self.model.priors), np.log(self.model.annotator)
        scores = tf.constant(priors, tf.float32) + tf.matmul(
            counts, tf.constant(annotator.T, tf.float32)
        )
        if uploader is not None and self.model.uploader is not None:
            said = tf.one_hot(uploader, self.classes, dtype=tf.float32)  # -1 gives zeros
            scores += tf.matmul(said, tf.constant(np.log(self.model.uploader).T, tf.float32))
        return tf.nn.softmax(scores)


def check_votes(rule: SoftLabels, split: DatasetSplit) -> None:
    """Raise OptionError where a rule needs votes and the dataset has none."""
    if rule != "none" and not split.manifest.votes:
        raise OptionError(
            f"{split.out} holds no votes: leave --soft-labels out, or build the dataset "
            "with its annotators' votes"
        )


def _fit(train: DatasetSplit, said: tuple[str, ...]) -> DawidSkene:
    """Fit the model on a split; `said` names the features to read."""
    batches = in_order(train, said, cache=False).batch(_READ).as_numpy_iterator()
    columns = [np.concatenate(parts) for parts in zip(*batches, strict=True)]
    try:
        return fit(*columns)
    except ValueError:  # no photo has a vote
        raise OptionError(
            f"no photo of {train.name} in {train.out} has votes: leave --soft-labels out"
        ) from None
