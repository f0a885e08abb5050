"""The second implementation of the microcert scheme with the package, in memory: its device with the package's centre, its centre
with the package's device."""

from contextlib import suppress
from random import Random

import iotkm
import pytest
from cryptography.hazmat.primitives.keywrap import aes_key_unwrap
from iotkm import Chip, Datagram, Idle, Microcert, Persist, Platform
from iotkm._iotkm import AuthCenter, Served
from second import records, seeds
from second.city import City, Keys
from second.crypto import Dropped, Watch
from second.lamp import Lamp

NUMBERS = range(6)
WALL = 1_771_549_600_000
YEAR = 365 * 86_400_000


class Clock:
    def __init__(self):
        self.now = 5_000

    def unix(self):
        return WALL + self.now

    def seconds(self):
        return self.unix() // 1_000


class Store:
    """The key store of the package's centre is the second implementation's, too."""

    def __init__(self, keys):
        self.keys = Keys(keys)

    def transport_key(self, id):
        return self.keys.transport(id)

    def transcrypt(self, id, bind, sealed):
        return self.keys.seal(bind, aes_key_unwrap(self.keys.transport(id), sealed))

    def rows(self, bind, stored, day):
        seed = self.open(bind, stored)
        return b"".join(seed[row * 16 :][:16] for row in day) + seed[48 * 16 :]

    def seal(self, bind, plain):
        return self.keys.seal(bind, plain)

    def open(self, bind, stored):
        try:
            return self.keys.open(bind, stored)
        except Dropped as why:
            raise iotkm.BadBlobError(str(why)) from why


class Row:
    def __init__(self, state, seed):
        self.state, self.seed = state, seed


class Rows(dict):
    def swap(self, id, version, state, seed=None):
        self[id] = Row(state, self[id].seed if seed is None else seed)
        return True


class TheirCentre:
    """The package's, with the second implementation's verbs."""

    def __init__(self, clock):
        self.platform = Platform(bytes([3]) * 32, rng=Random(3).randbytes, clock=lambda: clock.now, wall=clock.unix)
        self.core, self.rows, self.keys = AuthCenter(self.platform, b"city"), Rows(), Store(bytes(range(96)))
        self.served, self.events, self.payloads = None, [], []

    def invite(self, id, number, clockless):
        suite = getattr(iotkm, f"SUITE_{number}_SYMMETRIC")
        return self.core.invite(self.rows, self.keys, id, suite=suite, clockless=clockless)

    def enrol(self, deposit):
        return self.core.enrol(self.rows, self.keys, deposit)

    def update(self, id):
        self.core.update(self.rows, self.keys, id)

    def revoke(self, id):
        self.core.revoke(self.rows, self.keys, id)

    def verify(self, signature, data):
        signed = self.core.verify(self.rows, self.keys, signature, data)
        return signed and (signed.id, signed.time, signed.counter)

    def input(self, datagram):
        if datagram[0] & 0xF8 == 0x18 or datagram[0] == 0x10 and datagram[1] != 0x30:
            received = self.served.handle_input(b"lamp", datagram)
            if received:
                self.payloads.append(received.payload)
            return drained(self.served)[0]
        [handled], _, _ = self.core.handle_inputs(self.rows, self.keys, {}, [(b"lamp", datagram)], b"\x07\x08")
        if handled.error is not None:
            raise handled.error
        if handled.event:
            self.events.append((str(handled.event), handled.id))
        if handled.session:
            self.served = Served(self.platform, handled.session)
            drained(self.served)
        return [handled.reply] if handled.reply else []

    def send(self, payload):
        return self.served.send(payload).data

    @property
    def fingerprint(self):
        return self.served.fingerprint

    def generation(self, id):
        row = self.rows[id]
        return iotkm._iotkm.read_row(row.state, row.seed).generation


class OurCentre(City):
    def __init__(self, clock):
        super().__init__(
            b"city", bytes(range(96)), Random(3).randbytes, clock.seconds, lambda: clock.now, bytes([3]) * 32, b"\x07\x08"
        )

    @property
    def fingerprint(self):
        return records.readable(self.session.fingerprint)

    def generation(self, id):
        return self.rows[id].generation


