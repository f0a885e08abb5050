"""Every error has its class, its code and its advice, and changes nothing."""

import re
import secrets
from collections.abc import Callable
from pathlib import Path

import pytest

import iotkm
from iotkm import History, Hub, IotkmError, Pairing, Peer, Platform, Triple, _errors, _iotkm, sim
from iotkm.aio import FailedError
from iotkm.storage import StorageInUseError


def test_classes_and_codes_are_the_core_s() -> None:
    table = _iotkm._errors()
    assert [code for _, code, _ in table] == list(range(-1, -len(table) - 1, -1))
    for advice, code, kind in table:
        assert kind is not IotkmError and issubclass(kind, IotkmError) and kind.code == code
        assert advice and getattr(iotkm, kind.__name__) is kind
        parents = [parent for parent in kind.__mro__ if issubclass(parent, Exception)]
        assert any(parent.__module__ == "builtins" and parent not in (Exception, BaseException) for parent in parents)

    # Numbers of C's that mean something else there are nobody's here.
    header = (Path(__file__).parents[2] / "include" / "iotkm.h").read_text()
    of_c = {int(code): name for name, code in re.findall(r"IOTKM_E_(\w+) = (-\d+)", header)}
    found = (*vars(_errors).values(), StorageInUseError, FailedError)
    own: list[type[IotkmError]] = [c for c in found if isinstance(c, type) and issubclass(c, IotkmError)]
    own.remove(IotkmError)
    for module in ("_sealed.py", "pkcs11.py", "centre/_store.py"):
        source = (Path(iotkm.__file__).parent / module).read_text()
        codes = re.findall(r"^    code = (-\d+)", source, re.M)
        assert codes, module
        own += [type(module, (IotkmError,), {"code": int(code)}) for code in codes]
    assert len({c.code for c in own}) == len(own)
    for c in own:
        if c.code < -100 and c is not iotkm.TicketRefusedError:
            assert of_c.get(c.code) in (None, c.__name__.removesuffix("Error").upper()), c
    assert of_c[-106] == "BUSY"

    classes = [c for c in vars(_errors).values() if isinstance(c, type) and issubclass(c, IotkmError)]
    assert len({c.code for c in classes}) == len(classes)


@pytest.mark.parametrize(
    ("kind", "parent"),
    [
        (iotkm.NotEstablishedError, ConnectionError),
        (iotkm.WrongStateError, RuntimeError),
        (iotkm.UndrainedError, BlockingIOError),
        (iotkm.TooLongError, ValueError),
        (iotkm.BadArgumentError, ValueError),
        (iotkm.RngError, OSError),
        (iotkm.NoRecordError, LookupError),
        (iotkm.LockedError, PermissionError),
    ],
)
def test_builtin_parents(kind: type[IotkmError], parent: type[Exception]) -> None:
    assert issubclass(kind, parent)
    assert str(kind("why")) == "why"


