"""State the facts about a dataset as sentences, from its manifest alone.

README.md, croissant.json and the cards of exports take their words from here, so that they cannot
contradict each other. Sentences are plain text, names in them are escaped (`printable`), and equal
manifests have equal sentences: no date, no path. A fact that an older manifest does not record is
left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from fertools.console import name_pair, percent
from fertools.dataset.manifest import WORK_DIR, Manifest
from fertools.dataset.report import DatasetReport
from fertools.errors import printable
from fertools.layouts.known import PRESETS
from fertools.layouts.preset import Preset

AIHUB_TERMS: Final = "https://aihub.or.kr/intrcn/guid/usagepolicy.do"

PURPOSE: Final = "To train and to test networks that name the expression of a face."

#: What the dataset is not for, a sentence each.
MISUSES: Final = (
    "Not to infer emotions of people at work or in education, which the European Union prohibits "
    "(Regulation (EU) 2024/1689, Article 5(1)(f)), and not to decide about people.",
    "Not to identify or to track anybody.",
    "Not to claim what somebody feels: a label says which expression was acted or seen.",
)

PERSONAL: Final = (
    "The crops are photos of faces, hence personal data, and sex, age and emotion are stored with "
    "them: nobody may be identified."
)

MAINTENANCE: Final = "The same archive, options and versions give the same bytes again."

#: What developers who hold AI-Hub's archive have published about it, by class: the share of the
#: photos whose name a majority of the three annotators confirms, in percent.
_AIHUB_AGREEMENT: Final = {"기쁨": 97.5, "중립": 94.6, "당황": 77.5, "불안": 37.8}

#: What the features of an example are.
_FEATURES: Final = {
    "label": "the class, as a number from 0",
    "key": "the photo, as a pseudonym (its plain name with --keep-names)",
    "subject": "the person, likewise; empty if the name states none",
    "sex": "as the name states it: 남 (male), 여 (female), or empty",
    "age": "as the name states it: the decade, or -1",
    "box": "x0, y0, x1, y1 of the face in pixels of the upright photo, not of the crop",
    "confidence": "how sure the detector is, 0 to 1",
    "votes": "how many annotators chose each class, in the order of the labels",
    "uploader": "the class that the uploader of the photo stated, or -1",
}

_SEXES: Final = {"남": "male", "여": "female"}


def people(manifest: Manifest) -> int:
    """Return the number of people; 0 if it is not known, also because splits share people."""
    total = sum(contents.subjects for contents in manifest.splits.values())
    return 0 if manifest.proof.overlap else total


def preset(manifest: Manifest) -> Preset | None:
    """Return the preset that the archive was read with, None for a layout of the user's own."""
    options = manifest.options
    if options.get("pattern") or options.get("table"):
        return None
    name = "folders" if options.get("classes") == "folders" else options.get("preset", "aihub")
    known = PRESETS.get(str(name))
    return None if known is PRESETS["folders"] else known


def is_aihub(manifest: Manifest) -> bool:
    """Whether the archive has AI-Hub's layout and its classes."""
    return preset(manifest) is PRESETS["aihub"]


# What and from where ------------------------------------------------------------------------------


def summary(manifest: Manifest) -> str:
    """Return two sentences: what the dataset holds, and which version built it."""
    size, kind = manifest.image.size, manifest.image.format.upper()
    number, augmented = people(manifest), manifest.proof.augmented
    copies = f", {augmented:,} of them augmented copies," if augmented else ""
    of_people = f" of {count(number, 'person')}" if number else ""
    votes = ", with the votes of annotators" if manifest.votes else ""
    return (
        f"{manifest.examples:,} gray crops of faces{copies}{of_people}, {size} × {size} pixels "
        f"({kind}), in {len(manifest.classes)} classes of facial expression{votes}. "
        f"Built with fertools {manifest.fertools}."
    )


def features(manifest: Manifest) -> Iterator[tuple[str, str]]:
    """Yield the features of an example, each with what it is."""
    size, kind = manifest.image.size, manifest.image.format.upper()
    image = f"the crop: {kind}, {size} × {size}, one channel, uint8"
    for feature in manifest.features:
        yield feature.name, image if feature.name == "image" else _FEATURES[feature.name]


def people_apart(manifest: Manifest) -> str:
    """Return a sentence: whether any person is in more than one split."""
    overlap, unknown = manifest.proof.overlap, manifest.unknown_people
    if overlap:
        more = "is" if overlap == 1 else "are"
        who = f"{count(overlap, 'person')} {more} in more than one split"
        return f"{who}: figures of test are too good."
    if unknown:
        who = f"Of {count(unknown, 'photo')} it is not known whom they show"
        return f"{who}: figures of test may be too good."
    return "No person is in more than one split."


def source(manifest: Manifest) -> str:
    """Return the origin of the photos: data set, number of entries, fingerprint of the archive."""
    known = preset(manifest)
    origin = f"the layout of {_title(known)}" if known else "an archive of unrecorded origin"
    return (
        f"Photos in {origin}: {manifest.counts.members:,} entries. Fingerprint of the list of "
        f"entries: {manifest.source}. Who took them, when, and what the people in them agreed to "
        "is not recorded here: ask their source."
    )