def drained(association, stored=None):
    sent, events = [], []
    while not isinstance(output := association.poll(), Idle):
        match output:
            case Datagram(_, data):
                sent.append(data)
            case Persist(slot, _, data):
                if stored is not None:
                    stored[slot] = data
                association.persisted(slot)
            case event:
                events.append(event)
    return sent, events


class TheirLamp:
    """The package's device, with the second implementation's verbs."""

    def __init__(self, invitation, clock, wall):
        self.platform = Platform(bytes([4]) * 32, rng=Random(4).randbytes, clock=lambda: clock.now, wall=wall)
        self.chip = Chip.enrol(self.platform, seed_slot=1, state_slot=2, invitation=invitation)
        self.stored, self.payloads, self.names, self.a = {}, [], [], None

    def deposit(self):
        return self.chip.deposit()

    def confirm(self, data):
        self.chip.confirm(data)

    def drained(self):
        sent, events = drained(self.a, self.stored)
        self.names += [type(event).__name__ for event in events]
        return sent

    def start(self, verb):
        if self.a is None:
            self.a = Microcert(self.platform, self.chip, cid=b"\x09")
            self.drained()
        with suppress(iotkm.WrongStateError):  # an update's run is under way
            getattr(self.a, verb)(b"city")
        return self.drained()

    def connect(self):
        return self.start("connect")

    def authenticate(self):
        return self.start("authenticate")

    def timeout(self):
        self.a.handle_timeout()
        return self.drained()

    def input(self, datagram):
        received = self.a.handle_input(b"city", datagram)
        if received:
            self.payloads.append(received.payload)
        return self.drained()

    def sign(self, data):
        try:
            return self.a.sign(data)
        except iotkm.UndrainedError:
            self.drained()
            return self.a.sign(data)

    def send(self, payload):
        return self.a.send(payload).data

    def restart(self):
        chip = Chip.restore(self.platform, seed_slot=1, state_slot=2, seed=self.stored[1], state=self.stored[2])
        self.a = Microcert(self.platform, chip, cid=b"\x09")

    @property
    def fingerprint(self):
        return self.a.fingerprint

    @property
    def generation(self):
        return self.a.chip.generation

    @property
    def dead(self):
        return self.a.chip.revoked

    @property
    def first(self):
        return self.a.chip.years[0]


