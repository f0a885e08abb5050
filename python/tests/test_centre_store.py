"""The key database: compare and swap, what was tampered with, back-ups, disks that are full."""

import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from softhsm import SoftHsm

pytest.importorskip("argon2")

from iotkm import BadArgumentError  # noqa: E402
from iotkm.authority import Cost  # noqa: E402
from iotkm.centre import (  # noqa: E402
    Anchor,
    BackupFailedError,
    Backups,
    Batch,
    Change,
    FileKeyStore,
    RolledBackError,
    Row,
    SqliteSeedStore,
    StoreFailedError,
    TamperedError,
    audit,
    restore,
)
from iotkm.centre._merkle import BUCKETS, Builder, Tree, bucket_digest, bucket_of  # noqa: E402
from iotkm.storage import StorageInUseError  # noqa: E402

CHEAP = Cost(1, 64, 1)
MANY = 700


class Centre(NamedTuple):
    """What one centre has on its disks."""

    folder: Path
    keys: FileKeyStore
    backups: Backups

    @property
    def path(self) -> Path:
        return self.folder / "centre.db"

    def open(self, anchor_seconds: float = 0.0) -> SqliteSeedStore:
        return SqliteSeedStore(self.path, self.keys, backups=self.backups, anchor_seconds=anchor_seconds)

    def tamper(self, *statements: str, file: str = "centre.db") -> None:
        db = sqlite3.connect(self.folder / file)
        for statement in statements:
            db.execute(statement)
        db.commit()
        db.close()

    def refused(self, error: type[Exception] = TamperedError) -> None:
        with pytest.raises(error):
            self.open()

    def findings(self, repair: bool = False) -> list[tuple[bytes, str]]:
        return [(one.id, one.what) for one in audit(self.path, self.keys, self.backups, repair=repair).findings]


@pytest.fixture
def centre(tmp_path: Path) -> Iterator[Centre]:
    keys = FileKeyStore.create(tmp_path / "keys", b"correct horse", cost=CHEAP)
    backups = Backups(tmp_path / "backups", keys)
    SqliteSeedStore.create(tmp_path / "centre.db", keys, backups=backups).close()
    yield Centre(tmp_path, keys, backups)
    backups.close()


def name(number: int) -> bytes:
    return b"device-%05d" % number


def fill(store: SqliteSeedStore, count: int = MANY) -> None:
    made = store.commit([Change(name(n), 0, seed=b"seed of %d" % n * 90, state=bytes(12)) for n in range(count)])
    assert all(made)


def everything(store: SqliteSeedStore) -> dict[bytes, Row]:
    rows: dict[bytes, Row] = {}
    while page := store.page(max(rows, default=None), 100):
        rows |= {row.id: row for row in page}
    return rows


def states(store: SqliteSeedStore, numbers: range, state: bytes) -> None:
    rows = store.get([name(n) for n in numbers])
    assert all(store.commit([Change(row.id, row.version, state=state) for row in rows if row is not None]))


# ---- compare and swap ----


def test_compare_and_swap(centre: Centre) -> None:
    with centre.open() as store:
        assert store.commit([Change(b"a", 0, seed=b"seed a"), Change(b"b", 0, seed=b"seed b", state=b"1")]) == [1, 1]
        assert store.commit([Change(b"a", 0, seed=b"other"), Change(b"b", 1, state=b"2")]) == [0, 2]
        assert store.commit([Change(b"b", 1, state=b"3"), Change(b"c", 4, state=b"3")]) == [0, 0]
        assert store.head.version == 2
        assert store.get([b"b", b"c", b"a"]) == [Row(b"b", 2, b"seed b", b"2"), None, Row(b"a", 1, b"seed a", b"")]
        # In order: the second sees the first.
        assert store.commit([Change(b"a", 1, state=b"x"), Change(b"a", 1, state=b"y"), Change(b"a", 2, state=b"z")]) == [2, 0, 3]
        assert store.commit([Change(b"a", 3, remove=True), Change(b"c", 0, remove=True)]) == [4, 0]
        assert store.commit([Change(b"a", 0, seed=b"seed again")]) == [1]
        with pytest.raises(BadArgumentError):
            store.commit([Change(b"b", 2, state=b"lost"), Change(b"d", 0, state=b"without one")])
        assert store.get([b"b"]) == [Row(b"b", 2, b"seed b", b"2")] and store.head.version == 5
        assert store.count() == 2 and store.commit([]) == []
        head = store.head
    with centre.open() as store:
        assert store.head == head and sorted(everything(store)) == [b"a", b"b"]
    assert audit(centre.path, centre.keys, centre.backups).clean


