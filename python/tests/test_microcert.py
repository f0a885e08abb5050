"""Devices with a key seed and their centre, by hazard, over a file of keys (or a token) and SQLite."""

import secrets
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import pytest

pytest.importorskip("argon2")

from town import CITY, NOW, City, Lamp, drained, line  # noqa: E402

import iotkm  # noqa: E402
from iotkm import (  # noqa: E402
    Authenticated,
    Chip,
    Established,
    Failed,
    KeyReplaced,
    Microcert,
    Platform,
    Reason,
    Resumed,
    Stage,
    UpdateAgreed,
)
from iotkm._iotkm import read_row  # noqa: E402
from iotkm.centre import AuthCenter, CentreEvent, Handled, Served, StoreFailedError, TamperedError, audit  # noqa: E402


@pytest.fixture
def city(tmp_path: Path) -> Iterator[City]:
    made = City(tmp_path)
    yield made
    made.close()


def test_many_authenticate_over_a_lossy_line(city: City) -> None:
    lamps = [Lamp(city, b"lamp-%d" % n) for n in range(8)]
    for round in range(3):
        for lamp in lamps:
            lamp.events.clear()
            lamp.a.authenticate(CITY)
        done = line(city, lamps, lambda: all(lamp.saw(Authenticated) for lamp in lamps), loss=0.3, random=Random(round))
        assert done, [lamp.events for lamp in lamps]
    for lamp in lamps:
        device = city.centre.device(lamp.name)
        assert device is not None and device.seen is not None and device.standing == "enrolled"
        assert (device.generation, device.suite, device.years) == (0, "SUITE_0_SYMMETRIC", (2026, 2030))
        assert device.counter >= 3 and device.version > 1
        assert lamp.a.chip.confirmed and lamp.a.chip.id == lamp.name and lamp.a.chip.centre == b"city"
    assert [device.id for device in city.centre.devices()] == [lamp.name for lamp in lamps]
    assert {id for id, event in city.events if event == CentreEvent.AUTHENTICATED} == {lamp.name for lamp in lamps}
    city.sqlite.flush()
    assert audit(city.folder / "centre.db", city.keys, city.backups).clean


def test_session(city: City) -> None:
    lamp = Lamp(city, b"lamp-7", suite=iotkm.SUITE_4_SYMMETRIC)
    lamp.a.connect(CITY)
    assert line(city, [lamp], lambda: lamp.saw(Established), loss=0.3)
    served = city.sessions[b"lamp-7"]
    assert served.id == b"lamp-7" and served.is_established and served.peer_addr == b"lamp-7"
    assert served.fingerprint == lamp.a.fingerprint
    assert served.exporter(b"label", b"", 32) == lamp.a.exporter(b"label", b"", 32)
    assert served.assurance is not None and served.assurance.authenticated == "enrolled"

    lamp.outbox.append(lamp.a.send(b"20.5 degrees").data)
    assert line(city, [lamp], lambda: bool(city.received))
    assert city.received[0].payload == b"20.5 degrees"
    lamp.hear(served.send(b"open the window").data)
    assert lamp.received[0].payload == b"open the window"

    # The centre's server starts again with what it exported.
    blob = served.export()
    city.start()
    again = Served.at_rest(city.platform, b"lamp-7", suite=iotkm.SUITE_4_SYMMETRIC)
    again.restore(blob)
    city.sessions[b"lamp-7"] = again
    for data in drained(again):
        lamp.hear(data)
    assert line(city, [lamp], lambda: lamp.saw(Resumed) and again.is_established)
    lamp.hear(again.send(b"still there").data)
    assert lamp.received[-1].payload == b"still there"


def test_a_device_restarts(city: City) -> None:
    lamp = Lamp(city, b"lamp-7")
    for _ in range(3):
        assert lamp.authenticate(city)
        lamp.reboot()
    city.start()
    assert lamp.authenticate(city)
    assert CentreEvent.CHALLENGED not in [event for _, event in city.events]


