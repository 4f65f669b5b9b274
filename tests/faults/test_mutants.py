"""Whatever bytes come in, what comes out is an answer or a refusal that a person can read."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import fertools
from fertools.errors import DatasetError
from tests.fakes import BrightSpot, write_archive
from tests.faults import mutants


@pytest.mark.parametrize("name", mutants.TARGETS)
def test_mutants_are_read_or_refused(name: str, tmp_path: Path) -> None:
    assert list(mutants.strange(name, tmp_path, 300, seed=0)) == []


def test_mutants_of_a_manifest_are_read_or_refused(tmp_path: Path) -> None:
    source = write_archive(tmp_path / "src")
    out = tmp_path / "out"
    fertools.build_dataset(source, out, detector=BrightSpot(), size=16, quiet=True, jobs=1)
    whole = (out / "metadata.json").read_bytes()
    mutants.TARGETS["manifest"] = (mutants.read_manifest, lambda: whole, (DatasetError,))
    try:
        assert list(mutants.strange("manifest", tmp_path, 300, seed=0)) == []
    finally:
        del mutants.TARGETS["manifest"]


@pytest.mark.parametrize("name", mutants.TARGETS)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=400))
def test_any_bytes_at_all_are_read_or_refused(name: str, tmp_path: Path, data: bytes) -> None:
    read, sound, refusals = mutants.TARGETS[name]
    for bytes_ in (data, sound()[:20] + data):
        try:
            read(bytes_, tmp_path)
        except refusals:
            continue
