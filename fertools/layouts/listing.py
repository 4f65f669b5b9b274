"""List the presets, and recognise whose layout an archive has."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Final

from fertools.layouts.known import PRESETS
from fertools.layouts.preset import Preset

_ZIP: Final = re.compile(r".*?\.zip(?=/|\Z)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class PresetList:
    """The presets that there are, by the word for --preset."""

    presets: dict[str, Preset]

    def to_dict(self) -> dict[str, Any]:
        return {word: asdict(preset) for word, preset in self.presets.items()}

    def text(self) -> str:
        return "\n\n".join(_describe(word, preset) for word, preset in self.presets.items())


def presets() -> PresetList:
    """Return the presets of `--preset`, each with the layout that it expects."""
    return PresetList(dict(PRESETS))


def _describe(word: str, preset: Preset) -> str:
    lines = [f"{word}: {preset.title}", f"  layout   {preset.layout}"]
    if preset.classes:
        lines.append(f"  classes  {', '.join(preset.class_names)}")
    photos = "crops of faces, nothing is detected" if preset.crops else "whole photos"
    people = "known" if preset.people else "unknown: a leak between splits cannot be excluded"
    lines += [f"  photos   {photos}", f"  people   {people}"]
    if preset.splits:
        lines.append(f"  official {', '.join(dict.fromkeys(preset.splits.values()))}")
    return "\n".join([*lines, *([f"  source   {preset.source}"] if preset.source else [])])


def recognise(keys: Iterable[str], preset: Preset) -> str:
    """Return what was found instead of a preset's layout, with advice; "" if nothing is known.

    >>> recognise(["AF01/AF01ANS.JPG"], PRESETS["jaffe"])
    "found 1 file of KDEF's naming: try --preset kdef"
    """
    signs = {w: re.compile(each.sign, re.IGNORECASE) for w, each in PRESETS.items() if each.sign}
    found: dict[str, list[str]] = {}
    for key in keys:
        for word, sign in signs.items():
            if PRESETS[word].title != preset.title and sign.search(key):
                found.setdefault(word, []).append(key)
    # Of equal numbers the later one: FER+ is FER2013 with one file more.
    word = max(reversed(PRESETS), key=lambda word: len(found.get(word, ())))
    if word not in found:
        return ""
    zips = {zipped[0] for key in found[word] if (zipped := _ZIP.match(key))}
    count = f"{len(zips or found[word]):,} {'zip' if zips else 'file'}"
    plural = "s" * (len(zips or found[word]) > 1)
    return f"found {count}{plural} of {PRESETS[word].title}'s naming: try --preset {word}"