def test_a_batch_of_swaps(centre: Centre) -> None:
    with centre.open() as store:
        fill(store, 3)
        batch = Batch(store)
        batch.load([name(0), name(1), name(0), b"nobody"])
        assert batch.get(b"nobody") is None and batch.swap(b"nobody", 1, b"without a seed") is False
        assert batch.swap(name(0), 2, b"a") and not batch.swap(name(0), 2, b"b") and batch.swap(name(0), 3, b"c")
        assert batch.swap(name(1), 2, b"a", b"a new seed") and batch.swap(name(7), 1, b"new", b"seed")
        assert store.get([name(0)])[0] != batch.get(name(0)), "not before the commit"
        assert batch.commit() == set() == batch.commit()
        assert store.get([name(0), name(1), name(7)]) == [
            Row(name(0), 3, b"seed of 0" * 90, b"c"),
            Row(name(1), 2, b"a new seed", b"a"),
            Row(name(7), 1, b"seed", b"new"),
        ]
        assert batch.swap(name(2), 2, b"late") and batch.swap(name(0), 4, b"d")
        store.commit([Change(name(2), 1, state=b"first")])
        assert batch.commit() == {name(2)}
        row = batch.get(name(2))
        assert row is not None and row.state == b"first"
        assert batch.swap(name(2), 3, b"lost")
        end = full(store.rows.db)
        with pytest.raises(StoreFailedError):
            batch.swap(name(20), 1, b"", bytes(9000))
            batch.commit()
        end()
        assert batch.commit() == set() and store.get([name(2)])[0] == row
        # One that was tampered with does not keep the others from their answers.
        centre.tamper("UPDATE leaf SET state = x'00' WHERE id = cast('device-00000' AS BLOB)")
        batch.load([name(0), name(1)])
        with pytest.raises(TamperedError):
            batch.get(name(0))
        with pytest.raises(TamperedError):
            batch.swap(name(0), 4, b"lost")
        assert batch.swap(name(1), 3, b"served") and batch.commit() == set()


def test_pages_by_key(centre: Centre) -> None:
    with centre.open() as store:
        assert store.page() == []
        fill(store)
        assert [row.id for row in store.page(None, 3)] == [name(0), name(1), name(2)]
        assert [row.id for row in store.page(name(3) + b"x", 2)] == [name(4), name(5)]
        assert [*everything(store)] == [name(n) for n in range(MANY)] and store.page(name(MANY)) == []


def test_the_tree_is_what_its_words_say() -> None:
    tags = {b"%d" % n: random.Random(n).randbytes(32) for n in range(2000)}
    builder = Builder()
    for id, tag in sorted(tags.items()):
        builder.add(bucket_of(id), tag)
    buckets: dict[int, list[bytes]] = {}
    for id in sorted(tags):
        buckets.setdefault(bucket_of(id), []).append(tags[id])
    tree = Tree()
    before = tree.update({number: bucket_digest(found) for number, found in buckets.items()})
    assert tree.root == builder.tree().root != Tree().root
    tree.update(before)
    assert tree.root == Tree().root == Tree(bytes(32 * BUCKETS)).root


def test_opened_by_one_with_its_keys(centre: Centre, tmp_path: Path) -> None:
    with centre.open() as store:
        fill(store, 3)
        with pytest.raises(StorageInUseError):
            centre.open()
        with pytest.raises(StorageInUseError):
            audit(centre.path, centre.keys, centre.backups, repair=True)
        assert audit(centre.path, centre.keys, centre.backups).clean, "looking is allowed"
    with FileKeyStore.create(tmp_path / "others", b"word", cost=CHEAP) as others:
        with pytest.raises(BadArgumentError, match="another keystore"):
            SqliteSeedStore(centre.path, others)
        with pytest.raises(BadArgumentError, match="another keystore"):
            Backups(centre.backups.folder, others)
    with pytest.raises(BadArgumentError, match="has a key database"):
        SqliteSeedStore.create(tmp_path / "second.db", centre.keys)
    with pytest.raises(BadArgumentError, match="there is no"):
        SqliteSeedStore(tmp_path / "second.db", centre.keys)
    (tmp_path / "second.db").write_bytes(b"something else" * 100)
    with pytest.raises((BadArgumentError, StoreFailedError)):
        SqliteSeedStore(tmp_path / "second.db", centre.keys)
    assert centre.path.stat().st_mode & 0o777 == 0o600


