"""A centre with its devices, on a line that loses what it likes; time is theirs."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from random import Random

from iotkm import Authenticated, Chip, Datagram, Event, Idle, Microcert, Persist, Platform, Received, Suite
from iotkm.authority import Cost
from iotkm.centre import (
    AuthCenter,
    Backups,
    CentreEvent,
    Change,
    FileKeyStore,
    Handled,
    KeyStore,
    Row,
    SeedStore,
    Served,
    SqliteSeedStore,
)

CHEAP = Cost(1, 64, 1)
NOW = 1_771_549_600_000
"""2026-02-20 01:06:40 UTC, in ms."""
CITY = b"city's address"
SEED, STATE = 1, 2


class Clock:
    """Time, in ms: the same for all."""

    def __init__(self) -> None:
        self.now = 5_000

    def wall(self) -> int:
        return NOW + self.now


class Breaking:
    """A key database that fails when told to."""

    def __init__(self, store: SeedStore) -> None:
        self.store = store
        self.error: Exception | None = None
        self.races = 0

    def get(self, ids: Sequence[bytes]) -> list[Row | None]:
        return self.store.get(ids)

    def page(self, after: bytes | None = None, limit: int = 1000) -> list[Row]:
        return self.store.page(after, limit)

    def count(self) -> int:
        return self.store.count()

    def commit(self, changes: Sequence[Change]) -> list[int]:
        if self.error is not None:
            raise self.error
        if self.races:
            self.races -= 1
            return [0 for _ in changes]
        return self.store.commit(changes)


class City:
    """A centre over a file of keys and a database, and what came of its datagrams."""

    def __init__(self, folder: Path, keys: KeyStore | None = None) -> None:
        self.clock = Clock()
        self.folder = folder
        self.keys = keys if keys is not None else FileKeyStore.create(folder / "keys", b"correct horse", cost=CHEAP)
        self.backups = Backups(folder / "backups", self.keys)
        self.sqlite = SqliteSeedStore.create(folder / "centre.db", self.keys, backups=self.backups)
        self.store = Breaking(self.sqlite)
        self.platform = Platform(
            bytes([0xCC]) * 32, rng=Random(7).randbytes, clock=lambda: self.clock.now, wall=self.clock.wall
        )
        self.events: list[tuple[bytes, CentreEvent]] = []
        self.sessions: dict[bytes, Served] = {}
        self.received: list[Received] = []
        self.start()

    def start(self) -> None:
        """Its memory is gone; what is stored is not."""
        self.centre = AuthCenter(self.platform, b"city", self.store, self.keys, shares=1024, answers=64)

    def took(self, handled: Handled) -> None:
        if handled.id is not None and handled.event is not None:
            self.events.append((handled.id, handled.event))
        if handled.session is not None:
            self.sessions[handled.session.id] = Served(self.platform, handled.session)

    def close(self) -> None:
        self.sqlite.close()
        self.backups.close()
        self.keys.close()


class Lamp:
    """A device, its storage and its clock."""

    def __init__(
        self,
        city: City,
        name: bytes,
        *,
        suite: Suite | None = None,
        clockless: bool = False,
        offset: int = 0,
        seed: int = 1,
    ) -> None:
        """`offset`: how far its clock is from the centre's, in seconds."""
        self.name = name
        clock = city.clock
        self.platform = Platform(
            bytes([0xDD]) * 32,
            rng=Random(name + bytes([seed])).randbytes,
            clock=lambda: clock.now,
            wall=lambda: None if clockless else clock.wall() + offset * 1_000,
        )
        invitation = city.centre.invite(name, suite=suite, clockless=clockless)
        chip = Chip.enrol(self.platform, seed_slot=SEED, state_slot=STATE, invitation=invitation)
        id, confirmation = city.centre.enrol(chip.deposit())
        assert id == name
        chip.confirm(confirmation)
        self.stored: dict[int, bytes] = {}
        while chip.needs_store:
            write = chip.seal(self.platform)
            self.stored[write.slot] = write.data
            chip.persisted()
        self.events: list[Event] = []
        self.received: list[Received] = []
        self.wake_at: int | None = None
        self.outbox: list[bytes] = []
        self.a = Microcert(self.platform, chip, cid=b"\x09")

    def chip(self) -> Chip:
        """As it is stored."""
        return Chip.restore(
            self.platform, seed_slot=SEED, state_slot=STATE, seed=self.stored[SEED], state=self.stored[STATE]
        )

    def reboot(self) -> None:
        """It loses its power, and comes back with what is stored."""
        self.a = Microcert(self.platform, self.chip(), cid=b"\x09")

    def drain(self) -> list[bytes]:
        """Stores, notes what happens; what it sends."""
        sent, self.outbox = self.outbox, []
        while True:
            match self.a.poll():
                case Persist(slot, _, data):
                    self.stored[slot] = data
                    self.a.persisted(slot)
                case Datagram(_, data):
                    sent.append(data)
                case Event() as event:
                    self.events.append(event)
                case Idle(wake_at):
                    self.wake_at = wake_at
                    return sent

    def hear(self, data: bytes) -> None:
        """Takes in a datagram of the centre's."""
        received = self.a.handle_input(CITY, data)
        self.received += [received] if received else []
        self.outbox = self.drain()

    def authenticate(self, city: City) -> bool:
        """Whether it is authenticated, over a good line."""
        self.events.clear()
        city.events.clear()
        self.a.authenticate(CITY)
        return line(city, [self], lambda: self.saw(Authenticated))

    def saw(self, kind: type[Event]) -> bool:
        return any(isinstance(event, kind) for event in self.events)


