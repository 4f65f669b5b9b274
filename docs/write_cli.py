"""Write docs/cli.md from the commands' own help; a test fails when the two differ."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click

from fertools.cli import cli

PAGE = Path(__file__).with_name("cli.md")

_CONFIG: Final = """\
## Options in a file

Every command takes `--config FILE.toml`. The keys are the names of options, with `-` or `_`, at top
level, for every command that has the option, or in a table with the name of a command, for that
command alone.

```toml
seed = 7                            # of each command that draws numbers

[build-dataset]
classes = "talk5"
size = 112
max-per-class = 5000
rename = { "불안" = "불편" }        # or ["불안=불편"]

[train]
depth = 14
epochs = 30
resume = false                      # --no-resume
```

`preview` reads the table `[build-dataset]` before its own: it shows what that build would make.

The command line wins over the file, and a table over the top level. Repeated options are lists,
flags are `true` or `false`. Arguments such as SRC and OUT are given on the command line. Relative
paths in the file are relative to the working folder, as on the command line. A key that no command
has (in a table: that the command does not have) and a value of another type or out of range are
usage errors, in one line that names the file and the key."""

_EXIT_CODES: Final = """\
## Exit codes

| code | meaning |
|--:|---|
| 0 | done |
| 1 | an error that the user can correct, in one line; or `verify` found differences |
| 2 | a usage error, in one line: a command, an option or a key of `--config` that does not \
exist, a missing argument, a value of the wrong kind; `fertools` alone prints its help |
| 130, 143, 129 | stopped by Ctrl-C, SIGTERM, SIGHUP; the same command continues |
| 141 | the reader of the output has closed it, as `head` does |"""


def page() -> str:
    """Return the text of the page: each command's help, in the order of the work."""
    texts = ["# The command line", "Written by `make docs` from the commands' own help."]
    for name, command in cli.commands.items():
        context = click.Context(command, info_name=f"fertools {name}", max_content_width=100)
        context.terminal_width = 100
        texts += [f"## fertools {name}", f"```text\n{command.get_help(context)}\n```"]
    return "\n\n".join([*texts, _CONFIG, _EXIT_CODES]) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
