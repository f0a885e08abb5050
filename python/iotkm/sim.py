"""A seeded network in memory: two associations, their storage and clocks, and a link that loses what it likes.

Nothing sleeps and nothing is random but by the seed, so that a failing run can be played again. For tests of
applications, for ``iotkm simulate``, and to see the messages of a scheme.

>>> from iotkm import sim
>>> net = sim.history_pair(seed=1)
>>> net.a.connect(net.b.address)
>>> net.drive(until=lambda: net.a.is_established and net.b.is_established)
True
>>> [sim.name(step.data) for step in net.trace][:6]
['C1', 'C2', 'C3', 'C4', 'C5', 'ACK']
"""

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import assert_never

from iotkm import (
    SUITE_0,
    Association,
    CredentialOperator,
    CredentialPeer,
    CredentialRequest,
    Datagram,
    Event,
    History,
    Holder,
    Idle,
    Interactive,
    Noninteractive,
    OperatorKey,
    Pairing,
    Peer,
    Persist,
    Platform,
    Received,
    SigningKey,
    StaticKey,
    Suite,
    Ticket,
    TicketAgent,
    TicketPeer,
    Triple,
    Wallet,
    inspect,
)

_START = 1_000
_WALL = 1_750_000_000_000
NOW = _WALL // 1000
"""The wall clock of the nodes when a net begins, in seconds since 1970."""
AGENT = SigningKey("EdDSA", bytes([0xA9]) * 32)
"""The key of the agent ``agent`` that issues the tickets here."""


@dataclass(frozen=True)
class Link:
    """What a link does to datagrams, and how long it takes."""

    loss: float = 0.0
    """Part of the datagrams that get lost, 0 to 1."""
    duplicate: float = 0.0
    """Part that comes twice."""
    corrupt: float = 0.0
    """Part with a bit flipped."""
    delay: tuple[int, int] = (10, 10)
    """Shortest and longest delay in ms; different delays reorder."""


GOOD = Link()
"""Loses nothing and takes 10 ms."""
BAD = Link(loss=0.3, duplicate=0.1, corrupt=0.05, delay=(1, 1_500))
"""30 % loss each way, with reordering, duplication and corruption."""


