"""The command line as a user meets it: one line for what is wrong, exit codes, help."""

from __future__ import annotations

import inspect
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import click
import pytest

import fertools
from fertools.cli import cli
from fertools.keywords import BuildKeywords
from fertools.options import BuildOptions
from tests.fakes import photo, photo_name, write_archive


def run(*words: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "fertools", *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        cwd=cwd,
    )


@pytest.mark.parametrize("name", cli.commands)
def test_every_command_and_option_explains_itself(name: str) -> None:
    command = cli.commands[name]
    assert command.help
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, parameter.name


def test_the_command_line_offers_what_python_offers() -> None:
    offered = {str(parameter.name) for parameter in cli.commands["build-dataset"].params}
    arguments = set(inspect.signature(fertools.build_parts).parameters) - {"options"}
    assert set(inspect.signature(fertools.build_dataset).parameters) < arguments | {"options"}
    arguments.add("partial")  # calls build_partial
    # A detector on the command line is a name; as an object it comes from Python alone.
    keywords = set(BuildKeywords.__annotations__)
    assert offered == arguments | keywords | {"config"}


def test_the_command_lines_defaults_are_pythons() -> None:
    defaults = BuildOptions().flat() | {"rename": (), "drop": ()}
    for parameter in cli.commands["build-dataset"].params:
        if parameter.name in defaults and parameter.default is not None:
            given = parameter.default
            given = () if parameter.multiple and not given else given
            if isinstance(given, (str, int, float, bool, tuple)):
                assert given == defaults[parameter.name], parameter.name


@pytest.mark.parametrize(
    ("file", "script"),
    [
        ("docs/cli.md", "from write_cli import page as text"),
        ("docs/reference.md", "from write_reference import page as text"),
        ("fertools/keywords.py", "from write_keywords import module as text"),
    ],
)
def test_what_make_docs_writes_is_written(file: str, script: str) -> None:
    root = Path(__file__).parents[1]
    written = subprocess.run(
        [sys.executable, "-c", f"{script}; print(text(), end='')"],
        cwd=root / "docs",
        capture_output=True,
        text=True,
        check=True,
    )
    assert (root / file).read_text("utf-8") == written.stdout, "run `make docs`"


@pytest.mark.parametrize("name", fertools.__all__)
def test_the_reference_describes_what_a_function_returns(name: str) -> None:
    page = (Path(__file__).parents[1] / "docs" / "reference.md").read_text("utf-8")
    returned = str(inspect.signature(getattr(fertools, name)).return_annotation)
    for kind in re.findall(r"\b[A-Z]\w+", returned.replace("tf.data.Dataset", "")):
        assert kind == "Iterator" or f"\n### {kind}\n" in page, kind


def test_most_used_options_come_first_in_the_help() -> None:
    for name, first in (("build-dataset", "--classes"), ("train", "--recipe")):
        command = cli.commands[name]
        text = command.get_help(click.Context(command))
        sections = [line for line in text.splitlines() if line.endswith(":") and line[0] != " "]
        assert sections[0] == "Most used:" and sections[-1] == "Run:"
        assert text.split("Most used:\n")[1].split()[0] == first
        assert "Options:" not in sections


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (("stats", "nowhere"), 1, "nowhere"),
        (("build-dataset", "nowhere", "out"), 1, "nowhere"),
        (("build-dataset", "src", "src/out"), 1, "inside"),
        (("build-dataset", "src", "out", "--classes", "six"), 2, "six"),
        (("build-dataset", "src", "out", "--drop", "joyy"), 1, "joyy"),
        (("build-dataset", "src", "out", "--split", "80/20"), 1, "80/20"),
        (("build-dataset", "src", "out", "--size", "0"), 1, "--size 0: give a whole number"),
        (("build-dataset", "src", "out", "--size", "x"), 2, "'x' is not a valid integer"),
        (("build-dataset", "src", "out", "--shard-size", "128"), 1, "such as 128MB"),
        (("build-dataset", "src", "out", "--sise", "0"), 2, "--sise"),
        (("build-dataset", "src"), 2, "Missing argument 'OUT'"),
        (("build-dataset",), 2, "build-dataset --help"),
        (("build-dataset", "src", "src2/file"), 1, "not empty"),
        (("built",), 2, "built"),
        (("make-sample", "src"), 1, "src"),
    ],
)
def test_a_mistake_is_one_line_and_its_exit_code(
    tmp_path: Path, words: tuple[str, ...], code: int, text: str
) -> None:
    """Usage errors are 2, as click's and other tools'; what is wrong with the data is 1."""
    write_archive(tmp_path / "src", people=1)
    (tmp_path / "src2" / "file").mkdir(parents=True)
    (tmp_path / "src2" / "file" / "thesis.txt").write_text("mine")
    done = run(*words, cwd=tmp_path)
    assert done.returncode == code
    assert done.stdout == ""
    line = done.stderr.strip()
    assert line.startswith("fertools: ")
    assert "\n" not in line
    assert text in line
    assert not (tmp_path / "out").exists()


