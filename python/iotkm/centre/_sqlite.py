"""The key database in one SQLite file.

Each row has a tag, HMAC-SHA256 under a key that the keystore gives, over id, versions, digest of the seed and state. The Merkle
root of all tags is written, with a code of the keystore, in the transaction that changes rows; the keystore remembers it too (its
*anchor*): at once where a seed was written, else every so many seconds. So rows that are changed, missing, added or put back are
noticed: at opening, and beneath a running centre at the next use.
"""

import hashlib
import hmac
import os
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any, NamedTuple, Self

from iotkm._errors import BadArgumentError
from iotkm.centre._keystore import Anchor, KeyStore
from iotkm.centre._merkle import BUCKETS, Builder, Tree, bucket_digest, bucket_of
from iotkm.centre._store import BackupFailedError, Change, RolledBackError, Row, StoreFailedError, TamperedError
from iotkm.storage import StorageInUseError, lock_file

if TYPE_CHECKING:
    from iotkm.centre._backup import Backups

_SCHEMA = """
CREATE TABLE centre (
  fingerprint BLOB NOT NULL, -- of the keystore
  version INTEGER NOT NULL, root BLOB NOT NULL, tag BLOB NOT NULL
) STRICT;
CREATE TABLE leaf (
  id BLOB NOT NULL UNIQUE, bucket INTEGER NOT NULL, version INTEGER NOT NULL, -- of the row
  written INTEGER NOT NULL, -- by the centre's version so numbered
  digest BLOB NOT NULL, -- of the seed
  state BLOB NOT NULL, tag BLOB NOT NULL, PRIMARY KEY (bucket, id)
) STRICT, WITHOUT ROWID;
CREATE TABLE seed (id BLOB PRIMARY KEY, seed BLOB NOT NULL) STRICT;
CREATE TABLE gone (id BLOB PRIMARY KEY, written INTEGER NOT NULL, tag BLOB NOT NULL) STRICT, WITHOUT ROWID
"""
_LEAF = "SELECT id, bucket, version, written, digest, state, tag FROM leaf"
_PAGE = 1000


class Leaf(NamedTuple):
    """What of a row is in the tree."""

    id: bytes
    bucket: int
    version: int
    written: int
    digest: bytes
    state: bytes
    tag: bytes