class Node:
    """One association and its surroundings.

    ``connect``, ``update``, ``send``, ``close``, ``pair`` and ``listen`` are the association's, each followed by
    sending what it wants to send.
    """

    def __init__(self, net: "Net", address: bytes, platform: Platform) -> None:
        self.net = net
        self.address = address
        self.platform = platform
        self.key: StaticKey | None = None
        """The device's static key, where the scheme has such."""
        self.wallet: Wallet | None = None
        """Its tickets, likewise."""
        self.holder: Holder | None = None
        """Its credential, likewise."""
        self.stored: dict[int, bytes] = {}
        """The storage: what survives a power cut, by slot."""
        self.writes_left: int | None = None
        """Writes until the power is cut right before the next; ``None``: never."""
        self.store_broken = False
        """Whether the storage refuses writes."""
        self.dead = False
        self.events: list[Event] = []
        self.received: list[Received] = []
        self.wake_at: int | None = None
        self._association: Association | None = None

    @property
    def association(self) -> Association:
        """The association; it can be replaced, as a restart does."""
        assert self._association is not None, "put an association into the node first"
        return self._association

    @association.setter
    def association(self, association: Association) -> None:
        self._association = association
        self.dead = False
        self.wake_at = None

    @property
    def history(self) -> History:
        """The association, where it is of the history scheme."""
        assert isinstance(self.association, History)
        return self.association

    @property
    def interactive(self) -> Interactive:
        """The association, where it is of the interactive scheme."""
        assert isinstance(self.association, Interactive)
        return self.association

    @property
    def noninteractive(self) -> Noninteractive:
        """The association, where it is of the noninteractive scheme."""
        assert isinstance(self.association, Noninteractive)
        return self.association

    @property
    def pairing(self) -> Pairing:
        """The association, where it is a pairing."""
        assert isinstance(self.association, Pairing)
        return self.association

    @property
    def is_established(self) -> bool:
        """Whether there is a session."""
        return self.association.is_established

    def connect(self, to: bytes) -> None:
        """See `History.connect`, `Interactive.connect` and `Noninteractive.connect`."""
        association = self.association
        assert isinstance(association, History | Interactive | Noninteractive)
        association.connect(to)
        self.drain()

    def update(self) -> None:
        """See `History.update`."""
        self.history.update()
        self.drain()

    def ping(self, to: bytes) -> None:
        """See `Interactive.ping`."""
        self.interactive.ping(to)
        self.drain()

    def authenticate(self, to: bytes) -> None:
        """See `Interactive.authenticate`."""
        self.interactive.authenticate(to)
        self.drain()

    def recheck(self) -> None:
        """See `Interactive.recheck` and `Noninteractive.recheck`."""
        association = self.association
        assert isinstance(association, Interactive | Noninteractive)
        association.recheck()
        self.drain()

    def go_on(self) -> None:
        """See `Noninteractive.go_on`."""
        self.noninteractive.go_on()
        self.drain()

    def close(self) -> None:
        """See `Association.close`."""
        self.association.close()
        self.drain()

    def listen(self, sk: bytes, *, window_ms: int = 120_000) -> None:
        """See `Pairing.listen`."""
        self.pairing.listen(sk, window_ms=window_ms)
        self.drain()

    def pair(self, to: bytes, sk: bytes) -> None:
        """See `Pairing.start`."""
        self.pairing.start(to, sk)
        self.drain()

    def send(self, payload: bytes) -> None:
        """See `Association.send`."""
        datagram = self.association.send(payload)
        self.net.post(self, datagram.to, datagram.data)
        self.drain()

    def saw(self, kind: type[Event]) -> bool:
        """Whether an event of this kind has happened."""
        return any(isinstance(event, kind) for event in self.events)

    def drain(self) -> None:
        """Polls until idle: sends, stores and notes what comes out."""
        while not self.dead:
            match self.association.poll():
                case Datagram(to, data):
                    self.net.post(self, to, data)
                case Persist(slot, _, data):
                    self._store(slot, data)
                case Event() as event:
                    self.events.append(event)
                case Idle(wake_at):
                    self.wake_at = wake_at
                    return
                case other:
                    assert_never(other)

    def _store(self, slot: int, data: bytes) -> None:
        if self.writes_left == 0:
            self.dead = True
            return
        if self.writes_left is not None:
            self.writes_left -= 1
        if not self.store_broken:
            self.stored[slot] = data
        self.association.persisted(slot, not self.store_broken)

    def _input(self, source: bytes, data: bytes) -> None:
        if self.dead:
            return
        received = self.association.handle_input(source, data)
        if received is not None:
            self.received.append(received)
        self.drain()

    def _timeout(self) -> None:
        self.association.handle_timeout()
        self.drain()


@dataclass(frozen=True)
class Step:
    """A datagram that was sent."""

    at: int
    """When, in ms."""
    from_a: bool
    """Whether `Net.a` sent it."""
    data: bytes
    """The datagram."""
    lost: bool
    """Whether the link lost it."""


