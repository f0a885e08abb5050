"""A wheel's association and a node of the second implementation, facing each other in memory."""

from random import Random

import iotkm
from iotkm import CredentialPeer, Datagram, History, Idle, Noninteractive, Pairing, Peer, Persist, Platform, Triple, sim

from second import credential, noninteractive
from second.node import Node
from second.powers import GROUPS


class Clock:
    wall = 1_750_000_000_000

    def __init__(self):
        self.now = 1_000

    def unix(self):
        return self.wall + self.now


class Wheel:
    """The package's association, with the second implementation's verbs: what is called returns the datagrams to send."""

    def __init__(self, association, platform):
        self.association, self.platform = association, platform
        self.stored, self.events, self.payloads = {}, [], []

    def drained(self):
        datagrams = []
        while not isinstance(output := self.association.poll(), Idle):
            match output:
                case Datagram(to, data):
                    datagrams.append((to, data))
                case Persist(slot, _, data):
                    self.stored[slot] = data
                    self.association.persisted(slot)
                case event:
                    self.events.append(event)
        self.wake_at = output.wake_at
        return [data for _, data in datagrams]

    def connect(self):
        self.association.connect(b"second")
        return self.drained()

    def input(self, datagram, source=b"second"):
        received = self.association.handle_input(source, datagram)
        if received:
            self.payloads.append((received.time, received.place, received.payload))
        return self.drained()

    def send(self, payload):
        datagram = self.association.send(payload).data
        assert self.drained() == []  # perhaps an event
        return datagram

    def update(self):
        self.association.update()
        return self.drained()

    def timeout(self):
        self.association.handle_timeout()
        return self.drained()

    def restarted(self, **options):
        """As after a power cut: from the stored peer, and on from the exported session."""
        blob = self.association.export()
        self.association = History(self.platform, Peer.restore(self.platform, slot=1, blob=self.stored[1]), **options)
        self.association.restore(blob)
        return self.drained()

    def saw(self, kind):
        return [event for event in self.events if isinstance(event, kind)]


class Device(Wheel):
    """A holder of a credential, with the noninteractive scheme."""

    def __init__(self, platform, holder, peer, suite, **options):
        self.holder, self.suite, self.options = holder, suite, options
        super().__init__(Noninteractive(platform, peer, holder, **options), platform)

    @property
    def epoch(self):
        return self.association.epoch

    def restarted(self):
        """As after a power cut: from the stored peer alone."""
        peer = CredentialPeer.restore(self.platform, slot=1, blob=self.stored[1], suite=self.suite)
        self.association = Noninteractive(self.platform, peer, self.holder, **self.options)
        self.association.go_on()
        return self.drained()


class Link:
    """Two ends, `mine` (the second implementation's) and `theirs` (the wheel's), and a wire that can lose."""

    def __init__(self, mine, theirs, clock, loss=0.0, seed=1):
        self.mine, self.theirs, self.clock, self.loss = mine, theirs, clock, loss
        self.random, self.seen = Random(seed), []

    def other(self, end):
        return self.theirs if end is self.mine else self.mine

    def carry(self, end, datagrams):
        """Delivers what `end` sends, and the answers to it, until nobody has anything to say."""
        waiting = [(end, datagram) for datagram in datagrams]
        limit = len(self.seen) + 1_000
        while waiting:
            assert len(self.seen) < limit, "they never stop"
            sender, datagram = waiting.pop(0)
            self.seen.append((sender, datagram))
            if self.random.random() >= self.loss:
                receiver = self.other(sender)
                waiting += [(receiver, answer) for answer in receiver.input(datagram)]

    def call(self, end, verb, *arguments):
        self.carry(end, getattr(end, verb)(*arguments))

    def say(self, end, payload):
        """A message that must arrive whole."""
        self.carry(end, [end.send(payload)])
        other = self.other(end)
        place = b"roof" if end is self.mine else b"lab"
        assert other.payloads[-1] == (self.clock.unix(), place, payload), self.mine.events

    def wait(self, until, seconds=600):
        """Both sides' timeouts, until that holds."""
        for _ in range(seconds):
            if until():
                return
            self.clock.now += 1_000
            for end in (self.mine, self.theirs):
                self.call(end, "timeout")
        assert until()


def wheel_platform(clock, seed=2):
    return Platform(bytes(32), rng=Random(seed), clock=lambda: clock.now, wall=clock.unix, place=b"lab")


def wheel_history(pair, suite, triple, clock, platform=None, **options):
    """The peer of `pair`, which is the second implementation's view."""
    platform = platform or wheel_platform(clock)
    peer = Peer.provisioned(
        slot=1, own_id=pair.peer, id=pair.me, triple=Triple(*triple.keys, generation=triple.generation), suite=suite
    )
    if pair.psk:
        peer.set_psk(pair.psk)
    return Wheel(History(platform, peer, **options), platform)


def wheel_pairing(own_id, suite, group, clock):
    platform = wheel_platform(clock)
    return Wheel(Pairing(platform, own_id=own_id, peer_slot=1, attempts_slot=2, suite=suite, group=group), platform)


def node(pair, triple, clock, **options):
    return Node(pair, triple, Random(3).randbytes, b"roof", clock=clock.unix, **options)


def credentials(number, suite, names, platform, wall, ours):
    """An operator, which is the second implementation or the package (`ours`), and what it gives to the second
    implementation's device and, by `platform`, to the package's: (operator, credential, x, holder)."""
    draw, group = Random(number).randbytes, GROUPS[number]
    issuer, x_z = sim.Issuer(suite, 1), group.scalar(draw)
    lists = sim.AGENT.public_key
    key = group.share(x_z) if ours else issuer.key.public_key
    acme = credential.Operator("agent", key, bytes(lists), number)
    serials = iter(range(9))

    def answered(asked):
        if ours:
            return credential.answer(acme, x_z, draw, asked, wall, 100, next(serials))
        return issuer.answer(asked, wall, 100)

    asked, k1 = credential.request(number, names[0], draw)
    mine, x = credential.accept(acme, names[0], k1, answered(asked), wall)
    operator = iotkm.CredentialOperator("agent", key=key, lists=lists, suite=suite)
    holder = iotkm.Holder(platform, device=names[1], operator=operator)
    asked = iotkm.CredentialRequest(platform, names[1], suite=suite)
    theirs, static = holder.accept(asked, answered(asked.request))
    platform.set_key(0, static)
    holder.install(theirs)
    return acme, mine, x, holder


def noninteractive_link(number, suite, lower=True, ours=True, psk=None, terms=(0, 60, 30), mine=None, options=None, **wire):
    """Both with a credential of one operator; each has its own clock."""
    names = ("lamp", "sensor") if lower else ("sensor", "lamp")
    clocks = Clock(), Clock()
    platform = wheel_platform(clocks[1])
    operator, own, x, holder = credentials(number, suite, names, platform, clocks[0].unix() // 1000, ours)
    peer = CredentialPeer.named(slot=1, own_id=names[1], id=names[0], suite=suite, psk=psk)
    life, interval, length = terms
    wheel = Device(platform, holder, peer, suite, life=life, interval=interval, length=length, **(options or {}))
    draw, now = Random(3).randbytes, lambda: clocks[0].now
    node = noninteractive.Node(
        names[0], [(own, x)], operator, draw, names[1], terms, now, clock=clocks[0].unix, psk=psk, **(mine or {})
    )
    return Link(node, wheel, clocks[0], **wire), clocks
