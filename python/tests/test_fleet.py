"""Ticket agent, operator and device: who says what to whom, what is stored first, and what is refused."""

from typing import Any

import pytest

from iotkm import (
    Acknowledged,
    BadArgumentError,
    BadBlobError,
    BlobRolledBackError,
    FullError,
    IotkmError,
    KeyFailedError,
    Operator,
    Platform,
    Refusal,
    RevocationList,
    SigningKey,
    StaticKey,
    Ticket,
    TicketAgent,
    TicketRefusedError,
    TicketRequest,
    Wallet,
    WrongStateError,
    read_ticket_message,
    write_ticket_message,
)

NOW = 1_800_000_000
KEY = SigningKey("EdDSA", bytes([7]) * 32)
LAMP = TicketRequest("lamp", "x25519", bytes([9]) * 32, 1000, "light")


def code_of(call: Any, *arguments: Any, **named: Any) -> int:
    with pytest.raises(IotkmError) as raised:
        call(*arguments, **named)
    return raised.value.code


class World:
    """An agent, an operator and a device, and a clock that all see."""

    def __init__(self) -> None:
        self.now = NOW
        self.platform = Platform(bytes(32), wall=lambda: self.now * 1000)
        self.agent = TicketAgent("acme")
        self.agent.seal(self.platform)
        self.agent.persisted()
        self.wallet = self.new_wallet("lamp")
        self.operator = Operator(capacity=2, lead=300, retry=60)

    def new_wallet(self, device: str) -> Wallet:
        return Wallet(self.platform, device=device, agent="acme", key=KEY.public_key)

    def issue(self, request: TicketRequest = LAMP) -> Ticket:
        return self.agent.issue(KEY, request, now=self.now)

    def store(self) -> bytes:
        blob, _ = self.wallet.seal()
        self.wallet.persisted()
        return blob


def test_a_ticket_is_renewed() -> None:
    world = World()
    first = world.issue()
    world.wallet.install(first)
    world.store()
    world.operator.knows(first)
    assert world.operator.ask(world.now) is None and world.operator.wake_at == NOW + 700
    world.now += 700
    assert world.operator.ask(world.now) == "lamp" and world.operator.ask(world.now) is None
    assert world.operator.devices[0].asked_at == world.now
    assert world.operator.ask(world.now + 60) == "lamp", "no answer: asked again"

    # To the agent and back, as bytes.
    asked = read_ticket_message(write_ticket_message(LAMP))
    assert asked == LAMP and isinstance(asked, TicketRequest)
    answer = read_ticket_message(write_ticket_message(world.agent.issue(KEY, asked, now=world.now)))
    assert isinstance(answer, Ticket) and answer.serial == 2
    world.operator.issued(answer)
    waiting = world.operator.waiting_for("lamp")
    assert waiting == answer.reference and world.operator.waiting_for("other") is None
    assert world.operator.ask(world.now + 1000) is None, "it is here already"

    # The device is away, comes back, is pushed twice, and loses its power before it has stored.
    push = write_ticket_message(answer)
    assert world.wallet.handle(push) and world.wallet.acknowledgement() is None
    before = world.store()
    acknowledgement = world.wallet.acknowledgement()
    assert acknowledgement is not None
    assert world.wallet.handle(push) and world.wallet.acknowledgement() == acknowledgement
    assert not world.operator.handle("lamp", write_ticket_message(Acknowledged(first.reference)))
    assert not world.operator.handle("other", acknowledgement)
    assert world.operator.handle("lamp", acknowledgement) and not world.operator.handle("lamp", acknowledgement)
    assert world.operator.devices[0].waiting is None and world.operator.devices[0].expires == answer.expires

    # Both are good in the overlap.
    assert world.wallet.tickets == [answer, first] and world.wallet.ticket == answer
    assert world.wallet.named(first.reference) == first and world.wallet.named(bytes(8)) is None
    world.now += 300
    assert world.wallet.ticket == answer
    again = Wallet.restore(world.platform, device="lamp", agent="acme", key=KEY.public_key, blob=before)
    assert again.tickets == [answer, first] and again.floor == NOW + 700 and not again.needs_store


