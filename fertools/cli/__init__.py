"""The command line: a command parses, calls the function of its name, and prints.

Nothing heavy is imported before a command runs: `fertools --help` answers at once.
"""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType

import click

import fertools
from fertools.cli.dataset import build_dataset, clean, make_sample, stats, verify
from fertools.cli.training import evaluate, export, predict, train
from fertools.errors import FertoolsError


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(fertools.__version__, message="fertools %(version)s")
def cli() -> None:
    """Turn AI-Hub's Korean emotion photos into stratified TFRecords of face crops.

    Everything works on this machine alone: no photo, crop or figure leaves it.
    """


for command in (make_sample, build_dataset, stats, verify, clean, train, evaluate, predict, export):
    cli.add_command(command)


class _Ended(KeyboardInterrupt):
    """Somebody else than Ctrl-C asked for an end: `kill`, a scheduler, a terminal that closed."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


def main() -> None:
    """Run the command line; whatever the user can put right is one line and exit code 1."""
    _open_streams()
    _listen()
    try:
        cli.main(standalone_mode=False)
    except FertoolsError as error:
        _end(str(error), 1)
    except (KeyboardInterrupt, click.exceptions.Abort) as stop:
        asked = stop.__cause__ or stop  # click makes an Abort of what interrupts it
        number = asked.number if isinstance(asked, _Ended) else signal.SIGINT
        _end("stopped; a build goes on where it was by the same command", 128 + number)
    except click.ClickException as error:
        context = getattr(error, "ctx", None)
        where = f" (see {context.command_path} --help)" if context else ""
        _end(" ".join(error.format_message().split()) + where, 1)
    except BrokenPipeError:
        # Who reads us has gone: leave nothing for Python to flush at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


def _open_streams() -> None:
    """Lead standard streams that were closed to the null device.

    joblib flushes them when it starts a process. Worse, the next file to be opened would get the
    number of a closed one, and hold whatever a library prints.
    """
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:
            nowhere = os.open(os.devnull, os.O_RDWR)
            os.set_inheritable(nowhere, True)
            setattr(sys, name, os.fdopen(nowhere, "r" if name == "stdin" else "w"))


def _listen() -> None:
    """Let SIGTERM and SIGHUP end a command as Ctrl-C does, with their own exit codes."""

    def end(number: int, _: FrameType | None) -> None:
        raise _Ended(number)

    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        # nohup has SIGHUP ignored, and means it.
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, end)


def _end(message: str, code: int) -> None:
    from fertools.archive import printable  # a name in the message may hold a line break or worse

    click.echo(f"fertools: {printable(message)}", err=True)
    sys.exit(code)