# ---- tampered with ----

WRONG = {
    "seed": ("UPDATE seed SET seed = x'00' WHERE id = cast('device-00007' AS BLOB)", "changed"),
    "state": ("UPDATE leaf SET state = x'00' WHERE id = cast('device-00007' AS BLOB)", "changed"),
    "written": ("UPDATE leaf SET written = 99 WHERE id = cast('device-00007' AS BLOB)", "changed"),
    "negative": ("UPDATE leaf SET written = -1 WHERE id = cast('device-00007' AS BLOB)", "changed"),
    "version": ("UPDATE leaf SET version = 9 WHERE id = cast('device-00007' AS BLOB)", "changed"),
    "tag": ("UPDATE leaf SET tag = zeroblob(32) WHERE id = cast('device-00007' AS BLOB)", "changed"),
    "bucket": ("UPDATE leaf SET bucket = 5 WHERE id = cast('device-00007' AS BLOB)", "changed"),
    "no seed": ("DELETE FROM seed WHERE id = cast('device-00007' AS BLOB)", "changed"),
    "no row": ("DELETE FROM leaf WHERE id = cast('device-00007' AS BLOB)", "missing"),
    "swapped": (
        "UPDATE leaf SET (digest, state, tag) = (SELECT digest, state, tag FROM leaf WHERE id = cast('device-00008' AS BLOB)) "
        "WHERE id = cast('device-00007' AS BLOB)",
        "changed",
    ),
}


@pytest.mark.parametrize("how", WRONG)
def test_a_row_tampered_with(centre: Centre, how: str) -> None:
    statement, what = WRONG[how]
    with centre.open() as store:
        fill(store, 60)
        states(store, range(0, 20), b"counter 1")
        store.flush()
        before = everything(store)
        assert audit(centre.path, centre.keys, centre.backups).clean
        # Beneath a running centre.
        centre.tamper(statement)
        with pytest.raises(TamperedError):
            store.get([name(7)])
        if how != "no row":
            with pytest.raises(TamperedError):
                store.page(name(5), 5)
        if how not in ("seed", "no seed"):  # which counters do not read
            with pytest.raises(TamperedError):
                store.commit([Change(name(6), 2, state=b"lost"), Change(name(7), 2, state=b"counter 2")])
        assert store.get([name(6)])[0] == before[name(6)], "the others are served"
    if how not in ("seed", "no seed"):
        centre.refused()
    report = audit(centre.path, centre.keys, centre.backups)
    assert [one[:] for one in report.findings] == [(name(7), what, True)]
    assert report.proven and not report.clean and report.rows == (60 if how != "no row" else 59)
    assert centre.findings(repair=True) == [(name(7), what)]
    assert audit(centre.path, centre.keys, centre.backups).clean
    with centre.open() as store:
        assert everything(store) == before


def test_many_rows_tampered_with(centre: Centre) -> None:
    with centre.open() as store:
        fill(store)
        before = everything(store)
    other = "INSERT INTO leaf SELECT cast('added' AS BLOB), bucket, version, written, digest, state, tag FROM leaf LIMIT 1"
    centre.tamper("UPDATE leaf SET state = x'01'", "DELETE FROM leaf WHERE id < cast('device-003' AS BLOB)", other)
    centre.refused()
    seen: list[tuple[int, int]] = []
    report = audit(centre.path, centre.keys, centre.backups, repair=True, progress=lambda *at: seen.append(at))
    kinds = [one.what for one in report.findings]
    assert kinds.count("missing") == 300 and kinds.count("changed") == MANY - 300 and kinds.count("added") == 1
    assert report.proven and seen[-1] == (MANY - 300 + 1, MANY - 300 + 1)
    with centre.open() as store:
        assert everything(store) == before


