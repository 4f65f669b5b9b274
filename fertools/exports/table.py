"""The features of an example as columns of a table, in the order of tensorflow-datasets."""

from __future__ import annotations

from typing import Any

from fertools.dataset.example import Example, Feature
from fertools.dataset.manifest import Manifest


def value(example: Example, feature: Feature) -> Any:
    """Return the value of a feature: bytes, text, a number or a list of numbers."""
    found = getattr(example, feature.name)
    if feature.name == "box":
        return [found.x0, found.y0, found.x1, found.y1]
    return list(found) if feature.length else found


def provenance(example: Example, manifest: Manifest) -> dict[str, Any]:
    """Return all features but the image by name, with the name of the class after the label."""
    _, label, *others = manifest.features
    head = {label.name: example.label, "class": manifest.classes[example.label].name}
    return head | {feature.name: value(example, feature) for feature in others}