def test_update(city: City) -> None:
    lamp = Lamp(city, b"lamp-7")
    for generation in (1, 2):
        city.centre.update(b"lamp-7")
        device = city.centre.device(b"lamp-7")
        assert device is not None and device.updating
        lamp.events.clear()
        lamp.a.authenticate(CITY)
        assert line(city, [lamp], lambda: lamp.saw(KeyReplaced), loss=0.3, random=Random(generation))
        assert lamp.saw(UpdateAgreed) and KeyReplaced(generation) in lamp.events
        device = city.centre.device(b"lamp-7")
        assert device is not None and not device.updating and device.generation == generation
        assert lamp.a.chip.generation == generation
        lamp.reboot()
        assert lamp.authenticate(city)


def test_revoked(city: City) -> None:
    lamp, other = Lamp(city, b"lamp-7"), Lamp(city, b"lamp-8")
    city.centre.revoke(b"lamp-7")
    city.centre.revoke(b"lamp-7")
    lamp.a.authenticate(CITY)
    revoked = Failed(Stage.AUTHENTICATION, Reason.REVOKED)
    assert line(city, [lamp], lambda: (b"lamp-7", CentreEvent.KILLED) in city.events)
    assert revoked in lamp.events and not lamp.saw(Authenticated) and lamp.a.chip.revoked
    device = city.centre.device(b"lamp-7")
    assert device is not None and device.standing == "killed"
    with pytest.raises(iotkm.RevokedError):
        lamp.a.sign(b"data")
    with pytest.raises(iotkm.RevokedError):
        city.centre.update(b"lamp-7")
    assert other.authenticate(city)

    # Enrolled anew, under the same id.
    with pytest.raises(iotkm.WrongStateError):
        city.centre.invite(b"lamp-7")
    city.centre.forget(b"lamp-7")
    assert city.centre.device(b"lamp-7") is None
    assert Lamp(city, b"lamp-7", seed=2).authenticate(city)


def test_signatures(city: City) -> None:
    lamp = Lamp(city, b"lamp-7")
    with pytest.raises(iotkm.UndrainedError):
        lamp.a.sign(b"20.5 degrees")
    lamp.drain()
    signature = lamp.a.sign(b"20.5 degrees")
    assert len(signature) <= Microcert.SIGNATURE_MAX
    signed = city.centre.verify(signature, b"20.5 degrees")
    assert signed is not None and signed.id == b"lamp-7"
    assert signed.time == (NOW + city.clock.now) // 1_000
    assert city.centre.verify(signature, b"20.6 degrees") is None
    for at in range(len(signature)):
        altered = signature[:at] + bytes([signature[at] ^ 1]) + signature[at + 1 :]
        assert city.centre.verify(altered, b"20.5 degrees") is None, at
    second = city.centre.verify(lamp.a.sign(b""), b"")
    assert second is not None and second.counter == signed.counter + 1
    assert city.centre.verify(b"", b"") is None
    shown = iotkm.inspect(signature)
    assert (shown["scheme"], shown["message"], shown["id"]) == ("microcert", "SIGNATURE", b"lamp-7".hex())
    city.centre.revoke(b"lamp-7")
    assert city.centre.verify(signature, b"20.5 degrees") is None


@pytest.mark.parametrize("enrolled_so", [True, False])
def test_without_a_clock(city: City, enrolled_so: bool) -> None:
    lamp = Lamp(city, b"lamp-7", clockless=enrolled_so)
    if not enrolled_so:
        lamp.platform = Platform(bytes([0xDD]) * 32, clock=lambda: city.clock.now, wall=lambda: None)
        lamp.reboot()
    assert lamp.a.time is None
    city.clock.now += 40 * 86_400_000
    assert lamp.authenticate(city)
    assert city.events == [(b"lamp-7", CentreEvent.CHALLENGED), (b"lamp-7", CentreEvent.AUTHENTICATED)]
    assert lamp.a.time is not None and abs(lamp.a.time - city.clock.wall()) < 2_000
    assert lamp.a.chip.clockless is enrolled_so and lamp.a.chip.floor == city.clock.wall() // 1_000