def test_rows_put_back(centre: Centre) -> None:
    with centre.open() as store:
        fill(store, 20)
        store.commit([Change(b"removed", 0, seed=b"seed")])
        centre.tamper("CREATE TABLE old AS SELECT * FROM leaf", "CREATE TABLE old_seed AS SELECT * FROM seed")
        states(store, range(0, 3), b"counter 1")
        version = store.get([b"removed"])[0]
        assert version is not None
        store.commit([Change(b"removed", version.version, remove=True), Change(name(9), 1, seed=b"a new seed")])
        before = everything(store)
    old = "INSERT OR REPLACE INTO {0} SELECT * FROM old{1} WHERE id IN (cast('removed' AS BLOB), cast('device-00001' AS BLOB))"
    centre.tamper(old.format("leaf", ""), old.format("seed", "_seed"))
    old = "INSERT OR REPLACE INTO {0} SELECT * FROM old{1} WHERE id = cast('device-00009' AS BLOB)"
    centre.tamper(old.format("leaf", ""), old.format("seed", "_seed"))
    centre.refused()
    found = [(name(1), "rolled back"), (name(9), "rolled back"), (b"removed", "added")]
    assert centre.findings() == found == centre.findings(repair=True)
    with centre.open() as store:
        assert everything(store) == before
    assert audit(centre.path, centre.keys, centre.backups).clean


def copy(centre: Centre) -> Path:
    there = centre.folder / "copy"
    shutil.copy(centre.path, there)
    return there


def test_the_whole_file_put_back(centre: Centre) -> None:
    with centre.open() as store:
        fill(store, 20)
    old = copy(centre)
    with centre.open() as store:
        states(store, range(0, 20), b"counter 1")
        before = everything(store)
    shutil.copy(old, centre.path)
    centre.refused(RolledBackError)
    report = audit(centre.path, centre.keys, centre.backups)
    assert [one.what for one in report.findings] == ["rolled back"] * 20 and report.proven and report.head_wrong
    audit(centre.path, centre.keys, centre.backups, repair=True)
    with centre.open() as store:
        assert everything(store) == before and store.head.version > 2
    assert audit(centre.path, centre.keys, centre.backups).clean


def test_put_back_what_no_backup_has(centre: Centre) -> None:
    """States that the mirror does not have yet: that something is lost is seen, if not which."""
    with centre.open() as store:
        fill(store, 20)
    old = copy(centre)
    store = centre.open()
    states(store, range(0, 2), b"counter 1")
    store._let_go()  # as a crash does
    shutil.copy(old, centre.path)
    for rest in centre.folder.glob("centre.db-*"):
        rest.unlink()
    centre.refused(RolledBackError)
    report = audit(centre.path, centre.keys, centre.backups)
    assert not report.findings and not report.proven and report.head_wrong and not report.clean
    audit(centre.path, centre.keys, centre.backups, repair=True)
    with centre.open() as store:
        assert store.head.version == 3


def test_head_and_anchor_tampered_with(centre: Centre) -> None:
    with centre.open() as store:
        fill(store, 20)
        before = everything(store)
    centre.tamper("UPDATE centre SET version = version + 1")
    centre.refused()
    report = audit(centre.path, centre.keys, centre.backups, repair=True)
    assert report.head_wrong and report.proven and not report.findings
    with centre.open() as store:
        assert everything(store) == before
    (centre.folder / "keys.anchor").unlink()
    with FileKeyStore(centre.folder / "keys", b"correct horse") as keys:
        with pytest.raises(RolledBackError, match="anchor"):
            SqliteSeedStore(centre.path, keys)
        assert not audit(centre.path, keys, centre.backups).clean


def test_without_backups(centre: Centre) -> None:
    with centre.open() as store:
        fill(store, 20)
    centre.tamper("UPDATE leaf SET state = x'01' WHERE id = cast('device-00003' AS BLOB)")
    report = audit(centre.path, centre.keys, None, repair=True)
    assert [one[:] for one in report.findings] == [(name(3), "changed", False)] and not report.proven
    centre.refused()
    audit(centre.path, centre.keys, None, repair=True, discard=True)
    with centre.open() as store:
        assert store.get([name(3)]) == [None] and store.count() == 19
        assert store.commit([Change(name(3), 0, seed=b"enrolled again")])[0]
    assert audit(centre.path, centre.keys, centre.backups).clean


