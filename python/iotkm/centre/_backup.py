"""Back-ups of the key database, and the audit that needs them.

A *mirror*, in a folder that should be on another disk, has each row as it was last written: a changed seed before its commit
returns, states after some thousand changes and at the end. *Snapshots* beside it are whole copies, made when it is time.
"""

import contextlib
import os
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from iotkm._errors import BadArgumentError
from iotkm.centre._keystore import Anchor, KeyStore
from iotkm.centre._merkle import Builder
from iotkm.centre._sqlite import Leaf, Rows, lock_rows
from iotkm.centre._store import BackupFailedError, RolledBackError, StoreFailedError
from iotkm.storage import sync_directory

_BATCH = 500
_MOST = 65_536
_RETRY = 5.0
Progress = Callable[[int, int], None]


class Backups:
    """A folder with the mirror and the snapshots of one key database."""

    def __init__(
        self,
        folder: str | os.PathLike[str],
        keys: KeyStore,
        *,
        keep: int = 7,
        every: float = 86_400,
        pending: int = 4096,
    ) -> None:
        """Opens it, or makes it.

        Args:
            folder: where; another disk than the key database's.
            keys: the centre's.
            keep: how many snapshots stay.
            every: seconds from one snapshot to the next.
            pending: after how many changed states the mirror follows.

        Raises:
            BadArgumentError: it is another keystore's.
            OSError: it cannot be written.
        """
        self.folder, self._keys, self._keep, self._every, self._bulk = Path(folder), keys, keep, every, pending
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = self.folder / "mirror.db"
        self.mirror = Rows(file, keys, create=not file.exists())
        self._ids: set[bytes] = set()
        self._all, self._again = False, 0.0
        self.trouble: BackupFailedError | None = None
        """Why the mirror could not be written when it was tried last."""

    def close(self) -> None:
        """Closes it. What is pending is written by the store's `close`, before."""
        self.mirror.close()

    def __repr__(self) -> str:
        return f"Backups({str(self.folder)!r})"

    @property
    def pending(self) -> int:
        """How many rows were written whose last change is not here yet."""
        return len(self._ids)

    def changed(self, ids: Iterable[bytes]) -> None:
        """These rows were written."""
        self._ids.update(ids)
        if len(self._ids) > max(_MOST, self._bulk):
            # They could not be copied for a long time: all rows are looked at then.
            self._ids.clear()
            self._all = True

    def follow(self, rows: Rows, head: Anchor) -> None:
        """Brings states into the mirror, if there are enough. That it cannot be written is no error yet: see `trouble`."""
        if (self._all or len(self._ids) >= self._bulk) and time.monotonic() >= self._again:
            with contextlib.suppress(BackupFailedError):
                self.flush(rows, head)

    def flush(self, rows: Rows, head: Anchor) -> None:
        """Brings what changed into the mirror, for good.

        Raises:
            BackupFailedError: it cannot be written; the next one tries again.
        """
        if self._all:
            self.catch_up(rows, head)
            return
        self.copy(rows, sorted(self._ids), head)
        self._ids.clear()

    def catch_up(self, rows: Rows, head: Anchor) -> None:
        """After a crash, or where the mirror is new: brings all that is newer into it.

        Raises:
            RolledBackError: it is newer than the key database.
            BackupFailedError: it cannot be written.
        """
        there = self.mirror.head()
        if there == head:
            return
        if there is not None and there.version > head.version:
            # What the keystore remembers was put back with it.
            raise RolledBackError(
                f"{rows.path} is at version {head.version}, its back-up at {there.version}: "
                "an old copy was put back: iotkm centre audit"
            )
        newer: list[bytes] = []
        for id, ours, theirs in _both(rows, self.mirror):
            if ours is None or theirs is None or ours.written > theirs.written:
                newer.append(id)
            if len(newer) == _BATCH:
                self.copy(rows, newer, None)
                newer = []
        self.copy(rows, newer, head)
        self._ids.clear()
        self._all = False

    def copy(self, rows: Rows, ids: list[bytes], head: Anchor | None) -> None:
        """Brings these rows into the mirror, which has all up to that version and root then.

        Raises:
            BackupFailedError: it cannot be written.
        """
        try:
            with self.mirror.writing():
                for id in ids:
                    leaf = rows.leaf(id)
                    if leaf is None:
                        if removed := rows.gone(id):
                            self.mirror.drop(id, removed)
                        else:
                            head = None
                        continue
                    there = self.mirror.leaf(id)
                    same = there is not None and there.digest == leaf.digest and self.mirror.seed(there) is not None
                    seed = None if same else rows.seed(leaf)
                    # What was changed beneath us does not get here.
                    if rows.is_ours(leaf) and (same or seed is not None):
                        self.mirror.put(leaf, seed)
                    else:
                        head = None
                if head is not None:
                    self.mirror.set_head(head)
        except StoreFailedError as error:
            self._again = time.monotonic() + _RETRY
            self.trouble = BackupFailedError(f"the back-up failed: {error}")
            raise self.trouble from error
        self.trouble = None

    def snapshots(self) -> list[Path]:
        """The snapshots, newest first."""
        return sorted(self.folder.glob("snapshot-*.db"), reverse=True)

    def snapshot_due(self) -> bool:
        """Whether the newest snapshot is older than `every`."""
        newest = next(iter(self.snapshots()), None)
        return newest is None or time.time() - newest.stat().st_mtime >= self._every

    def snapshot(self, path: Path) -> Path:
        """Copies the whole key database, as it is at one moment, while it is in use; old ones go.

        Raises:
            BackupFailedError: it cannot be written; those that there are stay.
        """
        new = self.folder / "snapshot.new"
        try:
            rows = Rows(path, self._keys, read_only=True)
            try:
                new.unlink(missing_ok=True)
                copy = sqlite3.connect(new)
                try:
                    os.chmod(new, 0o600)
                    rows.db.backup(copy, pages=4096)
                    copy.execute("PRAGMA journal_mode = DELETE")
                    (version,) = copy.execute("SELECT version FROM centre").fetchone()
                finally:
                    copy.close()
            finally:
                rows.close()
            made = self.folder / f"snapshot-{version:020}.db"
            os.replace(new, made)
            sync_directory(self.folder)
            for old in self.snapshots()[max(1, self._keep) :]:
                old.unlink()
        except (sqlite3.Error, OSError) as error:
            with contextlib.suppress(OSError):
                new.unlink(missing_ok=True)
            raise BackupFailedError(f"the snapshot in {self.folder} failed: {error}") from error
        return made


