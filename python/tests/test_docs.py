"""What the documentation of the extension's classes shows is so."""

import doctest
import inspect
from collections.abc import Iterator
from typing import Any

import pytest

from iotkm import _iotkm


def documented() -> Iterator[tuple[str, Any]]:
    for name, thing in vars(_iotkm).items():
        if inspect.isclass(thing):
            yield name, thing
            yield from ((f"{name}.{key}", value) for key, value in vars(thing).items() if not key.startswith("_"))
        elif inspect.isbuiltin(thing):
            yield name, thing


THINGS = dict(documented())


@pytest.mark.parametrize("name", THINGS)
def test_is_documented(name: str) -> None:
    if not isinstance(THINGS[name], int):
        assert inspect.getdoc(THINGS[name]), f"{name} has no documentation"


WITH_EXAMPLES = [name for name, thing in THINGS.items() if ">>>" in (inspect.getdoc(thing) or "")]


@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_examples(name: str) -> None:
    text = inspect.getdoc(THINGS[name]) or ""
    test = doctest.DocTestParser().get_doctest(text, {}, name, None, None)
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    runner.run(test)
    assert runner.summarize().failed == 0 and runner.tries > 0
