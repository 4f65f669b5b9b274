"""Copies among people who are not the same: pictures drawn by hand, drawn people, real sitters."""

from __future__ import annotations

import io
import random
import zipfile
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from fertools.data import Fingerprint
from fertools.faces.fingerprint import fingerprint
from fertools.sample.photo import draw_photo
from fertools.sample.schedule import schedule
from fertools.splits.duplicates import (
    Component,
    byte_duplicates,
    find_duplicates,
    find_label_conflicts,
    largest_component,
    picture_duplicates,
    similarity,
)
from fertools.splits.groups import connected_components

Ints = NDArray[np.int64]
Image = NDArray[np.uint8]

NONE: Ints = np.zeros((0, 2), np.int64)


class Album:
    """Thumbnails by row, and which rows were asked for."""

    def __init__(self, thumbnails: Image) -> None:
        self.thumbnails = thumbnails
        self.asked: list[int] = []

    def __call__(self, rows: Ints) -> Image:
        assert rows.tolist() == sorted(set(rows.tolist()))
        self.asked += rows.tolist()
        return self.thumbnails[rows]


def noise(pictures: int, seed: int = 0) -> Image:
    return np.random.default_rng(seed).integers(60, 180, (pictures, 64, 64), dtype=np.uint8)


def hashes_of(*kinds: int) -> Image:
    """Hashes that are equal where the kinds are, and far apart where they are not."""
    drawn = np.random.default_rng(9).integers(1, 256, (max(kinds) + 1, 32), dtype=np.uint8)
    return drawn[list(kinds)]


# The likeness of two pictures.


def test_a_picture_is_like_itself_and_like_no_other() -> None:
    scores = similarity(noise(2), np.array([[0, 0], [0, 1]]))
    assert scores[0] == pytest.approx(1, abs=1e-12)
    assert abs(scores[1]) < 0.1