class Finding(NamedTuple):
    """A row that is not as it should be."""

    id: bytes
    """The device's id."""
    what: str
    """``"changed"``, ``"missing"``, ``"added"`` or ``"rolled back"``; ``"back-up"``: it is right, its back-up is not."""
    mendable: bool
    """Whether a back-up has what belongs there, or the row does not belong there at all."""


class Report(NamedTuple):
    """What an audit found."""

    rows: int
    """How many rows were looked at."""
    findings: list[Finding]
    """What is wrong, by id."""
    proven: bool
    """Whether the rows that are right and those of the back-ups together are all that was written, as the Merkle root shows.
    If not, something newer than the back-ups is lost."""
    head_wrong: bool
    """Whether the database's own version and root were changed, or are older than the keystore remembers."""

    @property
    def clean(self) -> bool:
        """Whether nothing is wrong."""
        return self.proven and not self.findings and not self.head_wrong


def audit(
    path: str | os.PathLike[str],
    keys: KeyStore,
    backups: Backups | None,
    *,
    repair: bool = False,
    discard: bool = False,
    progress: Progress | None = None,
) -> Report:
    """Looks at every row: is it what was written last, is any missing, was any added or put back? In use or not; memory does
    not grow with the rows.

    Args:
        path: the key database.
        keys: the centre's.
        backups: its back-ups; without, only rows that were changed are found one by one, and none is mended.
        repair: brings what belongs there from the back-ups; the centre must not run.
        discard: removes rows that were changed and that no back-up has: their devices have to be enrolled again.
        progress: is told (done, of how many).

    Raises:
        StorageInUseError: it is to be repaired, and is in use.
        StoreFailedError: it cannot be read or written.
    """
    file = Path(path)
    with contextlib.ExitStack() as open_things:
        if repair:
            open_things.enter_context(lock_rows(file))
        anchor = keys.anchor()
        sources = []
        for source in [backups.folder / "mirror.db", *backups.snapshots()] if backups is not None else []:
            try:
                sources.append(Rows(source, keys, read_only=True))
            except (BadArgumentError, StoreFailedError):
                if not sources:
                    raise
                continue  # a snapshot that was changed is none
            open_things.callback(sources[-1].close)
        rows = Rows(file, keys, read_only=not repair)
        open_things.callback(rows.close)
        if not repair:
            # Each as it is at one moment, the mirror's before the rows', which it follows.
            for each in (*sources[:1], rows):
                with each.reading():
                    each.db.execute("BEGIN")
                    each.count()
        with rows.reading():
            look = _Audit(rows, sources, repair, discard)
            report = look.run(anchor, progress)
            if repair:
                look.settle(anchor, keys, backups)
            return report