def test_a_ticket_is_revoked() -> None:
    world = World()
    lamp, switch = world.issue(), world.issue(TicketRequest("switch", "x25519", bytes([8]) * 32, 1000))
    world.wallet.install(lamp)
    world.wallet.check(switch)
    revoked = world.agent.revoke(KEY, [switch.serial], now=world.now + 5)
    assert world.wallet.handle(write_ticket_message(revoked)) and world.wallet.list_number == 1
    assert world.wallet.floor == NOW + 5
    assert code_of(world.wallet.check, switch) == -211
    world.wallet.check(lamp)
    older = RevocationList.issue(KEY, agent="acme", number=0, issued_at=NOW, serials=[])
    assert code_of(world.wallet.revoke, older) == -212
    world.store()
    said = read_ticket_message(world.wallet.acknowledgement() or b"")
    assert said == Acknowledged(lamp.reference, 1)
    own = world.agent.revoke(KEY, [lamp.serial, switch.serial], now=world.now + 6)
    assert world.wallet.revoke(own) and world.wallet.ticket is None


def test_what_a_wallet_refuses() -> None:
    world = World()
    assert code_of(world.wallet.install, world.issue(TicketRequest("hub", "x25519", bytes(32), 9))) == -207
    other = Ticket.issue(
        SigningKey("EdDSA", bytes(32)), agent="acme", device="lamp", group="x25519", key=bytes(32), serial=1,
        issued_at=NOW, expires=NOW + 9,
    )  # fmt: skip
    assert code_of(world.wallet.install, other) == -208
    assert code_of(world.wallet.handle, b"garbage") == -201
    assert code_of(world.wallet.handle, write_ticket_message(other)) == -208
    assert not world.wallet.handle(write_ticket_message(Refusal(-1))) and not world.wallet.needs_store
    good = world.issue()
    world.now += 1000
    assert code_of(world.wallet.install, good) == -209
    assert code_of(Wallet, world.platform, device="", agent="acme", key=KEY.public_key) == -6
    peer = world.issue(TicketRequest("hub", "x25519", bytes([8]) * 32, 9))
    world.wallet.saw(peer)
    assert world.wallet.floor == world.now


def test_stored_elsewhere() -> None:
    world = World()
    world.wallet.install(world.issue())
    old, _ = world.wallet.seal()
    new, version = world.wallet.seal()
    named = {"agent": "acme", "key": KEY.public_key}
    for wrong in ({"device": "hub", **named}, {"device": "lamp", **named, "agent": "other"}):
        with pytest.raises(BadBlobError):
            Wallet.restore(world.platform, blob=new, **wrong)  # type: ignore[arg-type]
    with pytest.raises(BadBlobError):
        Wallet.restore(Platform(bytes([1]) * 32), device="lamp", agent="acme", key=KEY.public_key, blob=new)
    with pytest.raises(BlobRolledBackError):
        Wallet.restore(world.platform, device="lamp", agent="acme", key=KEY.public_key, blob=old, floor=version)
    assert len(new) <= Wallet.BLOB_MAX


def test_an_agent_repeats_no_number() -> None:
    platform = Platform(bytes(32))
    agent = TicketAgent("acme")
    with pytest.raises(WrongStateError):
        agent.issue(KEY, LAMP, now=NOW)
    blob, _ = agent.seal(platform)
    with pytest.raises(WrongStateError, match="persisted"):
        agent.issue(KEY, LAMP, now=NOW)
    agent.persisted()
    serials = [agent.issue(KEY, LAMP, now=NOW).serial for _ in range(256)]
    assert serials == list(range(1, 257))
    with pytest.raises(WrongStateError):
        agent.issue(KEY, LAMP, now=NOW)
    again = TicketAgent.restore(platform, blob=blob)
    again.seal(platform)
    again.persisted()
    assert again.issue(KEY, LAMP, now=NOW).serial == 257 and again.name == "acme"
    for wrong in (TicketRequest("", "x25519", bytes(32), 9), TicketRequest("a", "x25519", bytes(32), 0)):
        with pytest.raises(TicketRefusedError):
            again.issue(KEY, wrong, now=NOW)
    assert code_of(TicketAgent, "x" * 33) == -6
    with pytest.raises(BadBlobError):
        TicketAgent.restore(platform, blob=blob[:-1])


