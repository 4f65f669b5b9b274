"""The command line: a command parses, calls the function of its name, and prints.

Nothing heavy is imported before a command runs: `fertools --help` answers at once.
"""

from __future__ import annotations

import os
import sys

import click

import fertools
from fertools.cli.dataset import build_dataset, make_sample, stats
from fertools.errors import FertoolsError


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(fertools.__version__, message="fertools %(version)s")
def cli() -> None:
    """Turn AI-Hub's Korean emotion photos into stratified TFRecords of face crops.

    Everything works on this machine alone: no photo, crop or figure leaves it.
    """


for command in (make_sample, build_dataset, stats):
    cli.add_command(command)


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