class _Audit:
    def __init__(self, rows: Rows, sources: list[Rows], repair: bool, discard: bool) -> None:
        self._rows, self._sources, self._repair, self._discard = rows, sources, repair, discard
        self._mirror = sources[0] if sources else None
        self._mirrored = self._mirror.head() if self._mirror is not None else None
        self._heads: list[Anchor] = []
        self._newest = 0
        self._right = self._whole = False
        self._mending: list[tuple[bytes, Leaf | None, bytes | None, int]] = []
        self._uncopied: list[bytes] = []

    def run(self, anchor: Anchor | None, progress: Progress | None) -> Report:
        head, total = self._rows.head(), self._rows.count()
        findings: list[Finding] = []
        tree, done = Builder(), 0
        remembered = anchor.version if anchor is not None else -1
        self._whole = anchor is not None and self._mirrored is not None and self._mirrored.version >= remembered
        following = 1 + max(one.version for one in (head, self._mirrored, anchor, Anchor(0, b"")) if one is not None)
        for id, ours, theirs in _both(self._rows, self._mirror):
            what, right, seed = self._judge(id, ours, theirs)
            if what == "back-up":
                findings.append(Finding(id, what, True))
                self._uncopied.append(id)
            elif what is not None:
                # What no back-up has does not belong there if the mirror has all that is remembered.
                mendable = right is not None or (what == "added" and (ours is None or self._whole or self._is_right(ours)))
                findings.append(Finding(id, what, mendable))
                if mendable:
                    self._mending.append((id, right, seed, 0))
                elif self._discard:
                    self._mending.append((id, None, None, following))
                else:
                    right = ours  # nothing is lost that somebody might read
            if right is not None:
                tree.add(right.bucket, right.tag)
                self._newest = max(self._newest, right.written if self._rows.is_ours(right) else 0)
            done += ours is not None
            if progress is not None and done % 1000 == 0:
                progress(done, max(done, total))
            if len(self._mending) == _BATCH:
                self._mend()
        self._mend()
        if progress is not None:
            progress(done, done)
        self._heads = [one for one in (head, self._mirrored) if one is not None and one.version >= remembered]
        root = tree.tree().root
        mended = all(finding.mendable for finding in findings)
        proven = mended and anchor is not None and root in [one.root for one in (*self._heads, anchor)]
        head_wrong = anchor is None or head not in self._heads or (head.version == remembered and head != anchor)
        self._right = proven and not head_wrong and head is not None and head.root == root
        return Report(done, findings, proven, head_wrong)

    def _mend(self) -> None:
        if self._repair and self._mending:
            with self._rows.writing():
                for id, leaf, seed, gone in self._mending:
                    self._rows.drop(id, gone)
                    if leaf is not None:
                        self._rows.put(leaf, seed)
        self._mending.clear()

    def settle(self, anchor: Anchor | None, keys: KeyStore, backups: Backups | None) -> None:
        """Version and root are what the rows are now; keystore and mirror follow."""
        if not self._right:
            known = [one.version for one in (self._rows.head(), self._mirrored, anchor) if one is not None]
            made = Anchor(max(self._newest, *known, 0) + 1, self._rows.tree()[0].root)
            with self._rows.writing():
                self._rows.set_head(made)
            keys.set_anchor(made)
        if backups is not None:
            head = self._rows.head()
            assert head is not None
            backups.copy(self._rows, self._uncopied, None)
            backups.catch_up(self._rows, head)

    def _is_right(self, leaf: Leaf) -> bool:
        return self._rows.is_ours(leaf) and self._rows.seed(leaf) is not None

    def _judge(
        self, id: bytes, ours: Leaf | None, theirs: Leaf | None
    ) -> tuple[str | None, Leaf | None, bytes | None]:
        """What is wrong with a row, the leaf that belongs there, and its seed if it is not there already."""
        rows, mirror = self._rows, self._mirror
        removed = max(rows.gone(id), mirror.gone(id) if mirror is not None else 0)
        if ours is not None and self._is_right(ours):
            if removed > ours.written:
                return "added", None, None
            if mirror is None:
                return None, ours, None
            if theirs is None:
                late = self._mirrored is None or ours.written > self._mirrored.version
                return None if late else "back-up", ours, None
            seed = mirror.seed(theirs)
            if seed is None or not mirror.is_ours(theirs):
                return "back-up", ours, None
            return ("rolled back", theirs, seed) if theirs.written > ours.written else (None, ours, None)
        for source in self._sources:
            leaf = theirs if source is mirror else source.leaf(id)
            if leaf is None or not source.is_ours(leaf) or leaf.written <= removed:
                continue
            seed = source.seed(leaf)
            if seed is not None:
                return "missing" if ours is None else "changed", leaf, seed
        if ours is not None:
            return "added" if mirror is not None and theirs is None else "changed", None, None
        return None if removed else "missing", None, None


