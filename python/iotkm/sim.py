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
    Datagram,
    Event,
    History,
    Idle,
    Interactive,
    Pairing,
    Peer,
    Persist,
    Platform,
    Received,
    SigningKey,
    StaticKey,
    Suite,
    Ticket,
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
    def pairing(self) -> Pairing:
        """The association, where it is a pairing."""
        assert isinstance(self.association, Pairing)
        return self.association

    @property
    def is_established(self) -> bool:
        """Whether there is a session."""
        return self.association.is_established

    def connect(self, to: bytes) -> None:
        """See `History.connect` and `Interactive.connect`."""
        association = self.association
        assert isinstance(association, History | Interactive)
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
        """See `Interactive.recheck`."""
        self.interactive.recheck()
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

    def step(self) -> bool:
        """Goes on to the next datagram or timer; ``False`` if there is none."""
        waiting = [node for node in (self.a, self.b) if node.wake_at is not None and not node.dead]
        wake = min((node.wake_at for node in waiting if node.wake_at is not None), default=None)
        if self._flying and (wake is None or self._flying[0][0] <= wake):
            at, _, receiver, source, data = heapq.heappop(self._flying)
            self.now = max(self.now, at)
            receiver._input(source, data)
            return True
        if wake is None:
            return False
        self.now = max(self.now, wake)
        for node in waiting:
            if node.wake_at is not None and node.wake_at <= self.now:
                node._timeout()
        return True

    def drive(self, ms: int = 300_000, until: Callable[[], bool] = lambda: False) -> bool:
        """Steps until `until` says so, nothing is left to do, or `ms` have passed; what `until` says then."""
        end = self.now + ms
        while not until():
            if self.now > end or not self.step():
                break
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
