"""How the demo's Python programs are told what a person does, and say what happens: in lines."""

import asyncio
import logging
import sys
from collections.abc import Coroutine
from typing import Any

from iotkm import IotkmError


def say(*words: object) -> None:
    print(*words, flush=True)


async def typed() -> asyncio.StreamReader:
    """Standard input, for whole lines of up to 64 KiB."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    return reader


def run(main: Coroutine[Any, Any, None]) -> None:
    """Runs a program to its end; what goes wrong on this machine is said in a line too."""
    logging.basicConfig(level=logging.WARNING, format="warning %(message)s", stream=sys.stdout)
    try:
        asyncio.run(main)
    except* (IotkmError, OSError) as trouble:
        say("error", trouble.exceptions[0])
        sys.exit(1)
