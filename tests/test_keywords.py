"""The keywords of the public functions are the fields of the options dataclasses."""

from __future__ import annotations

import inspect
from typing import get_type_hints

import pytest

import fertools
from fertools import keywords, options
from fertools.checking import Options, declared

FUNCTIONS: dict[str, tuple[type[Options], ...]] = {
    "make_sample": (options.SampleOptions,),
    "build_dataset": (options.BuildOptions, options.RunOptions),
    "build_parts": (options.BuildOptions, options.RunOptions),
    "train": (options.TrainOptions, options.TrainRunOptions),
    "evaluate": (options.EvaluateOptions,),
    "predict": (options.PredictOptions,),
    "export": (options.ExportOptions,),
    "export_dataset": (options.ExportDatasetOptions,),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_keywords_of_a_function_are_the_fields(name: str) -> None:
    signature = inspect.signature(getattr(fertools, name))
    parameters = signature.parameters.values()
    (unpacked,) = (str(each.annotation) for each in parameters if each.kind is each.VAR_KEYWORD)
    kind = getattr(keywords, unpacked.removeprefix("Unpack[").removesuffix("]"))
    offered = {*get_type_hints(kind), *signature.parameters}
    for each in FUNCTIONS[name]:
        assert {option.name for option in declared(each)} <= offered
    named = {option.name for each in FUNCTIONS[name] for option in declared(each)}
    assert set(get_type_hints(kind)) == named - set(signature.parameters)


def test_verify_has_the_defaults_of_its_options() -> None:
    defaults = options.VerifyOptions().flat()
    for name, parameter in inspect.signature(fertools.verify).parameters.items():
        assert name == "out" or parameter.default == defaults.pop(name)
    assert not defaults


def test_every_option_has_a_help_text_and_a_default_that_its_own_check_takes() -> None:
    for kind in Options.__subclasses__():
        if kind.__module__ == options.__name__:
            assert kind() == kind.of(kind().flat())
            assert all(option.help for option in declared(kind))
