"""What the tests share."""

import asyncio
import random
from collections.abc import Coroutine
from typing import Any, TypeVar

import pytest

from iotkm import Platform, Triple

T = TypeVar("T")


def run(work: Coroutine[Any, Any, T], limit: float = 60) -> T:
    """Runs a coroutine, not for ever."""

    async def limited() -> T:
        async with asyncio.timeout(limit):
            return await work

    return asyncio.run(limited())


@pytest.fixture
def platform() -> Platform:
    return Platform(bytes(32))


@pytest.fixture
def triple() -> Triple:
    seeded = random.Random(1)
    return Triple(seeded.randbytes(32), seeded.randbytes(32), seeded.randbytes(32))
