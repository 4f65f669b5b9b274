"""The command line: its entry, its signals and its exit codes.

commands   the commands: each calls the function of its name and prints the result
options    click's options, made from the fields of options dataclasses; `--config`
korean     Korean lines after the most frequent messages

No large package is imported before a command runs: `fertools --help` prints at once.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import click

import fertools
from fertools.cli import commands
from fertools.cli.korean import korean_hints
from fertools.errors import FertoolsError, printable

#: Exit codes, as in docs/cli.md; the exit code of a signal is 128 + its number, as in a shell.
_USER_ERROR, _USAGE_ERROR = 1, 2
_CLOSED_OUTPUT = 128 + signal.SIGPIPE


class _OutputClosed(Exception):
    """Raised when the reader of the output has closed the pipe."""


class _Group(click.Group):
    """A click group in which `main` handles a broken pipe: click would end with exit code 1."""

    def make_context(self, *args: Any, **options: Any) -> click.Context:
        with _broken_pipe_as_own_error():  # `--help` prints here
            return super().make_context(*args, **options)

    def invoke(self, ctx: click.Context) -> Any:
        with _broken_pipe_as_own_error():
            return super().invoke(ctx)


@contextmanager
def _broken_pipe_as_own_error() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError as error:
        raise _OutputClosed from error


@click.group(
    cls=_Group,
    commands=commands.ALL,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    invoke_without_command=True,
)
@click.version_option(fertools.__version__, message="fertools %(version)s")
@click.pass_context
def cli(context: click.Context) -> None:
    """Turn AI-Hub's Korean emotion photos into stratified TFRecords of face crops.

    Everything runs on this machine: no photo, crop or figure leaves it.
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help(), err=True)
        context.exit(_USAGE_ERROR)


class _Signalled(KeyboardInterrupt):
    """Raised on SIGTERM or SIGHUP, with the signal's number as argument."""


def main() -> None:
    """Run the command line. An error of the user is one line, with exit code 1 or 2."""
    _open_streams()
    _catch_signals()
    try:
        code = cli.main(standalone_mode=False)
        sys.stdout.flush()
        sys.exit(code)
    except FertoolsError as error:
        _end(str(error), _USER_ERROR)
    except (KeyboardInterrupt, click.exceptions.Abort) as stop:
        cause = stop.__cause__ or stop  # click raises Abort from the interrupt
        number = cause.args[0] if isinstance(cause, _Signalled) else signal.SIGINT
        _end("stopped; the same command continues where it stopped", 128 + number)
    except click.ClickException as error:
        context = getattr(error, "ctx", None)
        where = f" (see {context.command_path} --help)" if context else ""
        _end(" ".join(error.format_message().split()) + where, error.exit_code)
    except (_OutputClosed, BrokenPipeError):
        _discard_output()
        sys.exit(_CLOSED_OUTPUT)
    except OSError as error:
        if not _output_fails():
            raise
        _discard_output()
        _end(f"standard output cannot be written: {error.strerror}", _USER_ERROR)


def _output_fails() -> bool:
    """Return whether writing to standard output fails; writes an empty line."""
    try:
        print(flush=True)
    except OSError:
        return True
    return False


def _discard_output() -> None:
    """Redirect standard output to the null device, so that Python's last flush does not fail."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _open_streams() -> None:
    """Redirect standard streams that were closed to the null device.

    loky flushes the streams when it starts a process. Also, the next opened file would get the
    file descriptor of a closed stream, and libraries would print into the file.
    """
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:
            handle = os.open(os.devnull, os.O_RDWR)
            os.set_inheritable(handle, True)
            setattr(sys, name, os.fdopen(handle, "r" if name == "stdin" else "w"))


def _catch_signals() -> None:
    """Make SIGTERM and SIGHUP end a command as Ctrl-C does, with their own exit codes."""

    def end(number: int, _: FrameType | None) -> None:
        raise _Signalled(number)

    for number in (signal.SIGTERM, signal.SIGHUP):
        # nohup makes a process ignore SIGHUP; this must not change.
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, end)


def _end(message: str, code: int) -> None:
    lines = [f"fertools: {printable(message)}", *korean_hints(message)]
    click.echo("\n".join(lines), err=True)
    sys.exit(code)