def test_operator_is_bounded() -> None:
    world = World()
    for device in "ab":
        world.operator.knows(world.issue(TicketRequest(device, "x25519", bytes(32), 1000)))
    with pytest.raises(FullError):
        world.operator.knows(world.issue())
    with pytest.raises(BadArgumentError):
        world.operator.issued(world.issue())
    world.operator.forget("a")
    world.operator.knows(world.issue())
    assert {device.device for device in world.operator.devices} == {"b", "lamp"} and "2 of 2" in repr(world.operator)
    with pytest.raises(TicketRefusedError):
        world.operator.handle("b", b"garbage")
    with pytest.raises(BadArgumentError):
        Operator(capacity=0, lead=1, retry=1)


def test_messages() -> None:
    assert read_ticket_message(write_ticket_message(Refusal(-208))) == Refusal(-208)
    with pytest.raises(TypeError, match="str"):
        write_ticket_message("ticket")  # type: ignore[arg-type]
    for wrong in (TicketRequest("a", "p512", bytes(32), 9), TicketRequest("a", "p256", bytes(31), 9)):
        assert code_of(write_ticket_message, wrong) == -205
    assert code_of(write_ticket_message, Acknowledged(bytes(7))) == -204
    for data in (b"", b"\x80", b"\x82\x01\x40", bytes.fromhex("8500")):
        assert code_of(read_ticket_message, data) <= -201


def test_keys_that_live_elsewhere() -> None:
    agent = World().agent
    asked: list[bytes] = []

    def sign(message: bytes) -> bytes:
        asked.append(message)
        return KEY.sign(message)

    ticket = agent.issue(SigningKey.external(KEY.public_key, sign), LAMP, now=NOW)
    assert Ticket.verify(bytes(ticket), "acme", KEY.public_key) == ticket and asked

    def broken(_: bytes) -> bytes:
        raise OSError("the token was pulled")

    for wrong in (broken, lambda _: b"short", lambda _: bytes(64), SigningKey("EdDSA", bytes(32)).sign):
        with pytest.raises(KeyFailedError) as raised:
            agent.issue(SigningKey.external(KEY.public_key, wrong), LAMP, now=NOW)
        assert raised.value.code == -111
        assert wrong is not broken or isinstance(raised.value.__cause__, OSError)
    assert agent.issue(KEY, LAMP, now=NOW).serial == ticket.serial + 1, "no number was used up"
    with pytest.raises(TypeError):
        SigningKey.external(KEY.public_key, 5)  # type: ignore[arg-type]


@pytest.mark.parametrize(("group", "length"), [("x25519", 32), ("p256", 65), ("ffc2048", 256), ("ffc3072", 384)])
def test_static_keys(group: str, length: int) -> None:
    ours, theirs = StaticKey(group, bytes([7]) * 32), StaticKey(group, bytes([9]) * 32)
    secret = ours.agree(theirs.public_key)
    assert secret == theirs.agree(ours.public_key) and ours.group == group
    given: list[bytes] = []

    def agree(point: bytes) -> bytes:
        given.append(point)
        return ours.agree(point)

    elsewhere = StaticKey.external(group, ours.public_key, agree)
    assert elsewhere.agree(theirs.public_key) == secret and elsewhere.public_key == ours.public_key
    assert [len(point) for point in given] == [length]
    none = (b"\xff" if group == "p256" else b"\0") * len(ours.public_key)
    with pytest.raises(BadArgumentError):
        elsewhere.agree(none)
    assert len(given) == 1, "a token is not asked about what is no element"
    def broken(_: bytes) -> bytes:
        raise OSError("the token was pulled")

    for wrong in (broken, lambda _: b""):
        with pytest.raises(KeyFailedError):
            StaticKey.external(group, ours.public_key, wrong).agree(theirs.public_key)
    for bad in (b"", none):
        with pytest.raises(BadArgumentError):
            StaticKey.external(group, bad, agree)
    with pytest.raises(BadArgumentError):
        StaticKey(group, bytes(31))
    assert (bytes([7]) * 32).hex() not in repr(ours)


def test_static_keys_of_a_platform() -> None:
    key = StaticKey("x25519", bytes([7]) * 32)
    Platform(bytes(32), keys={0: key, 1: key})
    for wrong in ({0: 5}, {-1: key}, {1 << 16: key}, 7):
        with pytest.raises((TypeError, OverflowError)):
            Platform(bytes(32), keys=wrong)  # type: ignore[arg-type]
    with pytest.raises(BadArgumentError):
        StaticKey("p512", bytes(32))
