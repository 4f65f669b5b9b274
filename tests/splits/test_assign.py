from __future__ import annotations

from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from fertools.errors import SplitError
from fertools.options import Ratios
from fertools.splits.assign import assign, assign_photos
from fertools.splits.measures import deviation, overlapping_groups
from tests.splits.archive import AGES, CLASSES, SEXES, Table, drawn

Ints = NDArray[np.int64]
TENTHS = Ratios(80, 10, 10)


def rows(people: dict[str, str]) -> Table:
    """A table from each person's photos, a letter a photo: {"kim": "aab", …}."""
    groups = [i for i, photos in enumerate(people.values()) for _ in photos]
    classes = [ord(letter) - ord("a") for photos in people.values() for letter in photos]
    none = np.zeros((len(groups), 0), dtype=np.int64)
    return Table(np.array(groups, np.int64), np.array(classes, np.int64), list(people), none)


def by_person(table: Table, splits: NDArray[np.int8]) -> dict[str, int]:
    return {table.group_keys[g]: int(s) for g, s in zip(table.groups, splits, strict=True)}


def split(table: Table, ratios: Ratios = TENTHS, seed: int = 1) -> NDArray[np.int8]:
    return assign(
        table.groups,
        table.classes,
        ratios,
        group_keys=table.group_keys,
        seed=seed,
        attributes=table.attributes,
    )


# Eight people, by hand.


def test_the_one_who_has_most_goes_to_the_largest_split() -> None:
    table = rows({"kim": "aaaaaaaa", "lee": "a", "cho": "a"})
    assert by_person(table, split(table))["kim"] == 0
    assert sorted(split(table)) == [0] * 8 + [1, 2]


def test_two_kinds_of_people_are_in_every_split() -> None:
    people = {f"a{i}": "aaa" for i in range(4)} | {f"b{i}": "bbb" for i in range(4)}
    table = rows(people)
    found = by_person(table, split(table, Ratios(2, 1, 1)))
    for kind in "ab":
        assert sorted(s for name, s in found.items() if name[0] == kind) == [0, 0, 1, 2]


def test_one_who_is_not_alike_balances_another() -> None:
    table = rows({"kim": "aab", "lee": "abb", "cho": "aaabbb"})
    found = by_person(table, split(table, Ratios(1, 1, 0)))
    assert found["kim"] == found["lee"] != found["cho"]


def test_trades_mend_what_the_largest_first_gets_wrong() -> None:
    # 5 and 4 part first, 3 3 3 follow: 5 + 3 against 4 + 3 + 3. Even is 5 + 4 against 3 + 3 + 3.
    table = rows({"p": "aaaaa", "q": "aaaa", "r": "aaa", "s": "aaa", "t": "aaa"})
    for seed in range(10):
        assert np.bincount(split(table, Ratios(1, 0, 1), seed)).tolist() == [9, 0, 9]


# What holds for everything.

letters = st.text("abcd", min_size=1, max_size=8)
archives = st.lists(letters, min_size=3, max_size=25).map(
    lambda texts: rows({f"person {i}": text for i, text in enumerate(texts)})
)
ratios = st.tuples(*[st.integers(0, 9)] * 3).filter(any).map(lambda three: Ratios(*three))


@given(archives, ratios, st.integers(0, 99))
def test_nobody_straddles_and_exactly_the_asked_splits_are_filled(
    table: Table, ratios: Ratios, seed: int
) -> None:
    splits = split(table, ratios, seed)
    assert overlapping_groups(table.groups, splits) == 0
    assert splits.shape == table.groups.shape
    assert set(splits.tolist()) == set(np.flatnonzero(ratios.shares).tolist())


@given(archives, ratios, st.randoms(use_true_random=False))
def test_neither_the_order_of_rows_nor_the_numbers_of_groups_matter(
    table: Table, ratios: Ratios, chance: Random
) -> None:
    turned = list(range(len(table.groups)))
    chance.shuffle(turned)
    number = list(range(len(table.group_keys)))
    chance.shuffle(number)
    order = [""] * len(number)
    for old, new in enumerate(number):
        order[new] = table.group_keys[old]
    other = Table(
        np.array(number)[table.groups][turned], table.classes[turned], order, table.attributes
    )
    assert split(other, ratios).tolist() == split(table, ratios)[turned].tolist()


def test_another_seed_gives_another_split() -> None:
    table = drawn(1, people=60, photos=2000)
    assert len({split(table, seed=seed).tobytes() for seed in range(5)}) == 5


def test_a_person_without_photos_changes_nothing() -> None:
    table = drawn(1, people=60, photos=2000)
    more = table._replace(groups=table.groups + 1, group_keys=["nobody", *table.group_keys])
    assert split(more).tolist() == split(table).tolist()


def test_fewer_people_than_splits_are_refused_with_a_cure() -> None:
    table = rows({"kim": "aaaa", "lee": "abab"})
    with pytest.raises(SplitError, match="2 subjects cannot fill 3 splits at 80/10/10: add"):
        split(table)
    assert sorted(by_person(table, split(table, Ratios(80, 0, 20))).values()) == [0, 2]


def test_no_photos_are_refused() -> None:
    with pytest.raises(SplitError, match="0 subjects"):
        split(rows({}))