class Rows:
    """One file of rows: the key database itself, its mirror, a snapshot of it. No tree, no order of what is written when."""

    def __init__(self, path: Path, keys: KeyStore, *, create: bool = False, read_only: bool = False) -> None:
        if create:
            with open(path, "xb"):
                os.chmod(path, 0o600)
        elif not path.is_file():
            raise BadArgumentError(f"there is no {path}")
        self.path = path
        self._keys = keys
        self._row_key = keys.mac(b"rows")
        address = f"{path.absolute().as_uri()}?mode={'ro' if read_only else 'rw'}"
        self.db = sqlite3.connect(address, uri=True, isolation_level=None, timeout=30, check_same_thread=False)
        try:
            if not read_only:
                with self.reading():
                    # Rows change at random: pages come together in 32 MB of log before they go home, 16 MB stay in memory.
                    for setting in ("journal_mode = WAL", "synchronous = FULL", "wal_autocheckpoint = 8000", "cache_size = -16000"):
                        self.db.execute(f"PRAGMA {setting}")
            if create:
                with self.writing():
                    for statement in _SCHEMA.split(";\n"):
                        self.db.execute(statement)
                    made = (keys.fingerprint(), 0, Tree().root, b"")
                    self.db.execute("INSERT INTO centre VALUES (?, ?, ?, ?)", made)
                    self.set_head(Anchor(0, Tree().root))
            try:
                found = self.db.execute("SELECT fingerprint FROM centre").fetchone()
            except sqlite3.Error as error:
                raise BadArgumentError(f"{path} is no key database ({error})") from None
            if found is None or found[0] != keys.fingerprint():
                raise BadArgumentError(f"{path} is another keystore's, or was changed: then restore it from its back-ups")
        except BaseException:
            self.db.close()
            if create:
                path.unlink(missing_ok=True)
            raise

    def close(self) -> None:
        self.db.close()

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Errors of SQLite as ours."""
        try:
            yield
        except sqlite3.Error as error:
            raise StoreFailedError(f"{self.path} cannot be read or written ({error}); nothing was changed") from error

    @contextmanager
    def writing(self) -> Iterator[None]:
        """A transaction: all of it or nothing."""
        try:
            self.db.execute("BEGIN IMMEDIATE")
            yield
            self.db.execute("COMMIT")
        except BaseException as error:
            # Where the disk is full SQLite may have ended it already.
            if self.db.in_transaction:
                self.db.execute("ROLLBACK")
            if isinstance(error, sqlite3.Error):
                with suppress(sqlite3.Error):
                    # The log may hold room that the next try needs.
                    self.db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                raise StoreFailedError(
                    f"{self.path} cannot be written ({error}); nothing was changed: make room, or let it be written"
                ) from error
            raise

    def tag_of(self, id: bytes, version: int, written: int, digest: bytes, state: bytes) -> bytes:
        data = version.to_bytes(8, signed=True) + written.to_bytes(8, signed=True) + len(id).to_bytes(2) + id + digest + state
        return hmac.digest(self._row_key, data, "sha256")

    def is_ours(self, leaf: Leaf) -> bool:
        """Whether it was written by who has the keystore."""
        if leaf.bucket != bucket_of(leaf.id):
            return False
        right = self.tag_of(leaf.id, leaf.version, leaf.written, leaf.digest, leaf.state)
        return hmac.compare_digest(right, leaf.tag)

    def leaves_of(self, buckets: Sequence[int]) -> dict[int, list[Leaf]]:
        """The leaves of each of these buckets, in the order of their ids."""
        found: dict[int, list[Leaf]] = {bucket: [] for bucket in buckets}
        for some in _some(buckets):
            for row in self.db.execute(f"{_LEAF} WHERE bucket IN ({_marks(some)}) ORDER BY bucket, id", some):
                found[row[1]].append(Leaf._make(row))
        return found

    def seeds(self, leaves: Sequence[Leaf]) -> dict[bytes, bytes]:
        """The seeds of these leaves, by id: those that belong to them."""
        right = {leaf.id: leaf.digest for leaf in leaves}
        found = {}
        for some in _some([*right]):
            for id, seed in self.db.execute(f"SELECT id, seed FROM seed WHERE id IN ({_marks(some)})", some):
                if isinstance(seed, bytes) and hashlib.sha256(seed).digest() == right[id]:
                    found[id] = seed
        return found

    def put_states(self, leaves: Sequence[Leaf]) -> bool:
        """Writes rows whose seeds stay; whether all of them were there. In a transaction."""
        update = "UPDATE leaf SET version = ?, written = ?, state = ?, tag = ? WHERE bucket = ? AND id = ?"
        values = [(leaf.version, leaf.written, leaf.state, leaf.tag, leaf.bucket, leaf.id) for leaf in leaves]
        return not values or self.db.executemany(update, values).rowcount == len(values)

    def leaf(self, id: bytes) -> Leaf | None:
        found = self.db.execute(f"{_LEAF} WHERE id = ?", (id,)).fetchone()
        return Leaf(*found) if found else None

    def leaf_page(self, after: bytes | None, limit: int) -> list[Leaf]:
        where, values = ("WHERE id > ?", (after, limit)) if after is not None else ("", (limit,))
        return [Leaf(*row) for row in self.db.execute(f"{_LEAF} {where} ORDER BY id LIMIT ?", values)]

    def all_leaves(self) -> Iterator[Leaf]:
        """In the order of their ids, a page at a time."""
        after: bytes | None = None
        while page := self.leaf_page(after, _PAGE):
            yield from page
            after = page[-1].id

    def seed(self, leaf: Leaf) -> bytes | None:
        """The leaf's seed, if it is the one that belongs to it."""
        found = self.db.execute("SELECT seed FROM seed WHERE id = ?", (leaf.id,)).fetchone()
        if found is None or not isinstance(found[0], bytes) or hashlib.sha256(found[0]).digest() != leaf.digest:
            return None
        seed: bytes = found[0]
        return seed

    def gone(self, id: bytes) -> int:
        """The centre's version that removed this row; 0: none did."""
        found = self.db.execute("SELECT written, tag FROM gone WHERE id = ?", (id,)).fetchone()
        return found[0] if found and hmac.compare_digest(self.tag_of(id, 0, found[0], b"gone", b""), found[1]) else 0

    def put(self, leaf: Leaf, seed: bytes | None) -> None:
        """Writes a row; the seed where there is one. In a transaction."""
        id, bucket, *rest = leaf
        update = "UPDATE leaf SET version = ?, written = ?, digest = ?, state = ?, tag = ? WHERE bucket = ? AND id = ?"
        if self.db.execute(update, (*rest, bucket, id)).rowcount == 0:
            self.db.execute("INSERT OR REPLACE INTO leaf VALUES (?, ?, ?, ?, ?, ?, ?)", leaf)
        if seed is not None:
            self.db.execute("INSERT OR REPLACE INTO seed VALUES (?, ?)", (leaf.id, seed))
            self.db.execute("DELETE FROM gone WHERE id = ?", (leaf.id,))

    def drop(self, id: bytes, written: int) -> None:
        """Removes a row, for good if the centre's version is given. In a transaction."""
        self.db.execute("DELETE FROM leaf WHERE id = ?", (id,))
        self.db.execute("DELETE FROM seed WHERE id = ?", (id,))
        if written:
            tag = self.tag_of(id, 0, written, b"gone", b"")
            self.db.execute("INSERT OR REPLACE INTO gone VALUES (?, ?, ?)", (id, written, tag))

    def head(self) -> Anchor | None:
        """Version and root, if the keystore wrote them."""
        version, root, tag = self.db.execute("SELECT version, root, tag FROM centre").fetchone()
        anchor = Anchor(version, root)
        return anchor if hmac.compare_digest(tag, self._head_tag(anchor)) else None

    def set_head(self, anchor: Anchor) -> None:
        """In a transaction."""
        self.db.execute("UPDATE centre SET version = ?, root = ?, tag = ?", (*anchor, self._head_tag(anchor)))

    def _head_tag(self, anchor: Anchor) -> bytes:
        return self._keys.mac(b"head" + anchor.version.to_bytes(8, signed=True) + anchor.root)

    def tree(self) -> tuple[Tree, bool]:
        """The tree of what is there; whether each row is ours."""
        made, ours = Builder(), True
        for row in self.db.execute(f"{_LEAF} ORDER BY bucket, id"):
            leaf = Leaf(*row)
            ours = ours and self.is_ours(leaf)
            made.add(leaf.bucket % BUCKETS, leaf.tag)
        return made.tree(), ours

    def count(self) -> int:
        (count,) = self.db.execute("SELECT count(*) FROM leaf").fetchone()
        return int(count)