class Net:
    """Two nodes and the link between them. Times are simulated, in ms."""

    def __init__(self, seed: int, link: Link = GOOD, group: str | None = None) -> None:
        """`group`: of the nodes' static keys, where the scheme has such."""
        self.link = link
        self.now = _START
        self.trace: list[Step] = []
        self._random = Random(f"net {seed}")
        self._flying: list[tuple[int, int, Node, bytes, bytes]] = []
        """When, a number, to whom, from where, what."""
        self._order = 0
        self.issuer: Issuer | None = None
        """Who issued the nodes' credentials, where the scheme has such."""
        self.a, self.b = self._node(seed, b"a", group), self._node(seed, b"b", group)

    def _node(self, seed: int, name: bytes, group: str | None) -> Node:
        random = Random(f"node {name!r} {seed}")
        secret = random.randbytes(32)
        key = None if group is None else StaticKey(group, random.randbytes(32))
        platform = Platform(
            secret, rng=random, clock=lambda: self.now, wall=lambda: _WALL + self.now, place=b"lab",
            keys=None if key is None else {0: key},
        )  # fmt: skip
        node = Node(self, name * 6, platform)
        node.key = key
        return node

    def post(self, sender: Node, to: bytes, data: bytes) -> None:
        """Puts a datagram on the link."""
        receiver = self.b if sender is self.a else self.a
        lost = to != receiver.address or self._happens(self.link.loss)
        self.trace.append(Step(self.now, sender is self.a, data, lost))
        if lost:
            return
        for _ in range(2 if self._happens(self.link.duplicate) else 1):
            copy = bytearray(data)
            if self._happens(self.link.corrupt):
                bit = self._random.randrange(len(copy) * 8)
                copy[bit // 8] ^= 1 << bit % 8
            self._order += 1
            at = self.now + self._random.randint(*self.link.delay)
            heapq.heappush(self._flying, (at, self._order, receiver, sender.address, bytes(copy)))

    def _happens(self, part: float) -> bool:
        return self._random.random() < part

    def cut(self) -> None:
        """Takes everything off the link."""
        self._flying.clear()

    def _waiting(self) -> list[tuple[int, Node]]:
        """The nodes with a timer, and when it is due."""
        nodes = (node for node in (self.a, self.b) if not node.dead)
        return [(node.wake_at, node) for node in nodes if node.wake_at is not None]

    def next_at(self) -> int | None:
        """When the next datagram or timer is due; ``None``: there is none."""
        due = [at for at, _ in self._waiting()] + [at for at, *_ in self._flying[:1]]
        return max(self.now, min(due)) if due else None

    def step(self) -> bool:
        """Goes on to the next datagram or timer; ``False`` if there is none."""
        at = self.next_at()
        if at is None:
            return False
        waiting = self._waiting()
        self.now = at
        if self._flying and self._flying[0][0] <= min((wake for wake, _ in waiting), default=self._flying[0][0]):
            _, _, receiver, source, data = heapq.heappop(self._flying)
            receiver._input(source, data)
            return True
        for wake, node in waiting:
            if wake <= self.now:
                node._timeout()
        return True

    def drive(self, ms: int = 300_000, until: Callable[[], bool] = lambda: False) -> bool:
        """Steps until `until` says so, nothing is left to do, or `ms` have passed; what `until` says then."""
        end = self.now + ms
        while not until():
            at = self.next_at()
            if at is None:
                break
            if at > end:
                self.now = end
                break
            self.step()
        return until()


def name(datagram: bytes) -> str:
    """A datagram's name as in the specification: ``C1``, ``RESUME_1``, ``record``, ``control``."""
    seen = inspect(datagram)
    if seen["what"] == "record":
        return "control" if seen["control"] else "record"
    return str(seen.get("message", seen["what"]))


def history_pair(seed: int = 0, link: Link = GOOD, suite: Suite | None = None, log: int = 48) -> Net:
    """Two devices with the same triple, as after pairing, each with a `History` at rest."""
    net = Net(seed, link)
    random = Random(f"triple {seed}")
    triple = Triple(random.randbytes(32), random.randbytes(32), random.randbytes(32))
    for node, own, other in ((net.a, b"device-a", b"device-b"), (net.b, b"device-b", b"device-a")):
        peer = Peer.provisioned(slot=1, own_id=own, id=other, triple=triple, suite=suite)
        node.stored[1], _ = peer.seal(node.platform)
        node.association = History(node.platform, peer, log=log)
    return net


def ticket(device: str, key: StaticKey, serial: int, issued_at: int = NOW, days: float = 365) -> Ticket:
    """A ticket of `AGENT` for this key."""
    return Ticket.issue(
        AGENT, agent="agent", device=device, group=key.group, key=key.public_key, serial=serial, issued_at=issued_at,
        expires=issued_at + round(days * 86_400), scope="lab",
    )  # fmt: skip


def interactive_pair(
    seed: int = 0, link: Link = GOOD, suites: Sequence[Suite] = (SUITE_0,), days: float = 365, psk: bytes | None = None
) -> Net:
    """Two devices with tickets of one agent, each with an `Interactive` at rest.

    >>> net = interactive_pair(seed=1)
    >>> net.a.connect(net.b.address)
    >>> net.drive(until=lambda: net.a.is_established and net.b.is_established)
    True
    >>> [name(step.data) for step in net.trace][:8]
    ['M1', 'M2', 'M3', 'M4', 'K1', 'K2', 'K3', 'K4']
    """
    groups = {2: "p256", 3: "p256", 5: "p256", -21: "ffc2048", -22: "ffc3072"}
    net = Net(seed, link, groups.get(suites[0].id, "x25519"))
    for serial, (node, own, other) in enumerate([(net.a, "device-a", "device-b"), (net.b, "device-b", "device-a")], 1):
        assert node.key is not None
        node.wallet = Wallet(node.platform, device=own, agent="agent", key=AGENT.public_key)
        node.wallet.install(ticket(own, node.key, serial, days=days))
        peer = TicketPeer.named(slot=1, own_id=own, id=other, psk=psk)
        node.stored[1], _ = peer.seal(node.platform)
        node.association = Interactive(node.platform, peer, node.wallet, suites=suites)
    return net


class Issuer:
    """The operator ``agent``, whose revocation lists `AGENT` signs."""

    def __init__(self, suite: Suite = SUITE_0, seed: int = 0) -> None:
        self.suite = suite
        self.platform = Platform(bytes(32), rng=Random(f"issuer {seed}"))
        self.key = OperatorKey.generate(self.platform, suite=suite)
        self.operator = CredentialOperator("agent", key=self.key.public_key, lists=AGENT.public_key, suite=suite)
        self._numbers = TicketAgent("agent")
        self._numbers.seal(self.platform)
        self._numbers.persisted()

    def answer(self, request: bytes, issued_at: int = NOW, hours: int = 24 * 365) -> bytes:
        """See `OperatorKey.issue`."""
        return self.key.issue(self.platform, self._numbers, request, now=issued_at, life=hours)

    def renew(self, node: Node, slot: int = 0, issued_at: int = NOW, hours: int = 24 * 365) -> None:
        """Gives a node its next credential, by split issue, and puts its key into that slot."""
        holder = node.holder
        assert holder is not None
        asked = CredentialRequest(node.platform, holder.device, suite=self.suite)
        credential, node.key = holder.accept(asked, self.answer(asked.request, issued_at, hours))
        node.platform.set_key(slot, node.key)
        holder.install(credential)


def noninteractive_pair(
    seed: int = 0,
    link: Link = GOOD,
    suite: Suite = SUITE_0,
    hours: int = 24 * 365,
    psk: bytes | None = None,
    interval: int = 3600,
    length: int = 8760,
) -> Net:
    """Two devices with credentials of one operator, each with a `Noninteractive` at rest.

    >>> net = noninteractive_pair(seed=1)
    >>> net.a.connect(net.b.address)
    >>> net.drive(until=lambda: net.a.is_established and net.b.is_established)
    True
    >>> [name(step.data) for step in net.trace]
    ['M1', 'M2', 'M3', 'M4']
    """
    net = Net(seed, link)
    issuer = Issuer(suite, seed)
    for node, own, other in ((net.a, "device-a", "device-b"), (net.b, "device-b", "device-a")):
        node.holder = Holder(node.platform, device=own, operator=issuer.operator)
        issuer.renew(node, hours=hours)
        peer = CredentialPeer.named(slot=1, own_id=own, id=other, suite=suite, psk=psk)
        node.stored[1], _ = peer.seal(node.platform)
        node.association = Noninteractive(node.platform, peer, node.holder, interval=interval, length=length)
    net.issuer = issuer
    return net


def pairing_pair(seed: int = 0, link: Link = GOOD, suite: Suite | None = None) -> Net:
    """Two devices that do not know each other, each with a `Pairing` at rest; it stores the peer in slot 1."""
    net = Net(seed, link)
    for node, own in ((net.a, b"device-a"), (net.b, b"device-b")):
        node.association = Pairing(node.platform, own_id=own, peer_slot=1, attempts_slot=0, suite=suite)
    return net


@dataclass(frozen=True)
class Outcome:
    """How an exchange went."""

    seed: int
    """Plays it again."""
    established: bool
    """Whether both sides came to a session."""
    ms: int
    """How long it took."""
    datagrams: int
    """Datagrams that both sides sent."""
    lost: int
    """How many of them the link lost."""
    bytes: int
    """Bytes that both sides sent."""


def exchange(seed: int, link: Link = GOOD, suite: Suite | None = None, ms: int = 300_000) -> Outcome:
    """One exchange over a link.

    >>> from iotkm import sim
    >>> sim.exchange(1).established
    True
    """
    net = history_pair(seed, link, suite)
    net.a.connect(net.b.address)

    def both() -> bool:
        return net.a.is_established and net.b.is_established

    established = net.drive(ms, both)
    return Outcome(
        seed=seed,
        established=established,
        ms=net.now - _START,
        datagrams=len(net.trace),
        lost=sum(step.lost for step in net.trace),
        bytes=sum(len(step.data) for step in net.trace),
    )