def test_wrong_arguments_say_which(platform: Platform, triple: Triple) -> None:
    def provisioned(own_id: bytes = b"a", id: bytes = b"b") -> Peer:
        return Peer.provisioned(slot=1, own_id=own_id, id=id, triple=triple)

    key = bytes(32)
    calls: list[tuple[Callable[[], object], str]] = [
        (lambda: Platform(b"short"), "32 bytes, this one has 5"),
        (lambda: Platform(key, place=bytes(33)), "at most 32 bytes"),
        (lambda: Triple(key, key, key[1:]), "32 bytes"),
        (lambda: provisioned(id=b""), "1 to 16 bytes"),
        (lambda: provisioned(id=bytes(17)), "1 to 16 bytes"),
        (lambda: provisioned(id=b"a"), "same"),
        (lambda: History(platform, provisioned(), mtu=31), "mtu"),
        (lambda: History(platform, provisioned(), tries=0), "tries"),
        (lambda: History(platform, provisioned(), rekey_after=2**20 + 1), "rekey_after"),
        (lambda: History(platform, provisioned(), cid=bytes(9)), "8 bytes"),
        (lambda: History(platform, provisioned(), log=65_536), "65535"),
        (lambda: History(platform, provisioned()).connect(bytes(23)), "22 bytes"),
        (lambda: Pairing(platform, own_id=b"a", peer_slot=1, attempts_slot=1), "same"),
        (lambda: Pairing(platform, own_id=b"a", peer_slot=1, attempts_slot=0, group="P-521"), "P-256"),
        (lambda: Hub(platform, capacity=0), "capacity"),
        (lambda: iotkm.inspect(b""), "neither"),
    ]
    for call, says in calls:
        with pytest.raises(iotkm.BadArgumentError, match=says):
            call()
    for wrong in (
        lambda: Platform("text"),  # type: ignore[arg-type]
        lambda: Platform(key, rng=3),  # type: ignore[arg-type]
        lambda: Platform(key, clock="now"),  # type: ignore[arg-type]
        lambda: History(platform, triple),  # type: ignore[arg-type]
    ):
        with pytest.raises(TypeError):
            wrong()
    with pytest.raises(OverflowError):
        Peer.provisioned(slot=-1, own_id=b"a", id=b"b", triple=triple)
    with pytest.raises(TypeError):
        iotkm.Association()


def test_wrong_order_changes_nothing() -> None:
    net = sim.history_pair()
    history, info = net.a.history, net.a.history.peer
    for call in (
        lambda: history.send(b"x"),
        history.export,
        history.update,
        history.close,
        lambda: history.exporter(b"", b"", 1),
    ):
        with pytest.raises(iotkm.NotEstablishedError):
            call()
    history.handle_timeout()
    history.persisted(1)
    history.persisted(77, False)
    history.connect(net.b.address)
    with pytest.raises(iotkm.WrongStateError):
        history.connect(net.b.address)
    with pytest.raises(iotkm.WrongStateError):
        history.restore(b"")
    assert history.peer == info
    net.a.drain()
    assert net.drive(until=lambda: net.a.is_established and net.b.is_established)
    with pytest.raises(iotkm.TooLongError) as caught:
        history.send(bytes(2_000))
    assert caught.value.max == len(history.send(bytes(caught.value.max)).data) - 11 - 9 - 3
    with pytest.raises(iotkm.NoRecordError):
        history.update()
    with pytest.raises(iotkm.BadArgumentError):
        history.exporter(b"", b"", 8_161)


def test_undrained() -> None:
    net = sim.history_pair()
    net.a.connect(net.b.address)
    net.drive(until=lambda: len(net.trace) == 6)
    ack = net.trace[5].data
    net.cut()
    assert net.a.history.handle_input(net.b.address, ack) is None
    with pytest.raises(iotkm.UndrainedError):
        net.a.history.handle_input(net.b.address, ack)
    with pytest.raises(iotkm.UndrainedError):
        net.a.history.handle_timeout()
    net.a.drain()
    assert net.a.is_established


def test_a_peer_is_given_away_once(platform: Platform, triple: Triple) -> None:
    peer = Peer.provisioned(slot=1, own_id=b"a", id=b"b", triple=triple)
    with pytest.raises(iotkm.BadArgumentError):
        History(platform, peer, mtu=3)
    assert peer.info.id == b"b", "a refused constructor takes nothing"
    History(platform, peer)
    with pytest.raises(iotkm.WrongStateError):
        History(platform, peer)
    with pytest.raises(iotkm.WrongStateError):
        peer.info
    assert repr(peer) == "<Peer given away>"


def test_blobs(platform: Platform, triple: Triple) -> None:
    peer = Peer.provisioned(slot=1, own_id=b"a", id=b"b", triple=triple)
    first, version = peer.seal(platform)
    second, above = peer.seal(platform)
    assert above == version + 1
    assert len(second) <= Peer.BLOB_MAX
    assert Peer.restore(platform, slot=1, blob=second, floor=above).info == peer.info
    with pytest.raises(iotkm.BlobRolledBackError):
        Peer.restore(platform, slot=1, blob=first, floor=above)
    for wrong in (b"", b"\x02", first[:-1], first + b"x", bytes([first[0] ^ 3]) + first[1:], bytes(len(first))):
        with pytest.raises(iotkm.BadBlobError):
            Peer.restore(platform, slot=1, blob=wrong)
    with pytest.raises(iotkm.BadBlobError):
        Peer.restore(Platform(secrets.token_bytes(32)), slot=1, blob=first)


