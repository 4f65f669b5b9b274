"""Writes docs/cli.md from the commands themselves; a test fails when the two differ."""

from __future__ import annotations

from pathlib import Path

import click

from fertools.cli import cli

PAGE = Path(__file__).with_name("cli.md")


def page() -> str:
    """Give the page: each command's own help, in the order of the work."""
    texts = ["# The command line", "Written by `make docs` from the commands' own help."]
    for name, command in cli.commands.items():
        context = click.Context(command, info_name=f"fertools {name}", max_content_width=100)
        context.terminal_width = 100
        texts += [f"## fertools {name}", f"```text\n{command.get_help(context)}\n```"]
    texts += [
        "## Exit codes",
        "0: done · 1: something to put right, said in one line, or differences found by verify · "
        "2: a command or option that does not exist, lacks something or has a value of the wrong "
        "kind, in one line; `fertools` alone prints its help · "
        "130, 143, 129: stopped by Ctrl-C, SIGTERM, SIGHUP; the same command goes on · "
        "141: what read the output has closed it, as `head` does",
    ]
    return "\n\n".join(texts) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