def _some(values: Sequence[Any]) -> Iterator[Sequence[Any]]:
    """As many as a statement takes; few lengths, so that statements are prepared once."""
    for size in (256, 16, 1):
        while len(values) >= size:
            yield values[:size]
            values = values[size:]


def _marks(values: Sequence[Any]) -> str:
    return ",".join("?" * len(values))


def lock_rows(path: Path) -> IO[bytes]:
    """For the one process that writes this file.

    Raises:
        StorageInUseError: another one does.
        StoreFailedError: there cannot be written.
    """
    try:
        return lock_file(path.with_name(path.name + ".lock"))
    except StorageInUseError:
        raise
    except OSError as error:
        raise StoreFailedError(f"{path} cannot be written ({error}); nothing was changed") from error


class _Read(NamedTuple):
    """What was read last, for the commit that follows."""

    leaves: dict[int, list[Leaf]]
    """By their buckets."""
    places: dict[bytes, int]
    """The buckets of ids."""
    ours: set[bytes]
    """Whose rows were written by who has the keystore."""


class _Work:
    """What a commit makes of the rows that it touches."""

    def __init__(self, now: dict[bytes, Leaf | None], ours: set[bytes]) -> None:
        self.now, self.ours = now, ours
        self.touched: dict[bytes, None] = {}  # in this order
        self.seeds: dict[bytes, bytes | None] = {}


