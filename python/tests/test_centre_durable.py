"""What a centre may rely on: that it is stored before it leaves, that back-ups and audits hold against who writes to its disks."""

import shutil
from pathlib import Path

import pytest

pytest.importorskip("argon2")

from test_centre_store import Centre, centre, everything, fill, full, name, read_only, states  # noqa: E402, F401
from town import CITY, City, Lamp, line  # noqa: E402

from iotkm import Authenticated, KeyReplaced, StoreError, UpdateAgreed  # noqa: E402
from iotkm.centre import BackupFailedError, Backups, CentreEvent, Change, FileKeyStore, RolledBackError, audit  # noqa: E402
from iotkm.centre.batch import Ledger  # noqa: E402


def test_commits_outlive_a_power_cut(centre: Centre) -> None:  # noqa: F811
    """SQLite has synced its log when a commit returns: a process that is killed does not show it."""
    with centre.open() as store, Ledger(centre.folder / "batches.db") as ledger:
        for db in (store.rows.db, centre.backups.mirror.db, ledger._db):
            assert db.execute("PRAGMA synchronous").fetchone() == (2,), "FULL"


def test_an_answer_waits_for_the_back_up_of_its_seed(tmp_path: Path) -> None:
    city = City(tmp_path)
    lamp, door = Lamp(city, b"lamp"), Lamp(city, b"door")
    assert lamp.authenticate(city)
    city.centre.update(b"lamp")
    for wanted in (UpdateAgreed, KeyReplaced):
        lamp.events.clear()
        if wanted is UpdateAgreed:
            lamp.a.authenticate(CITY)
            [auth] = lamp.drain()
            lamp.hear(city.centre.handle_input(b"lamp", auth).reply or b"")
        [auth] = lamp.drain()
        end = read_only(city.backups.mirror.db)
        with pytest.raises(StoreError):
            city.centre.handle_input(b"lamp", auth)
        # The same again, which would be answered from memory; a proof that it is well, which would be answered anew.
        for _ in range(3):
            try:
                said = city.centre.handle_input(b"lamp", auth)
            except StoreError:
                continue
            assert said.event in (None, CentreEvent.CHALLENGED), "nothing that tells the device that its seed is stored"
            lamp.hear(said.reply or b"")
            auth = (lamp.drain() or [auth])[0]
        assert not lamp.saw(wanted)
        assert door.authenticate(city), "the others go on"
        end()
        for _ in range(3):
            if line(city, [lamp], lambda: lamp.saw(wanted)):
                break
            lamp.a.authenticate(CITY)
        assert lamp.saw(wanted)
        assert city.backups.mirror.head() == city.sqlite.head
    assert lamp.authenticate(city) and lamp.saw(Authenticated)
    city.close()


def test_seeds_are_owed_until_they_are_backed_up(centre: Centre) -> None:  # noqa: F811
    with centre.open() as store:
        fill(store, 3)
        end = full(centre.backups.mirror.db)
        for change in (Change(name(0), 1, seed=bytes(9000)), Change(name(0), 2, state=b"1"), Change(name(0), 3, state=b"2")):
            with pytest.raises(BackupFailedError):
                store.commit([change])
        assert store.commit([Change(name(1), 1, state=b"1")]) == [2], "the others' counters go on"
        end()
        assert store.commit([Change(name(0), 4, state=b"3")]) == [5]
        assert centre.backups.mirror.head() == store.head


def kept(centre: Centre, to: str) -> None:  # noqa: F811
    (centre.folder / to).mkdir()
    for file in ("centre.db", "keys.anchor"):
        shutil.copy(centre.folder / file, centre.folder / to)


def put_back(centre: Centre, was: str) -> None:  # noqa: F811
    for file in ("centre.db", "keys.anchor"):
        shutil.copy(centre.folder / was / file, centre.folder)


def test_the_whole_folder_put_back(centre: Centre) -> None:  # noqa: F811
    """Database and anchor are of one age: the back-up, on another disk, knows better."""
    with centre.open() as store:
        fill(store, 20)
    kept(centre, "old")
    with centre.open() as store:
        states(store, range(3), b"revoked")
        store.commit([Change(name(9), 1, seed=b"a new seed")])
        before = everything(store)
    put_back(centre, "old")
    with FileKeyStore(centre.folder / "keys", b"correct horse") as keys:
        backups = Backups(centre.folder / "backups", keys)
        again = Centre(centre.folder, keys, backups)
        again.refused(RolledBackError)
        assert backups.mirror.head() != keys.anchor(), "its head is as it was"
        assert again.findings() == [(name(n), "rolled back") for n in (0, 1, 2, 9)] == again.findings(repair=True)
        with again.open() as store:
            assert everything(store) == before
        assert audit(again.path, keys, backups).clean
        backups.close()


def test_a_database_of_another_line(centre: Centre) -> None:  # noqa: F811
    """Of the version that is remembered, and with a head of ours, but not that one."""
    with centre.open() as store:
        fill(store, 5)
    kept(centre, "fork")
    with centre.open() as store:
        states(store, range(1), b"one")
    kept(centre, "one")
    put_back(centre, "fork")
    shutil.rmtree(centre.folder / "backups")
    with FileKeyStore(centre.folder / "keys", b"correct horse") as keys:
        backups = Backups(centre.folder / "other", keys)
        again = Centre(centre.folder, keys, backups)
        with again.open() as store:
            states(store, range(1), b"two")
        shutil.copy(centre.folder / "one" / "centre.db", centre.folder)
        with pytest.raises(RolledBackError):
            again.open()
        backups.close()


def test_missing_here_and_changed_there(centre: Centre) -> None:  # noqa: F811
    with centre.open() as store:
        fill(store, 5)
    where = "WHERE id = cast('device-00003' AS BLOB)"
    centre.tamper(f"DELETE FROM leaf {where}")
    centre.tamper(f"UPDATE leaf SET state = x'01' {where}", file="backups/mirror.db")
    report = audit(centre.path, centre.keys, centre.backups)
    assert [one[:] for one in report.findings] == [(name(3), "missing", False)] and not report.proven


def test_a_removal_that_nobody_ordered(centre: Centre) -> None:  # noqa: F811
    """A row is gone, and the word that it was removed is not ours."""
    with centre.open() as store:
        fill(store, 5)
        before = everything(store)
    for file in ("centre.db", "backups/mirror.db"):
        centre.tamper("INSERT INTO gone VALUES (cast('device-00003' AS BLOB), 99, zeroblob(32))", file=file)
    centre.tamper("DELETE FROM leaf WHERE id = cast('device-00003' AS BLOB)")
    assert centre.findings(repair=True) == [(name(3), "missing")]
    with centre.open() as store:
        assert everything(store) == before


def test_what_was_changed_beneath_does_not_reach_the_back_up(centre: Centre) -> None:  # noqa: F811
    with centre.open() as store:
        fill(store, 5)
        states(store, range(5), b"1")
        before = everything(store)
        centre.tamper("UPDATE leaf SET state = x'02' WHERE id = cast('device-00003' AS BLOB)")
        centre.tamper("UPDATE seed SET seed = x'02' WHERE id = cast('device-00004' AS BLOB)")
        store.flush()
    leaf = centre.backups.mirror.leaf(name(3))
    assert leaf is not None and centre.backups.mirror.is_ours(leaf)
    found = audit(centre.path, centre.keys, centre.backups).findings
    assert [(one.id, one.what) for one in found] == [(name(3), "changed"), (name(4), "changed")]
    other = centre.backups.mirror.leaf(name(4))
    assert other is not None and centre.backups.mirror.seed(other) == before[name(4)].seed
