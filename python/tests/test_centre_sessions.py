"""What a centre's server keeps of a session when the device is revoked, or asks for another."""

import asyncio
import time
from pathlib import Path

import pytest

pytest.importorskip("argon2")

from test_centre_server import Device, until  # noqa: E402
from town import CITY, City, Lamp  # noqa: E402

from iotkm import Established, Platform, RngError, WrongStateError  # noqa: E402
from iotkm.centre import Accepted, CentreEvent, Served, Server, _server  # noqa: E402


def served(tmp_path: Path, then: str) -> list[bytes]:
    """What the centre hears in a session that there is when something else happens."""
    heard: list[bytes] = []

    async def work() -> None:
        city = City(tmp_path)
        started = time.time()
        lamp = Lamp(city, b"lamp")
        server = Server(
            city.centre, city.platform, bind=("127.0.0.1", 0), on_message=lambda _, message: heard.append(message.payload)
        )

        def clock() -> None:
            city.clock.now = 5_000 + int((time.time() - started) * 1_000)

        async with server:
            device = Device(lamp.platform, lamp.chip(), server.address)
            device.a.connect(b"centre")

            def established() -> bool:
                clock()
                return device.saw(Established)

            await until([device], established)
            if then == "revoked":
                city.centre.revoke(b"lamp")
            if then == "forgotten":
                city.centre.forget(b"lamp")
            if then == "asks":
                # It asks for another session; the answer and all that come after it are lost, and it goes on with the one it has.
                device.a.connect(b"centre")
                device.step()
                await asyncio.sleep(0.5)
            device.socket.send(device.a.send(b"20.5 degrees").data)
            await asyncio.sleep(0.5)
            device.close()
        city.close()

    asyncio.run(work())
    return heard


def test_it_is_there(tmp_path: Path) -> None:
    assert served(tmp_path, "nothing") == [b"20.5 degrees"]


@pytest.mark.parametrize("then", ["revoked", "forgotten"])
def test_who_is_revoked_or_forgotten_has_no_session(tmp_path: Path, then: str) -> None:
    assert served(tmp_path, then) == []


def test_a_session_goes_on_until_the_device_has_the_next(tmp_path: Path) -> None:
    assert served(tmp_path, "asks") == [b"20.5 degrees"]


def test_a_grant_is_opened_once(tmp_path: Path) -> None:
    """Twice, two messages would be sealed under one key and nonce."""
    city = City(tmp_path)
    lamp = Lamp(city, b"lamp")
    lamp.a.connect(CITY)
    [auth] = lamp.drain()
    granted = city.centre.handle_input(b"lamp", auth).session
    assert granted is not None
    assert Served(city.platform, granted).id == granted.id
    with pytest.raises(WrongStateError):
        Served(city.platform, granted)
    city.close()


@pytest.mark.parametrize("error", [RngError("no randomness"), ValueError("a slip")])
def test_one_answer_that_fails_takes_no_other_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    """All were committed together: who gets no answer now has a counter that the centre has seen."""
    city = City(tmp_path)
    lamps = [Lamp(city, b"lamp-%d" % n) for n in range(4)]
    for lamp in lamps:
        lamp.a.connect(CITY)
    asked = [(lamp.name, lamp.drain()[0]) for lamp in lamps]

    class FailsToPoll:
        def __init__(self, served: Served) -> None:
            self.served, self.id = served, served.id

        def poll(self) -> None:
            raise error

        def wipe(self) -> None:
            self.served.wipe()

    def opened(platform: Platform, session: Accepted) -> Served | FailsToPoll:
        if session.id == b"lamp-1":
            raise error
        served = Served(platform, session)
        return FailsToPoll(served) if session.id == b"lamp-2" else served

    monkeypatch.setattr(_server, "Served", opened)
    server = Server(city.centre, city.platform)
    outcome = server._handle(asked)
    assert {one.to for one in outcome.sent} == {b"lamp-0", b"lamp-3"} and server.sessions == [b"lamp-0", b"lamp-3"]
    assert outcome.events == [(lamp.name, CentreEvent.AUTHENTICATED) for lamp in lamps], "these were committed"
    for lamp in (lamps[0], lamps[3]):
        for one in outcome.sent:
            if one.to == lamp.name:
                lamp.hear(one.data)
        assert lamp.saw(Established)
    if isinstance(error, RngError):
        assert outcome.trouble == [error, error] and not caplog.records
    else:
        assert outcome.trouble == [] and [record.exc_info[1] for record in caplog.records if record.exc_info] == [error, error]

    # It gets one when it asks again, later.
    monkeypatch.undo()
    for lamp in lamps[1:3]:
        lamp.reboot()
        lamp.a.connect(CITY)
        for one in server._handle([(lamp.name, data) for data in lamp.drain()]).sent:
            lamp.hear(one.data)
        assert lamp.saw(Established)
    assert len(server.sessions) == 4
    city.close()