@pytest.mark.parametrize("offset", [-7_200, 7_200])
def test_a_wrong_clock(city: City, offset: int) -> None:
    lamp = Lamp(city, b"lamp-7", offset=offset)
    city.clock.now += 3 * 3_600_000
    assert lamp.authenticate(city)
    assert (b"lamp-7", CentreEvent.CHALLENGED) in city.events
    assert lamp.a.time is not None and abs(lamp.a.time - city.clock.wall()) < 2_000


def test_a_clone_is_told_of(city: City) -> None:
    lamp = Lamp(city, b"lamp-7")
    stored = dict(lamp.stored)
    assert lamp.authenticate(city)
    lamp.stored = stored
    lamp.platform = Platform(bytes([0xDD]) * 32, clock=lambda: city.clock.now, wall=city.clock.wall)
    lamp.reboot()
    assert lamp.authenticate(city)
    assert (b"lamp-7", CentreEvent.CLONE_SUSPECTED) in city.events


def test_a_seed_that_is_too_old(city: City) -> None:
    lamp = Lamp(city, b"lamp-7")
    assert lamp.authenticate(city)
    city.clock.now += 6 * 366 * 86_400_000
    with pytest.raises(iotkm.SeedExpiredError):
        lamp.a.authenticate(CITY)
    with pytest.raises(iotkm.SeedExpiredError):
        lamp.a.sign(b"")


def test_one_row_that_was_tampered_with(city: City) -> None:
    """It is told of, and keeps no other from its answer."""
    lamps = [Lamp(city, b"lamp-%d" % n) for n in range(3)]
    db = sqlite3.connect(city.folder / "centre.db")
    db.execute("UPDATE seed SET seed = zeroblob(992) WHERE id = ?", (b"lamp-1",))
    db.commit()
    db.close()
    for lamp in lamps:
        lamp.a.authenticate(CITY)
    sent = [(lamp.name, data) for lamp in lamps for data in lamp.drain()]
    first, second, third = city.centre.handle_inputs(sent)
    assert first.reply and third.reply and first.event == third.event == CentreEvent.AUTHENTICATED
    assert second.reply is None and isinstance(second.error, iotkm.StoreError)
    assert isinstance(second.error.__cause__, TamperedError)
    calls: list[Callable[[], object]] = [
        lambda: city.centre.handle_input(*sent[1]),
        lambda: city.centre.device(b"lamp-1"),
        lambda: city.centre.revoke(b"lamp-1"),
        lambda: list(city.centre.devices()),
        lambda: city.centre.verify(bytes([0x15, 0x85]) + b"lamp-1" + bytes(80), b""),
    ]
    for call in calls:
        with pytest.raises(iotkm.StoreError) as raised:
            call()
        assert isinstance(raised.value.__cause__, TamperedError)
    city.sqlite.flush()
    assert not audit(city.folder / "centre.db", city.keys, city.backups).clean


def test_a_seed_of_another_row(city: City) -> None:
    """Where the database lets it pass, the keystore does not: what is sealed is sealed for its row."""
    lamp = Lamp(city, b"lamp-7")
    Lamp(city, b"lamp-8")
    [mine, other] = city.store.get([b"lamp-7", b"lamp-8"])
    assert mine is not None and other is not None
    from iotkm.centre import Change

    city.store.commit([Change(b"lamp-7", mine.version, seed=other.seed, state=(2).to_bytes(4) + mine.state[4:])])
    lamp.a.authenticate(CITY)
    [handled] = city.centre.handle_inputs([(lamp.name, data) for data in lamp.drain()])
    assert handled == Handled(id=b"lamp-7", event=CentreEvent.TAMPERED)


