"""The rows of a centre's devices: what a store of them is, in one file or in a distributed database."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from iotkm._errors import IotkmError


class Row(NamedTuple):
    """A device in the key database, in two parts as the core's `Row` has them."""

    id: bytes
    """The device's id."""
    version: int
    """How often it was written, from 1 on."""
    seed: bytes
    """The sealed key seed: what seldom changes."""
    state: bytes
    """Everything else: what each authentication changes, and small."""


class Change(NamedTuple):
    """A row as it shall be, if it still is what it was: compare and swap."""

    id: bytes
    """The device's id."""
    version: int
    """The version that the row has now; 0: there is no such row."""
    seed: bytes | None = None
    """The new seed; ``None``: it stays. Where it is given, be it the same one, keystore and back-up have the row when the
    commit returns: so for all that must not be lost."""
    state: bytes | None = None
    """The new state; ``None``: it stays."""
    remove: bool = False
    """Removes the row instead."""


class SeedStore(Protocol):
    """What an authentication centre needs of its key database. Calls may come from any thread.

    Ids are whatever bytes devices have; order and pages are by id. A distributed database fits where it has transactions of
    a batch, or does the rows of a batch one by one: no change depends on another one's.
    """

    def get(self, ids: Sequence[bytes]) -> list[Row | None]:
        """The rows of these devices, in this order.

        Raises:
            TamperedError: one is not what was written here.
        """

    def commit(self, changes: Sequence[Change]) -> list[int]:
        """Does all these changes, in this order, but for those whose row has another version; durable when it returns.

        Returns:
            For each change the row's new version; 0: nothing was changed, read the row again.

        Raises:
            TamperedError: a row is not what was written here; nothing was changed.
            StoreFailedError: it cannot be written; nothing was changed.
            BackupFailedError: it was changed here, but is not where it has to be too: do not act on it, read it again.
        """

    def page(self, after: bytes | None = None, limit: int = 1000) -> list[Row]:
        """The rows behind that id, at most so many; empty: there are no more. That one is missing is not seen here.

        Raises:
            TamperedError: one is not what was written here.
        """

    def count(self) -> int:
        """How many rows there are."""


class TamperedError(IotkmError, ValueError):
    """Rows of the key database are not what was written: `audit` finds which, and restores them."""

    code = -115


class RolledBackError(TamperedError):
    """The key database is older than the keystore remembers: an old copy was put back."""


class StoreFailedError(IotkmError, OSError):
    """The key database cannot be written or read (disk full, read-only); nothing was changed."""

    code = -116


class BackupFailedError(StoreFailedError):
    """The key database was written, but not its back-up or the keystore's anchor: both are tried again with the next commit."""

    code = -117