def citation(manifest: Manifest) -> str:
    """Return a line to cite the dataset by."""
    known = preset(manifest)
    origin = f", from {_title(known)}" if known else ""
    return (
        f"{manifest.name} {manifest.version}{origin}, built with fertools {manifest.fertools}; "
        f"archive {manifest.source}"
    )


def _title(known: Preset) -> str:
    return known.source if known.title in known.source else f"{known.title} ({known.source})"


def terms(manifest: Manifest) -> str:
    """Return a sentence or two about the terms of use of the photos."""
    if is_aihub(manifest):
        return (
            "AI-Hub's terms of use forbid passing its photos on, and crops are photos. They "
            f"forbid identifying people as well: {AIHUB_TERMS}"
        )
    known = preset(manifest)
    of = f"of {known.title}" if known else "of the archive"
    return f"The terms {of} hold for the crops as well: crops are photos."


def pseudonyms(manifest: Manifest) -> str:
    """Return whether keys and subjects in the shards are pseudonyms or plain names."""
    if manifest.options.get("keep_names"):
        return (
            "Keys and subjects in the shards are plain file names and subject ids, because "
            "--keep-names was given: do not give these shards away."
        )
    return (
        "Keys and subjects in the shards are pseudonyms: 32 hex digits, keyed with a secret that "
        f"stays in {WORK_DIR}. Who has the same archive can compute it, unless --salt-file was "
        "given."
    )


# How good it is -----------------------------------------------------------------------------------


def split_proof(manifest: Manifest) -> Iterator[str]:
    """Yield the figures that show whether splits leak, as `fertools stats` prints them."""
    report = DatasetReport(Path(), manifest)
    lines = (*report.leakage_lines(), *map(printable, manifest.warnings))
    yield from (f"{line.strip()[:1].upper()}{line.strip()[1:].rstrip('.')}." for line in lines)


def annotation(manifest: Manifest) -> str:
    """Return a sentence: how many labels a photo has, and who gave them."""
    if not manifest.votes:
        return "One label a photo, by its name or folder; no votes of annotators."
    slots = (
        "three annotators a photo, and the word of who uploaded it, which is no vote"
        if is_aihub(manifest)
        else "the votes of several annotators a photo"
    )
    return f"The archive has label records: {slots}."


def agreement(manifest: Manifest) -> Iterator[tuple[str, int, str, str]]:
    """Yield for each emotion in names: its name, photos with a label record, and the shares of
    these that a majority of the annotators, and all of them, confirm."""
    report = DatasetReport(Path(), manifest)
    for name, (records, two, three) in sorted(manifest.proof.agreement.items()):
        shares = percent(two, records), percent(three, records)
        yield report.names_of(name), records, *shares


def label_noise(manifest: Manifest) -> Iterator[str]:
    """Yield what is known about wrong labels, the agreement by class apart."""
    found = manifest.reliability
    if "alpha" in found:
        yield (
            f"Two votes for one photo agree in {100 * found['pairs']:.1f} %; Krippendorff's α is "
            f"{found['alpha']:.3f} (1 is perfect, 0 is chance), over all photos with a record."
        )
    if manifest.proof.unlabelled:
        yield f"{manifest.proof.unlabelled:,} photos have no label record."
    if is_aihub(manifest):
        shares = ", ".join(f"{share} % of {name}" for name, share in _AIHUB_AGREEMENT.items())
        yield (
            "In general, as developers who hold AI-Hub's archive have published: a majority of "
            f"the three annotators confirms the name of {shares}."
        )
    if not manifest.votes:
        yield "Without votes it is not known how many labels are wrong."


def biases(manifest: Manifest) -> Iterator[str]:
    """Yield how unequally the dataset covers classes, sexes and ages."""
    photos = DatasetReport(Path(), manifest).photos().values()
    totals = [sum(own[entry.name] for own in photos) for entry in manifest.classes]
    yield f"Photos of a class: {min(totals):,} to {max(totals):,}."
    yield from (
        f"{name}: {count(own, 'photo')} of {count(number, 'person')}."
        for name, own, number in groups(manifest)
    )
    if is_aihub(manifest):
        yield "People in Korea, phone photos; expressions were acted."


def groups(manifest: Manifest) -> Iterator[tuple[str, int, int]]:
    """Yield groups of people such as "남 male" and "age 20": name, photos, people.

    Where no name states a sex, or an age, there are no such groups.
    """
    for heading in ("sex", "age"):
        found = manifest.groups.get(heading, {})
        for name, (photos, number) in sorted(found.items()) if any(found) else ():
            yield _group_name(heading, name), photos, number


def _group_name(heading: str, name: str) -> str:
    if not name:
        return f"{heading} unknown"
    return name_pair(name, _SEXES.get(name, name)) if heading == "sex" else f"{heading} {name}"


def count(number: int, word: str) -> str:
    """Return a number with its noun: "1 person", "12 people"."""
    plural = {"person": "people"}.get(word, f"{word}s")
    return f"{number:,} {word if number == 1 else plural}"


def limitations(manifest: Manifest) -> Iterator[str]:
    """Yield what the dataset cannot show."""
    yield people_apart(manifest)
    yield "Photos in which no face was found are left out: hard poses and light are rarer here."
    yield "Acted and spontaneous expressions differ; figures hold for people like these."