def test_fertools_alone_prints_its_help() -> None:
    """It was the help as one line."""
    done = run()
    assert done.returncode == 2
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert lines[0].startswith("Usage: ")
    assert any(line.strip().startswith("build-dataset  ") for line in lines)


@pytest.mark.parametrize("words", [("--help",), ("stats", "src")])
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_full_disk_behind_the_output_is_one_line(
    tmp_path: Path, words: tuple[str, ...], unbuffered: str
) -> None:
    """T12: it was a traceback."""
    write_archive(tmp_path / "src", people=1)
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "fertools", *words],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            cwd=tmp_path,
            env=os.environ | {"PYTHONUNBUFFERED": unbuffered},
        )
    assert done.returncode == 1
    assert done.stderr == ("fertools: standard output cannot be written: No space left on device\n")


@pytest.mark.parametrize("words", [("--help",), ("stats", "src")])
def test_a_reader_that_has_gone_ends_as_by_sigpipe(tmp_path: Path, words: tuple[str, ...]) -> None:
    """T12: the exit code was 1."""
    write_archive(tmp_path / "src", people=1)
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "fertools", *words],
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, "")


@pytest.mark.parametrize(
    "words",
    [
        ("stats", "~/src"),
        ("build-dataset", "~/nowhere", "out"),
        ("build-dataset", "~/src", "~/out", "--split-file=~/nowhere.csv"),
        ("verify", "~/nowhere"),
        ("train", "~/nowhere", "run"),
        ("evaluate", "~/nowhere", "out"),
        ("predict", "~/nowhere", "1.jpg"),
        ("export", "~/nowhere"),
    ],
)
def test_a_tilde_is_the_home_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    """T1: `~` was expanded nowhere, which a shell does at the beginning of a word alone."""
    monkeypatch.setenv("HOME", str(tmp_path))
    write_archive(tmp_path / "src", people=1)
    done = run(*words)
    if words[0] == "stats":
        assert "6 photos" in done.stdout
    else:
        assert done.returncode == 1
        assert str(tmp_path / "nowhere") in done.stderr
    assert not (tmp_path / "out").exists()


def test_stats_of_an_archive_counts_names_alone(tmp_path: Path) -> None:
    write_archive(tmp_path / "src", people=4, shots=3)
    (tmp_path / "src" / "Thumbs.db").write_bytes(b"x")
    for broken in (tmp_path / "src").rglob("*.jpg"):
        broken.write_bytes(b"no pixel is read")
    shown = run("stats", tmp_path / "src")
    assert shown.returncode == 0
    assert "36 photos of 37 entries" in shown.stdout
    assert "4 people, 9 to 9 photos each" in shown.stdout
    counted = json.loads(run("stats", tmp_path / "src", "--json").stdout)
    assert counted["classes"]["기쁨"] == 12
    assert counted["dropped"] == {"not_a_photo": 1}
    assert counted["sexes"] == {"남": 18, "여": 18}


