"""The command line: a command parses, calls the function of its name, and prints.

Nothing heavy is imported before a command runs: `fertools --help` answers at once.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import click

import fertools
from fertools.errors import FertoolsError

_PATH = click.Path(path_type=Path)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(fertools.__version__, message="fertools %(version)s")
def cli() -> None:
    """Turn AI-Hub's Korean emotion photos into stratified TFRecords of face crops.

    Everything works on this machine alone: no photo, crop or figure leaves it.
    """


@cli.command("make-sample")
@click.argument("out", type=_PATH)
@click.option("--people", default=12, show_default=True, help="How many people to draw.")
@click.option("--photos", default=336, show_default=True, help="How many photos of them in all.")
@click.option("--megapixels", default=0.8, show_default=True, help="Size of a photo.")
@click.option(
    "--as",
    "form",
    type=click.Choice(["zips", "folders"]),
    default="zips",
    show_default=True,
    help="Zips as they are downloaded, or the same unzipped.",
)
@click.option("--troubles", is_flag=True, help="Plant some of each trouble that archives have.")
@click.option("--seed", default=0, show_default=True, help="Same seed, same bytes.")
def make_sample(out: Path, **options: Any) -> None:
    """Draw an AI-Hub style archive of people who do not exist into OUT, to try things on."""
    with click.progressbar(length=1, label="drawing", file=sys.stderr) as bar:

        def progress(drawn: int, total: int) -> None:
            bar.length = total
            bar.update(drawn - bar.pos)

        sample = fertools.make_sample(out, progress=progress, **options)
    click.echo(str(sample))


@cli.command("build-dataset")
@click.argument("src", type=_PATH)
@click.argument("out", type=_PATH)
@click.option(
    "--classes",
    type=click.Choice(["auto", "aihub7", "talk5", "folders"]),
    default="auto",
    show_default=True,
    help="The archive's seven, the talk's five, or one class per folder; auto is aihub7, or "
    "folders where no photo's name or folder is an emotion.",
)
@click.option(
    "--rename", multiple=True, metavar="OLD=NEW", help="Rename a class; the same NEW joins classes."
)
@click.option("--drop", multiple=True, metavar="NAME", help="Leave a class out.")
@click.option(
    "--runtime",
    type=click.Choice(["auto", "openvino", "opencv"]),
    default="auto",
    show_default=True,
    help="What runs the detector's network; auto is openvino where it is installed.",
)
@click.option(
    "--min-confidence", default=0.5, show_default=True, help="Below it a face is not one (0 to 1)."
)
@click.option(
    "--on-many",
    type=click.Choice(["largest", "best", "reject"]),
    default="largest",
    show_default=True,
    help="Which of several faces: the largest, the most confident, or none.",
)
@click.option("--size", default=224, show_default=True, help="Side of a crop in pixels.")
@click.option(
    "--margin", default=0.0, show_default=True, help="Widen the box by this share on each side."
)
@click.option("--square", is_flag=True, help="Make the box square, so that no face is stretched.")
@click.option(
    "--image-format",
    type=click.Choice(["png", "jpeg"]),
    default="png",
    show_default=True,
    help="How crops are encoded.",
)
@click.option("--jpeg-quality", default=95, show_default=True, help="For --image-format jpeg.")
@click.option(
    "--max-pixels", default=200_000_000, show_default=True, help="Larger photos are not decoded."
)
@click.option(
    "--split",
    default="80/10/10",
    show_default=True,
    metavar="TRAIN/VALIDATION/TEST",
    help="Shares of the three splits; 0 leaves one empty.",
)
@click.option(
    "--split-by",
    type=click.Choice(["subject", "image"]),
    default="subject",
    show_default=True,
    help="subject: nobody is in two splits. image: the leaky kind, for comparison.",
)
@click.option("--seed", default=0, show_default=True, help="Orders splits and shards.")
@click.option("--name", default="faces", show_default=True, help="The dataset's name.")
@click.option(
    "--shard-size", default="128MB", show_default=True, help="About how large a shard is."
)
@click.option(
    "--keep-names", is_flag=True, help="Plain file names and subjects in the records, not hashes."
)
@click.option("--jobs", type=int, help="Worker processes.  [default: the cores it may use]")
@click.option("--overwrite", is_flag=True, help="Replace what OUT was begun with, if it differs.")
@click.option("--quiet", is_flag=True, help="No progress.")
def build_dataset(src: Path, out: Path, **options: Any) -> None:
    """Build a dataset of face crops in OUT from the archive in SRC.

    SRC holds folders, zips, zips in parts or any mixture, is read in place and never written to.
    A build that was interrupted goes on by the same command.
    """
    built = fertools.build_dataset(src, out, **options)
    click.echo(built.text())


@cli.command("stats")
@click.argument("path", type=_PATH)
@click.option("--json", "as_json", is_flag=True, help="The same as JSON.")
def stats(path: Path, as_json: bool) -> None:
    """Show who and what is in an archive (by names alone, no pixels) or in a built dataset."""
    found = fertools.stats(path)
    text = json.dumps(found.to_dict(), ensure_ascii=False, indent=1) if as_json else found.text()
    click.echo(text)


def main() -> None:
    """Run the command line; whatever the user can put right is one line and exit code 1."""
    try:
        cli.main(standalone_mode=False)
    except FertoolsError as error:
        _end(str(error), 1)
    except (KeyboardInterrupt, click.exceptions.Abort):
        _end("stopped; a build goes on where it was by the same command", 130)
    except click.ClickException as error:
        context = getattr(error, "ctx", None)
        where = f" (see {context.command_path} --help)" if context else ""
        _end(" ".join(error.format_message().split()) + where, 1)
    except BrokenPipeError:
        # Who reads us has gone: leave nothing for Python to flush at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


def _end(message: str, code: int) -> None:
    from fertools.archive import printable  # a name in the message may hold a line break or worse

    click.echo(f"fertools: {printable(message)}", err=True)
    sys.exit(code)