class OurLamp(Lamp):
    def __init__(self, invitation, clock, wall):
        super().__init__(invitation, Random(4).randbytes, lambda: None if wall() is None else wall() // 1_000, b"\x09")

    @property
    def fingerprint(self):
        return records.readable(self.session.fingerprint)

    @property
    def first(self):
        return self.seed.first

    @property
    def names(self):
        return ["".join(word.title() for word in event[0].split("_")) for event in self.events]


class Link:
    """A device of the one and a centre of the other, on a line that can lose."""

    def __init__(self, ours, number, clockless=False, off=0):
        Watch.see = None
        self.clock, self.random, self.loss = Clock(), Random(number), 0.0
        self.centre = (OurCentre if ours else TheirCentre)(self.clock)
        wall = (lambda: None) if clockless else (lambda: self.clock.unix() + off)
        invitation = self.centre.invite(b"lamp", number, clockless)
        self.lamp = (TheirLamp if ours else OurLamp)(invitation, self.clock, wall)
        id, confirmation = self.centre.enrol(self.lamp.deposit())
        assert id == b"lamp"
        self.lamp.confirm(confirmation)

    def carry(self, datagrams):
        waiting, count = [(self.centre, datagram) for datagram in datagrams], 0
        while waiting:
            count += 1
            assert count < 100, "they never stop"
            to, datagram = waiting.pop(0)
            if self.random.random() >= self.loss:
                other = self.lamp if to is self.centre else self.centre
                waiting += [(other, answer) for answer in to.input(datagram)]

    def call(self, verb, until=lambda: True):
        for time in range(300):
            if time % 40 == 0:
                self.carry(getattr(self.lamp, verb)())
            if until():
                return
            self.clock.now += 8_000
            self.carry(self.lamp.timeout())
        raise AssertionError((self.lamp.names, self.centre.events))

    def come(self, verb="authenticate"):
        came = "Established" if verb == "connect" else "Authenticated"
        before = self.lamp.names.count(came)
        self.call(verb, lambda: self.lamp.names.count(came) > before)

    def generations(self):
        return self.lamp.generation, self.centre.generation(b"lamp")

    def talk(self):
        assert self.lamp.fingerprint == self.centre.fingerprint
        for text in (b"21.5 degrees", b"21.6 degrees"):
            self.carry([self.lamp.send(text)])
            assert self.centre.payloads[-1] == text
            for answer in [self.centre.send(b"light " + text)]:
                self.lamp.input(answer)
            assert self.lamp.payloads[-1] == b"light " + text


@pytest.mark.parametrize("ours", [False, True], ids=["their centre", "our centre"])
@pytest.mark.parametrize("number", NUMBERS)
def test_life(number, ours):
    link = Link(ours, number)
    link.come()
    link.come("connect")
    link.talk()
    signature = link.lamp.sign(b"42 degrees")
    assert link.centre.verify(signature, b"42 degrees")[0] == b"lamp"
    assert not link.centre.verify(signature, b"43 degrees")
    for generation in (1, 2):
        link.centre.update(b"lamp")
        link.come("connect")
        link.come()
        assert link.generations() == (generation, generation)
        link.lamp.restart()
        link.come("connect")
        link.talk()
    link.clock.now += 2 * YEAR
    link.come()
    link.come()
    assert link.lamp.first == 2028
    link.centre.revoke(b"lamp")
    link.call("connect", lambda: ("killed", b"lamp") in link.centre.events)
    assert link.lamp.dead and "Failed" in link.lamp.names


@pytest.mark.parametrize("ours", [False, True], ids=["their centre", "our centre"])
@pytest.mark.parametrize("clockless,off", [(True, 0), (False, 7_200_000), (False, -7_200_000)])
def test_clocks(ours, clockless, off):
    link = Link(ours, 0, clockless, off)
    for generation in range(3):
        link.clock.now += YEAR // 3
        link.come("connect")
        link.talk()
        link.centre.update(b"lamp")
        link.come()
        link.come()
        assert link.generations() == (generation + 1, generation + 1)
    assert ("challenged", b"lamp") in link.centre.events and ("clone_suspected", b"lamp") not in link.centre.events


@pytest.mark.parametrize("ours", [False, True], ids=["their centre", "our centre"])
def test_bad_lines(ours):
    for seed in range(12):
        link = Link(ours, seed % 6, clockless=seed % 3 == 2)
        link.random, link.loss = Random(seed), 0.35
        for generation in range(1, 4):
            link.centre.update(b"lamp")
            for _ in range(20):
                link.come("authenticate")
                if seed % 2 and link.random.random() < 0.3:
                    link.lamp.restart()
                if link.generations() == (generation, generation):
                    break
                link.clock.now += 200_000
            assert link.generations() == (generation, generation), (seed, link.lamp.names)
        link.loss = 0
        link.come("connect")
        link.talk()


@pytest.mark.parametrize("ours", [False, True], ids=["their centre", "our centre"])
def test_a_flood(ours):
    link = Link(ours, 2)
    link.come()
    (real,) = link.lamp.connect()
    link.lamp.restart()
    forged = [real[:-1] + bytes([real[-1] ^ n]) for n in range(1, 100)]
    replies = [reply for datagram in forged for reply in link.centre.input(datagram)]
    assert len(replies) == 91 and all(reply[:2] == b"\x10\x20" for reply in replies)
    link.come("connect")
    link.talk()


@pytest.mark.parametrize("ours", [False, True], ids=["their centre", "our centre"])
def test_what_replaces_a_seed_has_a_tag_of_its_own(ours, monkeypatch):
    """Of 16 bytes, in suites whose own have 8: a part of a new seed, and an order, that are right but for it."""
    link = Link(ours, 0)
    link.come()
    link.centre.update(b"lamp")
    events, names = len(link.centre.events), len(link.lamp.names)
    with monkeypatch.context() as patch:
        if ours:
            order = seeds.order_tag
            patch.setattr(seeds, "order_tag", lambda *of: lambda what: order(*of)(what)[:-1] + b"?")
        else:
            part = seeds.part_tag
            patch.setattr(seeds, "part_tag", lambda *of: part(*of)[:-1] + b"?")
        link.carry(link.lamp.authenticate())
    said = [event[0] for event in link.centre.events[events:]], link.lamp.names[names:]
    assert said == ((["authenticated"], []) if ours else (["authenticated"], ["Authenticated"])), said
    for _ in range(3):
        link.clock.now += 200_000
        link.come()
    assert link.generations() == (1, 1)