def test_randomness_that_fails() -> None:
    class Source:
        def __init__(self) -> None:
            self.error: BaseException | None = None
            self.short = False

        def randbytes(self, n: int) -> bytes:
            if self.error is not None:
                raise self.error
            return bytes(n - 1 if self.short else n)

    source = Source()
    platform = Platform(bytes(32), rng=source)
    key = bytes(32)
    peer = Peer.provisioned(slot=1, own_id=b"a", id=b"b", triple=Triple(key, key, key))
    history = History(platform, peer)
    source.error = TimeoutError("the chip is asleep")
    with pytest.raises(iotkm.RngError) as caught:
        history.connect(b"x")
    assert caught.value.__cause__ is source.error
    source.error, source.short = None, True
    with pytest.raises(iotkm.RngError) as caught:
        history.connect(b"x")
    assert "where" in str(caught.value.__cause__)
    source.error = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        history.connect(b"x")
    source.error, source.short = None, False
    assert isinstance(history.poll(), iotkm.Idle), "nothing had changed"
    history.connect(b"x")
    assert isinstance(history.poll(), iotkm.Persist)


def test_clocks_that_fail(triple: Triple) -> None:
    def broken() -> int:
        raise OSError("no clock")

    peer = Peer.provisioned(slot=1, own_id=b"a", id=b"b", triple=triple)
    history = History(Platform(bytes(32), clock=broken), peer)
    with pytest.raises(OSError, match="no clock"):
        history.connect(b"x")
    without = Platform(bytes(32), wall=lambda: None)
    peer = Peer.provisioned(slot=1, own_id=b"a", id=b"b", triple=triple)
    History(without, peer).connect(b"x")


def test_hub_and_its_associations() -> None:
    platform = Platform(bytes(32))
    hub = Hub(platform, capacity=2)
    key = bytes(32)

    def history(name: bytes, where: Platform = platform) -> History:
        triple = Triple(key, key, name.ljust(32))
        return History(where, Peer.provisioned(slot=1, own_id=b"hub", id=name, triple=triple))

    one, two, three = history(b"one"), history(b"two"), history(b"three")
    assert hub.insert(one) == 0 and hub.insert(two, place=1) == 1 and len(hub) == 2
    with pytest.raises(iotkm.FullError):
        hub.insert(three)
    assert isinstance(three.poll(), iotkm.Idle), "a refused one goes on by itself"
    for call in (one.poll, one.handle_timeout, lambda: one.handle_input(b"", b"")):
        with pytest.raises(iotkm.WrongStateError):
            call()
    with pytest.raises(iotkm.WrongStateError):
        hub.insert(one)
    with pytest.raises(iotkm.WrongStateError):
        hub.remove(three)
    with pytest.raises(iotkm.BadArgumentError):
        hub.insert(history(b"four", Platform(bytes(32))))
    one.connect(b"somewhere")
    whose, output = hub.poll()
    assert whose is one and isinstance(output, iotkm.Persist)
    one.persisted(output.slot)
    whose, output = hub.poll()
    assert whose is one and isinstance(output, iotkm.Datagram)
    hub.remove(two)
    assert isinstance(two.poll(), iotkm.Idle)
    with pytest.raises(iotkm.BadArgumentError, match="place 0"):
        hub.insert(two, place=0)
    with pytest.raises(iotkm.BadArgumentError, match="capacity"):
        hub.insert(two, place=2)
    two.connect(b"somewhere")
    with pytest.raises(iotkm.WrongStateError, match="before it connects"):
        Hub(platform, capacity=1).insert(two)
    assert hub.insert(two) == 1, "the place that it had"
