"""What the commands share: options, errors for people, output."""

import functools
import json
import sqlite3
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, NoReturn, ParamSpec, TypeVar

import typer
from rich.console import Console

import iotkm
from iotkm import IotkmError, Suite

_P = ParamSpec("_P")
_R = TypeVar("_R")

State = Annotated[Path, typer.Option(envvar="IOTKM_STATE", help="Folder of this device's state; made where missing.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, one object a line.")]


def console(stderr: bool = False) -> Console:
    """Where to print; asked for anew each time, so that redirections are seen."""
    return Console(stderr=stderr, soft_wrap=True)


def fail(message: str) -> NoReturn:
    """Ends the command with a line on standard error and status 1."""
    print(f"iotkm: {message}", file=sys.stderr)
    raise typer.Exit(1)


def friendly(command: Callable[_P, _R]) -> Callable[_P, _R]:
    """A command whose expected errors are one line, not a traceback."""

    @functools.wraps(command)
    def run(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        try:
            return command(*args, **kwargs)
        except (IotkmError, sqlite3.Error) as error:
            fail(str(error))
        except OSError as error:
            fail(str(error) if error.filename is None else f"{error.filename}: {error.strerror}")
        except KeyboardInterrupt:
            raise typer.Exit(130) from None

    return run


def show(values: dict[str, Any], as_json: bool) -> None:
    """Prints names and values."""
    if as_json:
        print(json.dumps(values), flush=True)
        return
    width = max((len(name) for name in values), default=0)
    for name, value in values.items():
        if isinstance(value, list | tuple):
            value = ", ".join(map(str, value)) or "none"
        shown = f"{value:.2f}" if isinstance(value, float) else str(value)
        # Not a table of rich's: that one cuts keys off.
        console().print(f"{name.replace('_', ' '):{width}}  {shown}".rstrip(), highlight=False, markup=False)


def for_people(seen: dict[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """What `inspect` saw, with dates, and what is in something else behind that one's name."""
    for name, value in seen.items():
        if isinstance(value, dict):
            yield from for_people(value, f"{before}{name}: ")
        elif value is None:
            yield before + name, "none"
        elif name in ("issued_at", "not_before", "expires", "at_least"):
            try:
                date = f"{datetime.fromtimestamp(value, UTC):%Y-%m-%d %H:%M:%S} UTC"
            except (OverflowError, ValueError, OSError):
                date = "beyond the calendar"
            yield before + name, f"{value} ({date})"
        else:
            yield before + name, value


def suite_of(text: str) -> Suite:
    """A suite from ``0`` to ``5``, with ``s`` for the one without Diffie-Hellman."""
    name = f"SUITE_{text[:-1]}_SYMMETRIC" if text.endswith("s") else f"SUITE_{text}"
    suite = getattr(iotkm, name, None)
    if not isinstance(suite, Suite):
        fail(f"there is no suite {text}: 0 to 5, or 0s to 5s without Diffie-Hellman")
    return suite


def text_of(id: bytes) -> str:
    """An id for people: text where it is printable ASCII, else 0x and hex digits."""
    text = id.decode("ascii", "replace")
    return text if id.isascii() and text.isprintable() and not text.startswith("0x") else f"0x{id.hex()}"


def id_of(text: str) -> bytes:
    """The id that `text_of` shows so."""
    if not text.startswith("0x"):
        return text.encode()
    try:
        return bytes.fromhex(text[2:])
    except ValueError:
        fail(f"{text}: after 0x come hex digits")


def address_of(text: str) -> tuple[str, int]:
    """``host:port``, ``[address]:port``, ``:port``."""
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdigit() or int(port) > 65535:
        fail(f"{text}: an address is host:port")
    return host.removeprefix("[").removesuffix("]") or "0.0.0.0", int(port)