def for_session(data: bytes) -> bool:
    """Whether it is a record or part of a resume, not for the centre itself."""
    return bool(data[0] & 0x08) or (data[0] & 7 == 0 and data[1] >> 4 >= 4)


def line(
    city: City,
    lamps: Iterable[Lamp],
    until: Callable[[], bool],
    *,
    loss: float = 0.0,
    random: Random | None = None,
    seconds: int = 600,
) -> bool:
    """What all have to say to each other, while time passes, until it is so; whether it came to be."""
    lamps, random = list(lamps), random or Random(1)
    end = city.clock.now + seconds * 1_000
    while not until():
        sent = [(lamp, data) for lamp in lamps for data in lamp.drain() if random.random() >= loss]
        asked = [(lamp, data) for lamp, data in sent if not for_session(data)]
        handled = city.centre.handle_inputs([(lamp.name, data) for lamp, data in asked])
        for one in handled:
            city.took(one)
        back = [(lamp, one.reply) for (lamp, _), one in zip(asked, handled, strict=True) if one.reply is not None]
        for lamp, data in sent:
            if for_session(data) and lamp.name in city.sessions:
                received = city.sessions[lamp.name].handle_input(lamp.name, data)
                city.received += [received] if received else []
                back += [(lamp, reply) for reply in drained(city.sessions[lamp.name])]
        for lamp in lamps:
            if lamp.name in city.sessions:
                back += [(lamp, data) for data in drained(city.sessions[lamp.name])]
        for lamp, data in back:
            if random.random() >= loss:
                lamp.hear(data)
        if not sent and not back:
            wakes = [lamp.wake_at for lamp in lamps if lamp.wake_at is not None]
            if not wakes or min(wakes) > end:
                return until()
            city.clock.now = max(city.clock.now, min(wakes))
            for lamp in lamps:
                lamp.a.handle_timeout()
    return True


def drained(served: Served) -> list[bytes]:
    """What the centre's side of a session sends."""
    sent: list[bytes] = []
    while not isinstance(output := served.poll(), Idle):
        if isinstance(output, Datagram):
            sent.append(output.data)
    return sent