def test_brightness_and_contrast_do_not_count_but_turning_over_does() -> None:
    one = noise(1)[0]
    pictures = np.stack([one, one + 50, one // 2, 255 - one])
    scores = similarity(pictures, np.array([[0, 1], [0, 2], [0, 3]]))
    assert scores[0] == pytest.approx(1, abs=1e-12)
    assert scores[1] > 0.9
    assert scores[2] == pytest.approx(-1, abs=1e-12)


def test_one_steep_edge_does_not_outweigh_everything() -> None:
    pictures = (noise(2) - 60) // 8
    pictures[:, :, 32:] += 200  # the same window behind two people
    assert similarity(pictures, np.array([[0, 1]]))[0] < 0.5


def test_one_colour_is_like_nothing() -> None:
    black = np.zeros((2, 64, 64), np.uint8)
    assert similarity(black, np.array([[0, 1], [0, 0]])).tolist() == [0, 0]


# From rows to pairs.


def test_equal_bytes() -> None:
    assert byte_duplicates(["a", "b", None, "a", None, "a"]).tolist() == [[0, 3], [0, 5]]
    assert byte_duplicates([]).shape == (0, 2)


def test_a_hash_proposes_and_pixels_decide() -> None:
    thumbnails = noise(4)
    thumbnails[1] = thumbnails[0]
    found = picture_duplicates(hashes_of(0, 0, 1, 1), np.arange(4), Album(thumbnails))
    assert found.tolist() == [[0, 1]]


def test_only_candidates_are_fetched() -> None:
    album = Album(noise(6))
    picture_duplicates(hashes_of(0, 1, 2, 0, 4, 5), np.arange(6), album)
    assert album.asked == [0, 3]
    nobody = Album(noise(3))
    assert picture_duplicates(hashes_of(0, 1, 2), np.arange(3), nobody).shape == (0, 2)
    assert nobody.asked == []


def test_more_pairs_than_fit_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    kinds = [*range(40), *range(40)]
    thumbnails = noise(40)[kinds]
    whole = picture_duplicates(hashes_of(*kinds), np.arange(80), Album(thumbnails))
    assert whole.tolist() == [[i, i + 40] for i in range(40)]
    monkeypatch.setattr("fertools.splits.duplicates.READ_PAIRS", 7)
    monkeypatch.setattr("fertools.splits.duplicates.EDGE_PAIRS", 3)
    pieces = picture_duplicates(hashes_of(*kinds), np.arange(80), Album(thumbnails))
    assert np.array_equal(pieces, whole)


def test_bytes_and_pictures_together_without_repeats() -> None:
    thumbnails = noise(5)[[0, 0, 0, 3, 4]]
    digests = ["a", "a", "b", "c", "c"]
    groups = np.array([0, 1, 2, 3, 3])
    pairs = find_duplicates(hashes_of(0, 0, 0, 3, 4), digests, groups, Album(thumbnails))
    assert pairs.tolist() == [[0, 1], [1, 2], [3, 4]]


def test_conflicts_are_judged_on_whole_sets_of_copies() -> None:
    """V3: a third copy, which agrees with the first, is in the conflict as well."""
    pairs = np.array([[0, 1], [0, 2]])
    assert find_label_conflicts(pairs, np.array([5, 5, 6])).tolist() == [[0, 2], [1, 2], [2, 0]]
    chain = np.array([[0, 1], [1, 2], [2, 3], [4, 5]])
    assert find_label_conflicts(chain, np.array([5, 5, 5, 6, 7, 7])).tolist() == [
        [0, 3],
        [1, 3],
        [2, 3],
        [3, 0],
    ]
    assert find_label_conflicts(np.array([[1, 3]]), np.array([0, 5, 1, 6])).tolist() == [
        [1, 3],
        [3, 1],
    ]
    assert find_label_conflicts(pairs, np.array([5, 5, 5])).shape == (0, 2)
    assert find_label_conflicts(NONE, np.array([5])).shape == (0, 2)


@given(st.lists(st.tuples(st.integers(0, 11), st.integers(0, 11))), st.randoms())
def test_conflicts_do_not_hang_on_which_pairs_tie_a_set(
    ties: list[tuple[int, int]], dice: random.Random
) -> None:
    """V3: every row of a set with two classes, no other, and a witness of another class."""
    classes = np.array([dice.randrange(3) for _ in range(12)])
    sets = connected_components(12, ties)
    found = find_label_conflicts(np.array(ties, np.int64).reshape(-1, 2), classes)
    torn = [s for s in set(sets.tolist()) if len(set(classes[sets == s].tolist())) > 1]
    assert found[:, 0].tolist() == np.flatnonzero(np.isin(sets, torn)).tolist()
    assert (sets[found[:, 0]] == sets[found[:, 1]]).all()
    assert (classes[found[:, 0]] != classes[found[:, 1]]).all()


def test_the_longest_chain() -> None:
    before = np.array([0, 0, 1, 2, 3, 3, 3, 3, 3])
    after = np.array([0, 0, 0, 0, 1, 1, 1, 1, 1])
    assert largest_component(before, after) == Component(groups=3, rows=4)
    assert largest_component(before, before).groups == 1
    assert largest_component(before[:0], after[:0]) == Component(0, 0)


def test_a_chain_is_long_where_many_people_are_tied() -> None:
    people = np.arange(11)
    nobody_apart = np.zeros(11, np.int64)
    assert largest_component(people, nobody_apart).is_implausible
    assert not largest_component(people[:10], nobody_apart[:10]).is_implausible


# Pictures of people.


def saved(image: Image, quality: int) -> Image:
    options = [cv2.IMWRITE_JPEG_QUALITY, quality]
    data = cv2.imencode(".jpg", np.ascontiguousarray(image), options)[1]
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)


def forms(image: Image) -> list[Image]:
    """A quarter of the size, quality 20, brighter by 25, 1.25 times as bright, turned and back."""
    quarter = cv2.resize(image, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
    return [
        saved(np.asarray(quarter, np.uint8), 85),
        saved(image, 20),
        saved(np.asarray(cv2.convertScaleAbs(image, beta=25), np.uint8), 90),
        saved(np.asarray(cv2.convertScaleAbs(image, alpha=1.25), np.uint8), 90),
        np.rot90(saved(np.rot90(image), 85), 3),
    ]


def tied(prints: list[Fingerprint], groups: Ints) -> tuple[Ints, Ints]:
    """The pairs of rows that show one picture, and the group of each row with all ties."""
    hashes = np.stack([np.frombuffer(p.hash, np.uint8) for p in prints])
    thumbnails = np.stack([np.frombuffer(p.thumbnail, np.uint8) for p in prints])
    pairs = picture_duplicates(hashes, groups, Album(thumbnails.reshape(-1, 64, 64)))
    return pairs, connected_components(int(groups.max()) + 1, map(tuple, groups[pairs].tolist()))[
        groups
    ]


def portraits(photos: Path) -> Iterator[tuple[str, Image]]:
    """Who is seen, and the upright photo: 28 sitters, neutral, and 12 of them smiling too."""
    files = [(p.name, p.read_bytes()) for p in sorted(photos.glob("1.Training/*중립*/*.jpg"))]
    smiling = next(photos.glob("1.Training/*기쁨_TRAIN_01.zip"))
    with zipfile.ZipFile(io.BytesIO(smiling.read_bytes())) as held:
        names = [name for name in held.namelist() if name.endswith(".jpg")]
        files += [(name.rpartition("/")[2], held.read(name)) for name in names]
    for name, data in files:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
        yield name.partition("_")[0], np.asarray(image, np.uint8)


@pytest.mark.slow
def test_planted_copies_of_drawn_people_are_tied_and_nobody_else() -> None:
    shots = schedule(5, 40, 600).training
    people = np.unique([shot.session.person.subject for shot in shots], return_inverse=True)[1]
    prints, groups, who = [], people.tolist(), people.tolist()
    images = [draw_photo(5, shot, 2e5) for shot in shots]
    prints = [fingerprint(image) for image in images]
    for source in range(0, len(shots), len(shots) // 12):
        for copy in forms(images[source]):
            prints.append(fingerprint(copy))
            who.append(people[source])
            groups.append(max(groups) + 1)  # somebody else's, and each copy another's
    pairs, after = tied(prints, np.array(groups))
    true = np.array(who)
    assert len(groups) - len(shots) >= 60
    assert (true[pairs[:, 0]] == true[pairs[:, 1]]).all()
    assert (after == after[[groups.index(person) for person in who]]).all()


@pytest.mark.slow
def test_sitters_of_one_studio_are_not_tied_and_their_copies_are(photos: Path) -> None:
    sitters = list(portraits(photos))
    assert len({name for name, _ in sitters}) == 28
    prints = [fingerprint(image) for _, image in sitters]
    apart, _ = tied(prints, np.arange(len(prints)))
    assert apart.tolist() == []  # not even a sitter's smile to the same one's neutral face
    copies = [(row, fingerprint(c)) for row, (_, image) in enumerate(sitters) for c in forms(image)]
    prints += [copy for _, copy in copies]
    true = np.array([*range(len(sitters)), *(row for row, _ in copies)])
    pairs, after = tied(prints, np.arange(len(prints)))
    assert (true[pairs[:, 0]] == true[pairs[:, 1]]).all()
    assert np.array_equal(after, after[true])