def test_a_class_below_zero_is_refused() -> None:
    with pytest.raises(ValueError, match="-1"):
        assign(
            np.arange(3),
            np.array([0, -1, 0]),
            TENTHS,
            group_keys=["a", "b", "c"],
            seed=1,
            attributes=np.zeros((3, 0), np.int64),
        )


def test_one_key_for_two_people_is_refused() -> None:
    with pytest.raises(ValueError, match="3 keys, but only 2"):
        assign(
            np.arange(3),
            np.zeros(3, np.int64),
            TENTHS,
            group_keys=["a", "b", "a"],
            seed=1,
            attributes=np.zeros((3, 0), np.int64),
        )


# At the archive's shape.


def worst(codes: Ints, splits: NDArray[np.int8], ratios: Ratios, n: int) -> float:
    return float(np.abs(deviation(codes, splits, ratios, n)).max())


@pytest.mark.parametrize("text", ["80/10/10", "62.5/12.5/25", "70/30/0"])
@pytest.mark.parametrize("seed", range(3))
def test_at_the_archives_shape_classes_sexes_and_ages_keep_to_the_ratios(
    seed: int, text: str
) -> None:
    table, ratios = drawn(seed), Ratios.parse(text)
    splits = split(table, ratios, seed)
    assert overlapping_groups(table.groups, splits) == 0
    assert worst(table.classes, splits, ratios, CLASSES) <= 0.03
    assert worst(table.attributes[:, 0], splits, ratios, SEXES) <= 1
    assert worst(table.attributes[:, 1], splits, ratios, AGES) <= 1


def test_large_and_small_people_are_in_every_split() -> None:
    table = drawn(0)
    splits = split(table)
    people = [len(np.unique(table.groups[splits == s])) for s in range(3)]
    assert people[1] > 40
    assert people[2] > 40


def test_the_unknown_do_not_count() -> None:
    table = drawn(0)
    unknown = split(table._replace(attributes=np.full_like(table.attributes, -1)))
    assert unknown.tolist() == split(table._replace(attributes=table.attributes[:, :0])).tolist()


def test_half_of_the_people_unknown() -> None:
    table = drawn(0)
    also = np.where(table.groups[:, None] % 2 == 0, table.attributes, -1)
    splits = split(table._replace(attributes=also))
    known = also[:, 0] >= 0
    assert worst(also[known][:, 0], splits[known], TENTHS, SEXES) <= 2


@settings(max_examples=20)
@given(st.integers(0, 10_000), ratios)
def test_by_image_every_class_is_exact_to_the_photo(seed: int, ratios: Ratios) -> None:
    rng = np.random.default_rng(seed)
    classes = rng.choice(CLASSES, 500, p=rng.dirichlet(np.ones(CLASSES)))
    also = rng.integers(-1, 3, (500, 2))
    order = [f"{i}.jpg" for i in range(500)]
    splits = assign(np.arange(500), classes, ratios, group_keys=order, seed=seed, attributes=also)
    for label in range(CLASSES):
        photos = np.bincount(splits[classes == label], minlength=3)
        quota = ratios.shares * (classes == label).sum()
        assert (np.abs(photos - quota) < 1 + 1e-6).all()
    total = np.bincount(splits, minlength=3)
    assert (np.abs(total - ratios.shares * 500) < 3).all()


@settings(max_examples=40)
@given(st.integers(0, 10_000), st.integers(0, 60), ratios)
def test_photos_alone_are_assigned_as_groups_of_one(seed: int, count: int, ratios: Ratios) -> None:
    """Issue 10, item 11: the lighter way gives what `assign` gives."""
    classes = np.random.default_rng(seed).integers(0, 4, count)
    keys = [f"{i}.jpg" for i in range(count)]
    order = [f"photo {key}" for key in keys]
    none = np.zeros((count, 0), np.int64)
    try:
        whole = assign(
            np.arange(count), classes, ratios, group_keys=order, seed=seed, attributes=none
        )
    except SplitError:
        with pytest.raises(SplitError):
            assign_photos(classes, ratios, keys=keys, seed=seed)
        return
    assert assign_photos(classes, ratios, keys=keys, seed=seed).tolist() == whole.tolist()


def test_single_photos_fill_what_large_groups_leave() -> None:
    people = {"kim": "a" * 70} | {f"photo {i}": "a" for i in range(30)}
    table = rows(people)
    assert np.bincount(split(table)).tolist() == [80, 10, 10]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
def test_no_worse_than_scikit_learn(seed: int) -> None:
    selection = pytest.importorskip("sklearn.model_selection")
    table = drawn(seed)
    folds = selection.StratifiedGroupKFold(10, shuffle=True, random_state=seed)
    theirs = np.zeros(len(table.groups), dtype=np.int8)
    parts = folds.split(table.groups, table.classes, table.groups)
    for number, (_, fold) in zip((1, 2), parts, strict=False):
        theirs[fold] = number
    ours = worst(table.classes, split(table, seed=seed), TENTHS, CLASSES)
    reference = worst(table.classes, theirs, TENTHS, CLASSES)
    assert ours <= min(reference, 0.2), (
        f"worst class {ours:.3f} points, scikit-learn {reference:.3f}"
    )
