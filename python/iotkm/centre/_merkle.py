"""The Merkle tree over all rows: 65 536 buckets of rows by the hash of their ids, 16 children a node.

Flat in memory, 2.2 MB, however many devices there are; a change costs four hashes of 512 bytes.
"""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

BUCKETS = 65_536
_FAN = 16
_LEN = 32


def bucket_of(id: bytes) -> int:
    """In which bucket a device is."""
    return int.from_bytes(hashlib.sha256(id).digest()[:2])


def bucket_digest(tags: Iterable[bytes]) -> bytes:
    """The digest of a bucket: of its rows' tags in the order of their ids. An empty one's is zero."""
    joined = b"".join(tags)
    return hashlib.sha256(joined).digest() if joined else bytes(_LEN)


class Builder:
    """Makes the tree of rows that come in the order of their ids."""

    def __init__(self) -> None:
        self._buckets: dict[int, Any] = {}

    def add(self, bucket: int, tag: bytes) -> None:
        """The next row."""
        if bucket not in self._buckets:
            self._buckets[bucket] = hashlib.sha256()
        self._buckets[bucket].update(tag)

    def tree(self) -> "Tree":
        """The tree of them all."""
        digests = bytearray(BUCKETS * _LEN)
        for number, hashed in self._buckets.items():
            digests[number * _LEN : (number + 1) * _LEN] = hashed.digest()
        return Tree(bytes(digests))


class Tree:
    """The digests of all buckets and what is above them."""

    def __init__(self, buckets: bytes = bytes(BUCKETS * _LEN)) -> None:
        self._levels = [bytearray(buckets)]
        while len(self._levels[-1]) > _LEN:
            below = self._levels[-1]
            size = _FAN * _LEN
            digests = (_node(below[at : at + size]) for at in range(0, len(below), size))
            self._levels.append(bytearray().join(digests))

    @property
    def root(self) -> bytes:
        """32 bytes for all rows."""
        return bytes(self._levels[-1])

    def bucket(self, number: int) -> bytes:
        """The digest of a bucket."""
        return bytes(self._levels[0][number * _LEN : (number + 1) * _LEN])

    def update(self, buckets: Mapping[int, bytes]) -> dict[int, bytes]:
        """Sets digests of buckets; those that they had, for undoing it."""
        before = {number: self.bucket(number) for number in buckets}
        for number, digest in buckets.items():
            self._levels[0][number * _LEN : (number + 1) * _LEN] = digest
        touched: Iterable[int] = buckets
        size = _FAN * _LEN
        for below, level in zip(self._levels, self._levels[1:], strict=False):
            touched = {number // _FAN for number in touched}
            for number in touched:
                level[number * _LEN : (number + 1) * _LEN] = _node(below[number * size : (number + 1) * size])
        return before


def _node(children: bytes | bytearray) -> bytes:
    return hashlib.sha256(b"\1" + children).digest()
