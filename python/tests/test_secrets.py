"""No key is ever shown."""

import logging
import pickle
import random
import traceback
from collections.abc import Iterator
from typing import Any

import pytest

import iotkm
from iotkm import History, Pairing, Peer, Platform, Triple, prepare_secret, sim


def forms(secret: bytes) -> Iterator[str]:
    yield repr(secret)[2:-1]
    yield secret.hex()
    yield ", ".join(str(b) for b in secret)


def test_nothing_shows_a_key(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    seeded = random.Random(3)
    device, sk, t, li = (seeded.randbytes(32) for _ in range(4))
    platform = Platform(device)
    triple = Triple(sk, t, li)
    peer = Peer.provisioned(slot=1, own_id=b"a", id=b"b", triple=triple)
    shown = [repr(x) + str(x) for x in (platform, triple, peer, peer.info)]
    history = History(platform, peer)
    pairing = Pairing(platform, own_id=b"a", peer_slot=1, attempts_slot=0)
    pairing.listen(b"our very own secret", window_ms=1_000)
    shown += [repr(history), repr(pairing), repr(history.platform), str(history.drops), str(history.peer)]
    for wrong in (lambda: Platform(device + b"x"), lambda: Triple(sk + b"x", t, li), lambda: history.restore(sk)):
        try:
            wrong()
        except iotkm.IotkmError as error:
            shown += traceback.format_exception(error)
    text = "\n".join(shown) + caplog.text
    for secret in (device, sk, t, li, b"our very own secret"):
        assert not any(form in text for form in forms(secret))


def test_a_whole_life_shows_no_key(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    net, seeded = sim.history_pair(seed=5), random.Random("triple 5")
    keys = [seeded.randbytes(32) for _ in range(3)]
    shown: list[str] = []

    def look() -> None:
        for node in (net.a, net.b):
            keys.append(node.history.exporter(b"label", b"", 32))
            a = node.history
            things: list[object] = [node, a, a.peer, a.assurance, a.drops, node.events]
            shown.extend(repr(thing) + str(thing) for thing in things)

    net.a.connect(net.b.address)
    net.drive(until=lambda: net.a.is_established and net.b.is_established)
    look()
    net.b.send(b"a reading")
    net.drive(1_000)
    net.a.update()
    net.drive(until=lambda: all(n.is_established and n.history.peer.generation == 1 for n in (net.a, net.b)))
    look()
    text = "\n".join(shown) + caplog.text
    assert not any(form in text for key in keys for form in forms(key))


def test_repr_shows_state_and_fingerprint() -> None:
    net = sim.history_pair()
    assert repr(net.a.history) == "<History peer=b'device-b' generation=0 at rest>"
    net.a.connect(net.b.address)
    net.drive(until=lambda: net.a.is_established and net.b.is_established)
    assert repr(net.a.history) == f"<History peer=b'device-b' generation=0 established {net.a.history.fingerprint}>"


@pytest.mark.parametrize("what", ["platform", "triple", "peer", "history"])
def test_nothing_can_be_pickled_or_copied(what: str, platform: Platform, triple: Triple) -> None:
    things: dict[str, Any] = {"platform": platform, "triple": triple}
    things["peer"] = Peer.provisioned(slot=1, own_id=b"a", id=b"b", triple=triple)
    things["history"] = sim.history_pair().a.history
    with pytest.raises(TypeError):
        pickle.dumps(things[what])


def test_the_secret_of_a_user() -> None:
    # RFC 8265: spaces become one kind, composed characters, case kept; control characters refused.
    assert prepare_secret("Cafe\u0301\u00a0\u2003Zwei") == "Caf\u00e9  Zwei".encode()
    assert prepare_secret("x" * 64)
    for bad, says in (("", "empty"), ("tab\there", "character"), ("x" * 65, "65 bytes"), ("\u00e9" * 33, "66 bytes")):
        with pytest.raises(iotkm.BadArgumentError, match=says) as caught:
            prepare_secret(bad)
        assert not bad or bad not in str(caught.value)


def test_a_bytearray_may_be_wiped_after_the_call(triple: Triple) -> None:
    secret = bytearray(range(32))
    platform = Platform(secret)
    blob, _ = Peer.provisioned(slot=1, own_id=b"a", id=b"b", triple=triple).seal(platform)
    secret[:] = bytes(32)
    assert Peer.restore(Platform(bytes(range(32))), slot=1, blob=blob).info.id == b"b"
