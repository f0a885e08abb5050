"""Fixtures."""

import random

import pytest
from softhsm import softhsm as softhsm

from iotkm import Platform, Triple


@pytest.fixture
def platform() -> Platform:
    return Platform(bytes(32))


@pytest.fixture
def triple() -> Triple:
    seeded = random.Random(1)
    return Triple(seeded.randbytes(32), seeded.randbytes(32), seeded.randbytes(32))