# ---- back-ups ----


def test_backups_tampered_with(centre: Centre) -> None:
    with centre.open() as store:
        fill(store, 20)
        before = everything(store)
    centre.tamper("UPDATE leaf SET state = x'01' WHERE id = cast('device-00003' AS BLOB)", file="backups/mirror.db")
    centre.tamper("DELETE FROM leaf WHERE id = cast('device-00004' AS BLOB)", file="backups/mirror.db")
    assert centre.findings(repair=True) == [(name(3), "back-up"), (name(4), "back-up")]
    assert audit(centre.path, centre.keys, centre.backups).clean
    # A row whose mirror was changed too comes from a snapshot.
    centre.backups.snapshot(centre.path)
    for file in ("centre.db", "backups/mirror.db"):
        centre.tamper("UPDATE leaf SET state = x'01' WHERE id = cast('device-00003' AS BLOB)", file=file)
    report = audit(centre.path, centre.keys, centre.backups, repair=True)
    assert [one[:] for one in report.findings] == [(name(3), "changed", True)] and report.proven
    with centre.open() as store:
        assert everything(store) == before


def test_an_incomplete_mirror_removes_nothing(centre: Centre, tmp_path: Path) -> None:
    with centre.open() as store:
        fill(store, 20)
    centre.tamper("UPDATE leaf SET state = x'01' WHERE id = cast('device-00003' AS BLOB)")
    new = Backups(tmp_path / "new", centre.keys)
    report = audit(centre.path, centre.keys, new, repair=True)
    assert [one[:] for one in report.findings] == [(name(3), "added", False)] and not report.proven
    assert centre.findings(repair=True) == [(name(3), "changed")]
    assert audit(centre.path, centre.keys, centre.backups).clean
    new.close()