class SqliteSeedStore:
    """A `SeedStore` in one file, for one process at a time."""

    def __init__(
        self,
        path: str | os.PathLike[str],
        keys: KeyStore,
        *,
        backups: "Backups | None" = None,
        anchor_seconds: float = 1.0,
    ) -> None:
        """Opens it, and checks every row's tag, and all of them against what the keystore remembers.

        Args:
            path: the file; beside it lie SQLite's own and ``.lock``.
            keys: the centre's.
            backups: where changes are backed up to.
            anchor_seconds: how old the keystore's anchor may be while only states change. What a rollback could hide is
                what came in that time before a crash; a token can write only so often.

        Raises:
            TamperedError: rows are not what was written; `audit` finds which.
            RolledBackError: it is older than the keystore remembers.
            BadArgumentError: it is no key database, or another keystore's.
            StorageInUseError: another process has it.
            StoreFailedError: it cannot be read or written.
        """
        self._open(Path(path), keys, backups, anchor_seconds, create=False)
        try:
            self._check()
            self._catch_up()
        except BaseException:
            self._let_go()
            raise

    def _open(
        self, path: Path, keys: KeyStore, backups: "Backups | None", anchor_seconds: float, *, create: bool
    ) -> None:
        self.path, self._keys, self._backups, self._anchor_seconds = path, keys, backups, anchor_seconds
        self.trouble: StoreFailedError | None = None
        """Why it could not be written when it was tried last."""
        self._mutex = threading.RLock()
        self._lock = lock_rows(path)
        try:
            self.rows = Rows(path, keys, create=create)
        except BaseException:
            self._lock.close()
            raise
        self._anchored = time.monotonic()
        self._version, self._tree = 0, Tree()
        self._read = _Read({}, {}, set())
        # Whose seeds keystore or back-up do not have yet: nothing of theirs leaves before.
        self._owed: set[bytes] = set()

    @classmethod
    def create(
        cls,
        path: str | os.PathLike[str],
        keys: KeyStore,
        *,
        backups: "Backups | None" = None,
        anchor_seconds: float = 1.0,
    ) -> Self:
        """Makes an empty one. The keystore must not have one yet.

        Raises:
            FileExistsError: there is a file of that name.
            BadArgumentError: the keystore has a key database.
            StoreFailedError: it cannot be written.
        """
        if keys.anchor() is not None:
            raise BadArgumentError("the keystore has a key database already: restore it, or make another keystore")
        store = cls.__new__(cls)
        store._open(Path(path), keys, backups, anchor_seconds, create=True)
        try:
            store._catch_up()
        except BaseException:
            store._let_go()
            Path(path).unlink()
            raise
        return store

    def _check(self) -> None:
        anchor = self._keys.anchor()
        with self.rows.reading():
            head = self.rows.head()
            tree, ours = self.rows.tree()
        if anchor is None:
            raise RolledBackError("the keystore remembers no key database: its anchor was lost")
        if head is None:
            raise TamperedError(f"the head of {self.path} was changed: iotkm centre audit")
        if head.version < anchor.version or (head.version == anchor.version and head.root != anchor.root):
            raise RolledBackError(
                f"{self.path} is at version {head.version}, the keystore remembers {anchor.version}: "
                "an old copy was put back: iotkm centre audit"
            )
        if not ours or tree.root != head.root:
            raise TamperedError(f"rows of {self.path} were changed, added, removed or put back: iotkm centre audit")
        self._version, self._tree = head.version, tree

    def _catch_up(self) -> None:
        with self._mutex:
            if self._backups is not None:
                self._backups.catch_up(self.rows, self.head)
            self._anchor()

    def close(self) -> None:
        """Writes what is due to keystore and back-up, and closes."""
        try:
            self.flush()
        finally:
            self._let_go()

    def _let_go(self) -> None:
        self.rows.close()
        self._lock.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<SqliteSeedStore {str(self.path)!r} version {self._version}>"

    @property
    def head(self) -> Anchor:
        """Version and Merkle root of what is there."""
        return Anchor(self._version, self._tree.root)

    def count(self) -> int:
        """See `SeedStore.count`."""
        with self._mutex, self.rows.reading():
            return self.rows.count()

    def get(self, ids: Sequence[bytes]) -> list[Row | None]:
        """See `SeedStore.get`."""
        with self._mutex, self.rows.reading():
            places = {id: bucket_of(id) for id in ids}
            found = self._buckets({*places.values()})
            leaves = {leaf.id: leaf for bucket in found.values() for leaf in bucket if leaf.id in places}
            seeds = self.rows.seeds([*leaves.values()])
            for id, leaf in leaves.items():
                if id not in seeds or not self.rows.is_ours(leaf):
                    raise self._changed(id)
            self._read = _Read(found, places, {*leaves})
            rows = {id: Row(id, leaf.version, seeds[id], leaf.state) for id, leaf in leaves.items()}
            return [rows.get(id) for id in ids]

    def page(self, after: bytes | None = None, limit: int = 1000) -> list[Row]:
        """See `SeedStore.page`."""
        with self._mutex, self.rows.reading():
            leaves = self.rows.leaf_page(after, limit)
        return [row for row in self.get([leaf.id for leaf in leaves]) if row is not None]

    def _buckets(self, numbers: Iterable[int]) -> dict[int, list[Leaf]]:
        """The rows of these buckets, if together they are what was written."""
        found = self.rows.leaves_of([*numbers])
        for number, leaves in found.items():
            if bucket_digest(leaf.tag for leaf in leaves) != self._tree.bucket(number):
                raise TamperedError(f"rows of {self.path} were changed, added, removed or put back: iotkm centre audit")
        return found

    def _changed(self, id: bytes) -> TamperedError:
        return TamperedError(f"the row of {id!r} in {self.path} was changed: iotkm centre audit")

    def commit(self, changes: Sequence[Change]) -> list[int]:
        """See `SeedStore.commit`."""
        with self._mutex:
            version = self._version + 1
            before: dict[int, bytes] = {}
            # What was read for these changes was checked; nobody but us writes it.
            read, self._read = self._read, _Read({}, {}, set())
            try:
                with self.rows.writing():
                    places = {one.id: read.places[one.id] if one.id in read.places else bucket_of(one.id) for one in changes}
                    found = read.leaves | self._buckets({*places.values()} - {*read.leaves})
                    there = {leaf.id: leaf for number in {*places.values()} for leaf in found[number]}
                    work = _Work({id: there.get(id) for id in places}, read.ours)
                    done = [self._change(change, version, places[change.id], work) for change in changes]
                    if not any(done):
                        return [0] * len(changes)
                    for id in work.touched:
                        leaves = [leaf for leaf in found[places[id]] if leaf.id != id]
                        new = work.now[id]
                        found[places[id]] = sorted([*leaves, new]) if new is not None else leaves
                    touched = {places[id] for id in work.touched}
                    before = self._tree.update({n: bucket_digest(leaf.tag for leaf in found[n]) for n in touched})
                    self._write(work, version)
                    self.rows.set_head(Anchor(version, self._tree.root))
            except BaseException as error:
                self._tree.update(before)
                if isinstance(error, StoreFailedError):
                    self.trouble = error
                raise
            self._version, self.trouble = version, None
            both = [*zip(changes, done, strict=True)]
            seeds = any(was and (change.seed is not None or change.remove) for change, was in both)
            self._after([change.id for change, was in both if was], seeds)
            return [change.version + 1 if was else 0 for change, was in both]

    def _change(self, change: Change, written: int, bucket: int, work: "_Work") -> bool:
        id, leaf = change.id, work.now[change.id]
        if leaf is not None and id not in work.ours and not self.rows.is_ours(leaf):
            # Its tag alone is in the tree.
            raise self._changed(id)
        if (leaf.version if leaf else 0) != change.version or (change.remove and leaf is None):
            return False
        work.touched[id] = None
        work.ours.add(id)
        if change.remove:
            work.now[id] = None
            work.seeds[id] = None
            return True
        if change.seed is None and leaf is None:
            raise BadArgumentError("a new row has a seed")
        digest = hashlib.sha256(change.seed).digest() if change.seed is not None else leaf.digest if leaf else b""
        state = change.state if change.state is not None else leaf.state if leaf else b""
        version = change.version + 1
        tag = self.rows.tag_of(id, version, written, digest, state)
        work.now[id] = Leaf(id, bucket, version, written, digest, state, tag)
        if change.seed is not None:
            work.seeds[id] = change.seed
        return True

    def _write(self, work: "_Work", written: int) -> None:
        states = []
        for id in work.touched:
            leaf = work.now[id]
            if leaf is None:
                self.rows.drop(id, written)
            elif id in work.seeds:
                self.rows.put(leaf, work.seeds[id])
            else:
                states.append(leaf)
        if not self.rows.put_states(states):
            raise TamperedError(f"rows of {self.path} were removed: iotkm centre audit")

    def _after(self, ids: Sequence[bytes], seeds: bool) -> None:
        seeds = seeds or bool(self._owed and not self._owed.isdisjoint(ids))
        if seeds:
            self._owed.update(ids)
        if self._backups is not None:
            self._backups.changed(ids)
            if seeds:
                self._backups.flush(self.rows, self.head)
            else:
                self._backups.follow(self.rows, self.head)
        if seeds or time.monotonic() - self._anchored >= self._anchor_seconds:
            self._anchor()
        if seeds:
            self._owed.clear()

    def flush(self) -> None:
        """Brings keystore and back-up up to date, at the end of a day's work.

        Raises:
            BackupFailedError: one of them cannot be written.
        """
        with self._mutex:
            if self._backups is not None:
                self._backups.flush(self.rows, self.head)
            self._anchor()

    def _anchor(self) -> None:
        if self._keys.anchor() != self.head:
            try:
                self._keys.set_anchor(self.head)
            except OSError as error:
                raise BackupFailedError(f"the keystore cannot remember the key database's root: {error}") from error
        self._anchored = time.monotonic()
