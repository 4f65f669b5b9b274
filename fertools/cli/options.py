"""Make click's options from the fields of options dataclasses, and read them from a TOML file.

    Literal["png", "raw"]      a choice            bool               --square, --resume/--no-resume
    Annotated[int, Between]    a number; the       tuple[str, ...]    an option that is repeated
                               range in the help   UserPath           a path

click checks types and choices (exit code 2). The dataclass checks ranges and combinations (exit
code 1).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import click

from fertools.checking import (
    Declared,
    HelpSection,
    Options,
    UserPath,
    check,
    declared,
    did_you_mean,
    flag,
    user_path,
)
from fertools.errors import OptionError


def command(name: str, *kinds: type[Options]) -> Callable[[Callable[..., None]], click.Command]:
    """Return a decorator that makes a command with the options of `kinds` and `--config`."""
    params = [_FieldOption(option) for kind in kinds for option in declared(kind)]
    return click.command(name, cls=_Command, params=[*params, _CONFIG])


class _Command(click.Command):
    """A command whose help lists the options by section."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        grouped = any(option.declared.group for option in _by_key(self).values())
        others = HelpSection.RUN if grouped else None
        sections: dict[HelpSection | None, list[tuple[str, str]]]
        sections = {section: [] for section in (*HelpSection, None)}
        for param in self.get_params(ctx):
            group = param.declared.group if isinstance(param, _FieldOption) else None
            record = param.get_help_record(ctx) if isinstance(param, click.Option) else None
            if record:  # newer versions of click have a record for arguments too
                sections[group or others].append(record)
        for group, records in sections.items():
            if records:
                with formatter.section(group.value if group else "Options"):
                    formatter.write_dl(records)


class _FieldOption(click.Option):
    """A click option for one field of a dataclass."""

    def __init__(self, option: Declared) -> None:
        self.declared = option
        word = option.usage.flag or flag(option.name)
        self.key = word.removeprefix("--")  # in a TOML file
        is_flag = bool in option.types
        alone: dict[str, Any] = {"flag_value": option.usage.alone} if option.usage.alone else {}
        if is_flag and option.default:
            word = f"{word}/--no-{self.key}"
        super().__init__(
            [word, option.name],
            type=None if is_flag else _type(option),
            is_flag=is_flag,
            **alone,
            multiple=isinstance(option.default, tuple),
            default=option.default,
            metavar=option.usage.metavar,
            help=_help(option),
        )


def _type(option: Declared) -> click.ParamType[Any] | type:
    if option.choices:
        return click.Choice(option.choices)
    if UserPath() in option.marks:
        return click.Path()
    return next((kind for kind in (float, int) if option.types[0] is kind), str)


def _help(option: Declared) -> str:
    """Return help text, default and range, such as "Quality.  [default: 95; 1 to 100]"."""
    facts, default = [], option.usage.default or option.default
    if default is not False and default not in (None, "", ()):
        facts.append(f"default: {'on' if default is True else default}")
    if option.between and bool not in option.types:
        facts.append(str(option.between))
    return f"{option.help}  [{'; '.join(facts)}]" if facts else option.help


# --config -----------------------------------------------------------------------------------------


#: A command that reads another's table too: a preview shows what the build would make.
_SHARED: Final = {"preview": "build-dataset"}


def _take_config(context: click.Context, _: click.Parameter, file: str | None) -> None:
    """Use the values in a TOML file as defaults of the current command."""
    if file is None:
        return
    root = context.find_root().command
    commands = root.commands if isinstance(root, click.Group) else {}
    try:
        context.default_map = dict(_values(file, context.command, commands))
    except OptionError as error:
        raise click.UsageError(str(error), context) from error


def _values(
    file: str, command: click.Command, commands: Mapping[str, click.Command]
) -> Iterator[tuple[str, Any]]:
    """Yield field names and values for a command from a TOML file.

    Values at top level come first, then those of the command in _SHARED that this command has, then
    those of the table with the command's name. Options at top level that only other commands have,
    and tables of other commands, are ignored. Raises OptionError, one line with file and key.
    """
    name = str(command.name)
    options = _by_key(command)
    all_keys = {key for each in commands.values() for key in _by_key(each)}
    tree = _with_hyphens(_load(file), file)
    ignored = (all_keys - options.keys()) | commands.keys()
    top = {key: value for key, value in tree.items() if key not in ignored}
    own = _table(tree, name, file)
    shared = {k: v for k, v in _table(tree, _SHARED.get(name, ""), file).items() if k in options}
    for where, entries in (
        (file, top),
        (f"{file}, [{_SHARED.get(name)}]", shared),
        (f"{file}, [{name}]", own),
    ):
        for key, value in entries.items():
            if key not in options:
                hint = did_you_mean(key, (*options, *commands))
                raise OptionError(f"{where}: fertools {name} has no option {key}{hint}")
            option = options[key].declared
            yield option.name, check(f"{where}: {key} =", value, option.kind)


def _table(tree: Mapping[str, Any], name: str, file: str) -> dict[str, Any]:
    """Return the table of a command, empty if the file has none."""
    table = tree.get(name, {})
    if not isinstance(table, dict):
        raise OptionError(f"{file}: {name} is the name of a command: write a table, [{name}]")
    return _with_hyphens(table, f"{file}, [{name}]")


def _by_key(command: click.Command) -> dict[str, _FieldOption]:
    return {each.key: each for each in command.params if isinstance(each, _FieldOption)}


def _load(file: str) -> dict[str, Any]:
    import tomllib

    try:
        return tomllib.loads(user_path(file).read_text("utf-8"))
    except OSError as error:
        raise OptionError(
            f"--config {file} cannot be read: {error.strerror}; check the path"
        ) from error
    except (ValueError, RecursionError) as error:
        raise OptionError(f"--config {file} is not TOML: {error}") from error


def _with_hyphens(entries: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Return entries with "-" for "_" in keys: `max_per_class` becomes `max-per-class`."""
    found: dict[str, Any] = {}
    for written, value in entries.items():
        key = written.replace("_", "-")
        if key in found:
            raise OptionError(f"{where}: {key} is there twice: remove one")
        found[key] = value
    return found


_CONFIG: Final = click.Option(
    ["--config"],
    type=click.Path(),
    metavar="FILE.toml",
    is_eager=True,
    expose_value=False,
    callback=_take_config,
    help="Read options from a TOML file; the command line wins (see docs/quickstart.md).",
)