def test_nothing_leaves_that_is_not_stored(city: City) -> None:
    lamp = Lamp(city, b"lamp-7")
    lamp.a.connect(CITY)
    [datagram] = lamp.drain()
    city.store.error = StoreFailedError("the disk is full")
    with pytest.raises(iotkm.StoreError, match="disk is full") as raised:
        city.centre.handle_input(b"lamp-7", datagram)
    assert raised.value.__cause__ is city.store.error
    before = city.centre.device(b"lamp-7")
    assert before is not None and before.counter == 0
    refused: list[Callable[[], object]] = [
        lambda: city.centre.update(b"lamp-7"),
        lambda: city.centre.revoke(b"lamp-7"),
        lambda: city.centre.forget(b"lamp-7"),
    ]
    for call in refused:
        with pytest.raises(iotkm.StoreError):
            call()
    assert city.centre.device(b"lamp-7") == before
    city.store.error = None

    # Somebody else was faster: silence, and the device asks again. The same datagram twice in a batch has no answer either.
    city.store.races = 1
    assert city.centre.handle_inputs([(b"lamp-7", datagram)] * 2) == [Handled(), Handled()]
    first, again = city.centre.handle_inputs([(b"lamp-7", datagram)] * 2)
    assert first.session is not None and first.reply == again.reply and again.session is None
    city.store.races = 2
    city.centre.update(b"lamp-7")
    city.store.races = 100
    with pytest.raises(iotkm.WrongStateError):
        city.centre.update(b"lamp-7")


def test_the_keystore_cannot_work(city: City) -> None:
    lamp = Lamp(city, b"lamp-7")
    lamp.a.authenticate(CITY)
    [datagram] = lamp.drain()

    class Gone:
        """A token that was pulled out."""

        def __getattr__(self, name: str) -> Callable[..., bytes]:
            def call(*arguments: object) -> bytes:
                raise OSError("no token")

            return call

    centre = AuthCenter(city.platform, b"city", city.store, Gone())  # type: ignore[arg-type]
    for call in (lambda: centre.handle_input(b"a", datagram), lambda: centre.invite(b"lamp-8")):
        with pytest.raises(iotkm.KeyStoreError) as raised:
            call()
        assert isinstance(raised.value.__cause__, OSError)

    class Short(Gone):
        def rows(self, *arguments: object) -> bytes:
            return b"too short"

    centre = AuthCenter(city.platform, b"city", city.store, Short())  # type: ignore[arg-type]
    with pytest.raises(iotkm.KeyStoreError) as raised:
        centre.handle_input(b"a", datagram)
    assert "9 bytes, not 256" in str(raised.value.__cause__)
    assert city.centre.handle_input(b"a", datagram).event == CentreEvent.AUTHENTICATED