def _both(rows: Rows, mirror: Rows | None) -> Iterator[tuple[bytes, Leaf | None, Leaf | None]]:
    """The ids of both in order, with what either has of each."""
    ours, theirs = rows.all_leaves(), mirror.all_leaves() if mirror is not None else iter(())
    a, b = next(ours, None), next(theirs, None)
    while a is not None or b is not None:
        if b is None or (a is not None and a.id < b.id):
            assert a is not None
            yield a.id, a, None
            a = next(ours, None)
        elif a is None or b.id < a.id:
            yield b.id, None, b
            b = next(theirs, None)
        else:
            yield a.id, a, b
            a, b = next(ours, None), next(theirs, None)


def restore(
    path: str | os.PathLike[str], keys: KeyStore, backups: Backups, *, progress: Progress | None = None
) -> Report:
    """Makes the key database anew from its back-ups, where there is none any more. Rows are not findings; `proven` says whether
    all are there.

    Raises:
        FileExistsError: there is one: audit and repair it.
        StoreFailedError: it cannot be written.
    """
    Rows(Path(path), keys, create=True).close()
    report = audit(path, keys, backups, repair=True, progress=progress)
    lost = [finding for finding in report.findings if not finding.mendable]
    return Report(len(report.findings) - len(lost), lost, report.proven, head_wrong=False)