def test_counters_go_on_without_the_mirror(centre: Centre, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("iotkm.centre._backup._MOST", 15)
    monkeypatch.setattr("iotkm.centre._backup._RETRY", 0.0)
    backups = Backups(centre.folder / "backups", centre.keys, pending=10)
    with SqliteSeedStore(centre.path, centre.keys, backups=backups) as store:
        fill(store, 20)
        end = full(backups.mirror.db)
        states(store, range(0, 12), bytes(9000))
        states(store, range(12, 20), bytes(9000))
        assert backups.trouble is not None and backups.mirror.head() != store.head
        with pytest.raises(BackupFailedError):
            store.flush()
        end()
        states(store, range(0, 1), b"1")
        assert backups.trouble is None and backups.mirror.head() == store.head
    backups.close()
    assert audit(centre.path, centre.keys, centre.backups).clean


def test_restore(centre: Centre) -> None:
    with centre.open() as store:
        fill(store)
        states(store, range(0, 20), b"counter 1")
        before = everything(store)
    with pytest.raises(FileExistsError):
        restore(centre.path, centre.keys, centre.backups)
    for rest in centre.folder.glob("centre.db*"):
        rest.unlink()
    report = restore(centre.path, centre.keys, centre.backups)
    assert report[:] == (MANY, [], True, False) and report.clean
    with centre.open() as store:
        assert everything(store) == before


def test_snapshots(centre: Centre) -> None:
    backups = Backups(centre.folder / "backups", centre.keys, keep=2, every=100)
    with centre.open() as store:
        assert backups.snapshot_due()
        for number in range(4):
            store.commit([Change(name(number), 0, seed=b"seed")])
            made = backups.snapshot(centre.path)
        assert not backups.snapshot_due() and len(backups.snapshots()) == 2 and backups.snapshots()[0] == made
        past = time.time() - 101
        os.utime(made, (past, past))
        assert backups.snapshot_due()
        before = everything(store)
    backups.close()
    # All that is left is the snapshot.
    centre.backups.close()
    for rest in (*centre.folder.glob("centre.db*"), *(centre.folder / "backups").glob("mirror.db*")):
        rest.unlink()
    backups = Backups(centre.folder / "backups", centre.keys)
    shutil.copy(made, centre.path)
    with SqliteSeedStore(centre.path, centre.keys, backups=backups) as store:
        assert everything(store) == before
    assert audit(centre.path, centre.keys, backups).clean
    backups.close()


def test_a_new_backup_gets_everything(centre: Centre, tmp_path: Path) -> None:
    with centre.open() as store:
        fill(store)
        store.commit([Change(name(3), 1, remove=True)])
    backups = Backups(tmp_path / "other", centre.keys)
    SqliteSeedStore(centre.path, centre.keys, backups=backups).close()
    assert audit(centre.path, centre.keys, backups).clean and backups.mirror.count() == MANY - 1
    backups.close()


def test_states_reach_the_mirror_in_bulk(centre: Centre) -> None:
    backups = Backups(centre.folder / "backups", centre.keys, pending=10)
    with SqliteSeedStore(centre.path, centre.keys, backups=backups) as store:
        fill(store, 20)
        assert backups.mirror.head() == store.head
        states(store, range(0, 9), b"1")
        assert backups.mirror.head() != store.head
        states(store, range(9, 10), b"1")
        assert backups.mirror.head() == store.head
        states(store, range(0, 9), b"2")
    assert backups.mirror.head() == store.head, "closed in order"
    store = SqliteSeedStore(centre.path, centre.keys, backups=backups)
    states(store, range(0, 9), b"3")
    store._let_go()  # as a crash does
    SqliteSeedStore(centre.path, centre.keys, backups=backups).close()
    assert backups.mirror.head() is not None and audit(centre.path, centre.keys, backups).clean
    leaf = backups.mirror.leaf(name(8))
    assert leaf is not None and leaf.state == b"3"
    backups.close()


# ---- disks ----


def full(db: sqlite3.Connection) -> Callable[[], None]:
    """No room from now on; what gives it back."""
    (most,) = db.execute("PRAGMA max_page_count").fetchone()
    db.execute("PRAGMA max_page_count = 1")
    return lambda: db.execute(f"PRAGMA max_page_count = {most}").close()


def read_only(db: sqlite3.Connection) -> Callable[[], None]:
    db.execute("PRAGMA query_only = ON")
    return lambda: db.execute("PRAGMA query_only = OFF").close()


@pytest.mark.parametrize("trouble", [full, read_only])
def test_no_room(centre: Centre, trouble: Callable[[sqlite3.Connection], Callable[[], None]]) -> None:
    with centre.open() as store:
        fill(store, 20)
        before, head = everything(store), store.head
        end = trouble(store.rows.db)
        with pytest.raises(StoreFailedError, match="nothing was changed"):
            store.commit([Change(name(n), 0, seed=bytes(9000)) for n in range(20, 40)])
        assert everything(store) == before and store.head == head
        end()
        assert store.commit([Change(name(20), 0, seed=bytes(9000))]) == [1]
        # The same on the back-up's disk: it is not confirmed, and made up for.
        end = trouble(centre.backups.mirror.db)
        with pytest.raises(BackupFailedError):
            store.commit([Change(name(n), 0, seed=bytes(9000)) for n in range(21, 40)])
        assert len(everything(store)) == 40
        assert store.commit([Change(name(0), 1, state=b"counters go on")])[0]
        end()
        store.commit([Change(name(40), 0, seed=b"seed")])
        assert centre.backups.mirror.count() == 41
    assert audit(centre.path, centre.keys, centre.backups).clean


def test_no_room_for_the_anchor(centre: Centre, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(_: Anchor) -> None:
        raise OSError(28, os.strerror(28))

    with centre.open() as store:
        with monkeypatch.context() as patch:
            patch.setattr(centre.keys, "set_anchor", fails)
            with pytest.raises(BackupFailedError, match="No space"):
                fill(store, 3)
        assert store.count() == 3 and centre.keys.anchor() != store.head
        store.commit([Change(name(0), 1, state=b"1")])
        assert centre.keys.anchor() == store.head


def test_anchor_only_so_often(centre: Centre) -> None:
    with centre.open(anchor_seconds=3600) as store:
        fill(store, 3)
        seeds = store.head
        assert centre.keys.anchor() == seeds
        states(store, range(0, 3), b"1")
        assert centre.keys.anchor() == seeds
        last = store.head
    assert centre.keys.anchor() == last


_WRITER = """
import resource, signal, sys
from pathlib import Path
from iotkm.centre import Backups, Change, FileKeyStore, SqliteSeedStore, StoreFailedError
folder, limit = Path(sys.argv[1]), int(sys.argv[2])
keys = FileKeyStore(folder / "keys", b"correct horse")
backups = Backups(folder / "backups", keys, pending=50)
store = SqliteSeedStore(folder / "centre.db", keys, backups=backups, anchor_seconds=0.02)
if limit:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
number = store.count()
try:
    while True:
        rows = store.get([b"device-%05d" % n for n in range(5)])
        count = int.from_bytes(rows[0].state) + 1
        assert all(store.commit([Change(row.id, row.version, state=count.to_bytes(12)) for row in rows]))
        assert store.commit([Change(b"device-%05d" % number, 0, seed=bytes(2000))])[0]
        number += 1
        print(number, count, flush=True)
except StoreFailedError as error:
    print(type(error).__name__, "cannot be written" in str(error), flush=True)
"""


def writer(centre: Centre, limit: int = 0) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", _WRITER, str(centre.folder), str(limit)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_killed_at_any_moment(centre: Centre) -> None:
    with centre.open() as store:
        fill(store, 5)
    chance, count, number = random.Random(7), 0, 5
    for _ in range(6):
        process = writer(centre)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(chance.random() / 4)
        process.send_signal(signal.SIGKILL)
        said = process.stdout.read().split("\n")[:-1]
        process.wait()
        process.stdout.close()
        if said:
            number, count = map(int, said[-1].split())
        # Its own keystore has moved on.
        with FileKeyStore(centre.folder / "keys", b"correct horse") as keys:
            report = audit(centre.path, keys, centre.backups)
            assert report.clean, report
            with SqliteSeedStore(centre.path, keys, backups=centre.backups) as store:
                row = store.get([name(0)])[0]
                assert store.count() >= number and row is not None and int.from_bytes(row.state) >= count


@pytest.mark.skipif(sys.platform == "win32", reason="no such limit")
def test_a_disk_that_is_full(centre: Centre) -> None:
    with centre.open() as store:
        fill(store, 5)
    process = writer(centre, 2**18)
    said, _ = process.communicate(timeout=60)
    *done, last = said.split("\n")[:-1]
    assert last in ("StoreFailedError True", "BackupFailedError True") and len(done) > 5
    with FileKeyStore(centre.folder / "keys", b"correct horse") as keys:
        with SqliteSeedStore(centre.path, keys, backups=centre.backups) as store:
            number, count = map(int, done[-1].split())
            row = store.get([name(0)])[0]
            assert store.count() >= number and row is not None and int.from_bytes(row.state) >= count
        assert audit(centre.path, keys, centre.backups).clean


def test_keys_in_a_token(softhsm: SoftHsm, tmp_path: Path) -> None:
    pytest.importorskip("pkcs11")
    from iotkm.centre.token import TokenKeyStore

    with TokenKeyStore(softhsm.token("main"), "a database's", create=True) as keys:
        backups = Backups(tmp_path / "backups", keys)
        with SqliteSeedStore.create(tmp_path / "centre.db", keys, backups=backups) as store:
            fill(store, 20)
            states(store, range(0, 20), b"1")
            before = everything(store)
        assert keys.anchor() == store.head
        shutil.copy(tmp_path / "centre.db", tmp_path / "old.db")
        with SqliteSeedStore(tmp_path / "centre.db", keys, backups=backups) as store:
            states(store, range(0, 20), b"2")
        shutil.copy(tmp_path / "old.db", tmp_path / "centre.db")
        with pytest.raises(RolledBackError):
            SqliteSeedStore(tmp_path / "centre.db", keys)
        assert len(audit(tmp_path / "centre.db", keys, backups, repair=True).findings) == 20
        with SqliteSeedStore(tmp_path / "centre.db", keys, backups=backups) as store:
            after = everything(store)
            assert after.keys() == before.keys() and {row.state for row in after.values()} == {b"2"}
        backups.close()