def test_misuse(city: City) -> None:
    lamp = Lamp(city, b"lamp-7")
    invitation = city.centre.invite(b"lamp-8")
    platform = lamp.platform

    def enrol(invitation: bytes = invitation, state_slot: int = 2) -> Chip:
        return Chip.enrol(platform, seed_slot=1, state_slot=state_slot, invitation=invitation)

    def centre(id: bytes = b"city", **more: int) -> AuthCenter:
        return AuthCenter(city.platform, id, city.store, city.keys, **more)

    chip = lamp.chip()
    bad: list[Callable[[], object]] = [
        lambda: enrol(invitation[:-1]),
        lambda: enrol(b""),
        lambda: enrol(state_slot=1),
        lambda: enrol().confirm(bytes(20)),
        lambda: Microcert(platform, chip, mtu=107),
        lambda: Microcert(platform, chip, tries=0),
        lambda: lamp.a.connect(bytes(23)),
        lambda: city.centre.invite(b""),
        lambda: city.centre.invite(b"city"),
        lambda: city.centre.invite(b"lamp-9", suite=iotkm.SUITE_0),
        lambda: city.centre.enrol(b"no deposit"),
        lambda: centre(b"town").enrol(enrol().deposit()),
        lambda: city.centre.update(b"nobody"),
        lambda: city.centre.revoke(b"nobody"),
        lambda: city.centre.forget(b"nobody"),
        lambda: city.centre.handle_input(bytes(23), b""),
        lambda: centre(b""),
        lambda: centre(shares=0),
        lambda: Served.at_rest(platform, b"lamp-7", suite=iotkm.SUITE_0),
        lambda: AuthCenter(
            Platform(bytes(32), wall=lambda: None), b"city", city.store, city.keys
        ).invite(b"lamp-9"),
    ]
    for call in bad:
        with pytest.raises(iotkm.BadArgumentError):
            call()
    deposit = enrol().deposit()
    wrong: list[Callable[[], object]] = [
        chip.deposit,
        lambda: chip.confirm(bytes(20)),
        lambda: chip.seal(platform),
        lambda: city.centre.invite(b"lamp-7"),
        lambda: (city.centre.enrol(deposit), city.centre.enrol(deposit), city.centre.enrol(enrol().deposit())),
    ]
    for call in wrong:
        with pytest.raises(iotkm.WrongStateError):
            call()
    Microcert(platform, chip, mtu=108)
    for given_away in (lambda: chip.info, lambda: Microcert(platform, chip)):
        with pytest.raises(iotkm.WrongStateError, match="given"):
            given_away()
    with pytest.raises(iotkm.BadBlobError):
        Chip.restore(
            Platform(bytes(32)), seed_slot=1, state_slot=2, seed=lamp.stored[1], state=lamp.stored[2]
        )
    with pytest.raises(iotkm.BlobRolledBackError):
        Chip.restore(
            platform, seed_slot=1, state_slot=2, seed=lamp.stored[1], state=lamp.stored[2], state_floor=99
        )
    with pytest.raises(iotkm.BadBlobError):
        read_row(b"", b"")
    drops = city.centre.drops["malformed"]
    assert city.centre.handle_input(b"anybody", b"\x15") == Handled()
    assert city.centre.drops["malformed"] == drops + 1


def test_shown_without_secrets(city: City) -> None:
    lamp = Lamp(city, b"lamp-7")
    assert repr(lamp.chip()) == "<Chip of b'lamp-7' at b'city', generation 0>"
    assert repr(lamp.a) == "<Microcert of b'lamp-7' generation=0 at rest>"
    assert "city" in repr(city.centre)
    lamp.a.connect(CITY)
    [auth] = lamp.drain()
    shown = iotkm.inspect(auth)
    assert (shown["message"], shown["counter"], shown["generation_low"]) == ("AUTH", 0, 0)
    handled = city.centre.handle_input(b"a", auth)
    assert repr(handled.session) == "<Accepted of b'lamp-7'>"
    assert handled.session is not None and len(handled.session.cid) == 4
    assert handled.reply is not None and iotkm.inspect(handled.reply)["message"] == "ANSWER"
    assert iotkm.inspect(lamp.stored[1])["what"] == "stored key seed"
    assert iotkm.inspect(lamp.stored[2])["what"] == "stored chip"
    assert len(lamp.stored[1]) == Chip.SEED_MAX and len(lamp.stored[2]) <= Chip.STATE_MAX


def test_keys_in_a_token(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    pytest.importorskip("pkcs11")
    token = request.getfixturevalue("softhsm").token("main")
    from iotkm.centre.token import TokenKeyStore

    city = City(tmp_path, TokenKeyStore(token, secrets.token_hex(4), create=True))
    lamp = Lamp(city, b"lamp-7")
    assert lamp.authenticate(city)
    city.centre.update(b"lamp-7")
    lamp.a.authenticate(CITY)
    assert line(city, [lamp], lambda: lamp.saw(KeyReplaced))
    city.centre.revoke(b"lamp-7")
    lamp.a.authenticate(CITY)
    assert line(city, [lamp], lambda: (b"lamp-7", CentreEvent.KILLED) in city.events)
    city.close()
