from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

from fertools.environment import hidden_modules, opencv_distributions, opencv_warnings


def install(folder: Path, name: str, *files: str) -> None:
    """Write files of a distribution and the metadata that pip leaves of it."""
    info = folder / f"{name.replace('-', '_')}-4.14.0.94.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 4.14.0.94\n")
    for file in files:
        (folder / file).parent.mkdir(exist_ok=True)
        (folder / file).touch()
    if files:
        (info / "RECORD").write_text("".join(f"{file},,\n" for file in files))


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An environment without any distribution."""
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    return tmp_path


def test_two_opencv_distributions_are_named_with_the_cure(site: Path) -> None:
    """Issue 10, item 12: which cv2 is imported is unknown when several are installed."""
    install(site, "opencv-python-headless", "cv2/__init__.py", "cv2/cv2.abi3.so")
    install(site, "opencv-contrib-python", "cv2/__init__.py", "cv2/cv2.abi3.so")
    install(site, "numpy", "numpy/__init__.py")
    assert opencv_distributions() == ("opencv-contrib-python", "opencv-python-headless")
    [warning] = opencv_warnings()
    assert "opencv-contrib-python and opencv-python-headless are installed together" in warning
    assert "pip uninstall opencv-contrib-python opencv-python-headless" in warning
    assert "\n" not in warning


@pytest.mark.parametrize("name", ["opencv-python", "opencv-python-headless"])
def test_one_opencv_distribution_is_no_warning(site: Path, name: str) -> None:
    install(site, name, "cv2/__init__.py")
    assert opencv_distributions() == (name,)
    assert opencv_warnings() == ()


def test_metadata_without_files_is_no_distribution(site: Path) -> None:
    """conda's py-opencv leaves such metadata beside its own."""
    install(site, "opencv-python-headless", "cv2/__init__.py")
    install(site, "opencv-python")
    assert opencv_warnings() == ()


def test_modules_are_hidden_in_the_block_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "colorsys", raising=False)
    with hidden_modules("colorsys", "os"), pytest.raises(ImportError, match="colorsys is hidden"):
        importlib.import_module("colorsys")
    with hidden_modules("os"):
        assert importlib.import_module("os")
    assert importlib.import_module("colorsys")


def test_this_environment_has_one() -> None:
    assert len(opencv_distributions()) == 1