def test_stats_of_what_was_begun_says_how_to_go_on(tmp_path: Path) -> None:
    (tmp_path / "out" / ".fertools").mkdir(parents=True)
    done = run("stats", tmp_path / "out")
    assert (done.returncode, "run the same" in done.stderr) == (1, True)


@pytest.mark.slow
def test_a_build_from_the_command_line(tmp_path: Path) -> None:
    sample = tmp_path / "archive"
    made = run("make-sample", sample, "--people", 6, "--photos", 48, "--megapixels", 0.3)
    assert made.returncode == 0, made.stderr
    built = run("build-dataset", sample, tmp_path / "out", "--jobs", 2, "--size", 64)
    assert built.returncode == 0, built.stderr
    assert "faces: 48 of 48 photos" in built.stderr
    assert "기쁨 joy" in built.stdout
    assert "people" in built.stdout
    again = run("stats", tmp_path / "out")
    assert "48 examples" in again.stdout
    assert json.loads(run("stats", tmp_path / "out", "--json").stdout)["counts"]["kept"] == 48


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="signals to a group are another thing there")
def test_ctrl_c_stops_and_the_same_command_goes_on(tmp_path: Path) -> None:
    home = tmp_path / "src" / "기쁨"
    home.mkdir(parents=True)
    big = photo()
    for i in range(600):
        (home / photo_name(i % 9, "기쁨슬픔"[2 * (i % 2) :][:2], i)).write_bytes(big)
    command = ["-m", "fertools", "build-dataset", tmp_path / "src", tmp_path / "out", "--jobs", "2"]
    with subprocess.Popen(
        [sys.executable, *map(str, command)],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        parts = tmp_path / "out" / ".fertools" / "parts"
        until = time.monotonic() + 60
        while not list(parts.glob("*.part")) and time.monotonic() < until:
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGINT)
        _, said = process.communicate(timeout=30)
    assert process.returncode == 130
    assert said.strip().splitlines()[-1] == (
        "fertools: stopped; the same command continues where it stopped"
    )
    assert "Traceback" not in said
    assert not (tmp_path / "out" / "metadata.json").exists()
    done = len(list(parts.glob("*.part")))
    assert done > 0
    time.sleep(2)
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)


COMPLETE = """
eval "$(_FERTOOLS_COMPLETE=bash_source fertools)"
COMP_WORDS=(fertools %s); COMP_CWORD=$(( ${#COMP_WORDS[@]} - 1 ))
_fertools_completion fertools
printf '%%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A PATH with a command `fertools`, as pip writes it: click goes by its name."""
    script = tmp_path_factory.mktemp("bin") / "fertools"
    script.write_text(f"#!{sys.executable}\nfrom fertools.cli import main\n\nmain()\n")
    script.chmod(0o755)
    return f"{script.parent}:{os.environ['PATH']}"


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("expo", {"export", "export-dataset"}),
        ("train --dep", {"--depth"}),
        ("export --to ''", {"onnx", "savedmodel", "litert"}),
    ],
)
def test_bash_completes_commands_options_and_choices(
    path: str, words: str, offered: set[str]
) -> None:
    done = subprocess.run(
        ["bash", "-euc", COMPLETE % words],
        env=os.environ | {"PATH": path},
        capture_output=True,
        text=True,
        check=True,
    )
    assert (set(done.stdout.split()), done.stderr) == (offered, "")


@pytest.mark.parametrize(("shell", "first"), [("zsh", "#compdef fertools"), ("fish", "function ")])
def test_other_shells_have_a_script_as_well(path: str, shell: str, first: str) -> None:
    words = ["env", f"_FERTOOLS_COMPLETE={shell}_source", "fertools"]
    done = subprocess.run(
        words, env=os.environ | {"PATH": path}, capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith(first)
