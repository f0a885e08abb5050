"""The key database as the core sees it: a row at a time, written together before any answer leaves."""

from collections.abc import Iterable
from contextlib import suppress

from iotkm.centre._store import Change, Row, SeedStore, TamperedError


class Batch:
    """Rows read and swapped one by one, of many datagrams that are answered together. For one thread.

    >>> class Nothing:  # a SeedStore of no rows, which takes everything
    ...     def get(self, ids): return [None for _ in ids]
    ...     def commit(self, changes): return [change.version + 1 for change in changes]
    >>> batch = Batch(Nothing())
    >>> batch.get(b"lamp-7"), batch.swap(b"lamp-7", 1, b"state", b"seed"), batch.swap(b"lamp-7", 1, b"late", b"seed")
    (None, True, False)
    >>> batch.get(b"lamp-7"), batch.commit()  # an empty set: all that was swapped is durable
    (Row(id=b'lamp-7', version=1, seed=b'seed', state=b'state'), set())
    """

    def __init__(self, store: SeedStore) -> None:
        self._store = store
        self._rows: dict[bytes, Row | None] = {}
        self._changes: list[Change] = []

    @property
    def loaded(self) -> dict[bytes, Row | None]:
        """The rows that were read, as swaps of this batch left them."""
        return self._rows

    def swapped(self, swaps: Iterable[tuple[bytes, int, bytes | None, bytes]]) -> None:
        """These rows were swapped elsewhere, from those that were read: the id, the version before, the seed if it was
        written, the state."""
        self._changes += [Change(*swap) for swap in swaps]

    def load(self, ids: Iterable[bytes]) -> None:
        """Reads the rows of these devices at once; `get` has them then, or says of which one it was tampered with.

        Raises:
            StoreFailedError: they cannot be read.
        """
        wanted = [id for id in dict.fromkeys(ids) if id not in self._rows]
        with suppress(TamperedError):
            self._rows |= zip(wanted, self._store.get(wanted), strict=True)

    def get(self, id: bytes) -> Row | None:
        """A device's row, as swaps of this batch left it.

        Raises:
            As `SeedStore.get`.
        """
        if id not in self._rows:
            self._rows[id] = self._store.get([id])[0]
        return self._rows[id]

    def swap(self, id: bytes, version: int, state: bytes, seed: bytes | None = None) -> bool:
        """Writes a row if the one that is there has the version before this one (1: if there is none); whether it did.

        Args:
            id: the device's.
            version: the new row's.
            state: the new state.
            seed: the seed, where what changed must not be lost; else it stays as it is.

        Raises:
            As `SeedStore.get`.
        """
        before = self.get(id)
        if version != (before.version if before else 0) + 1:
            return False
        kept = seed if seed is not None else before.seed if before else None
        if kept is None:
            return False
        self._rows[id] = Row(id, version, kept, state)
        self._changes.append(Change(id, version - 1, seed, state))
        return True

    def commit(self) -> set[bytes]:
        """Makes what was swapped durable. Only after that may answers leave: to all but these devices, whose rows somebody
        else wrote in between. The batch is empty then, also where this raises: no answer of it may leave.

        Raises:
            As `SeedStore.commit`.
        """
        changes, self._changes, self._rows = self._changes, [], {}
        if not changes:
            return set()
        done = self._store.commit(changes)
        return {change.id for change, version in zip(changes, done, strict=True) if not version}
