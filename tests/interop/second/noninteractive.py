"""The noninteractive scheme's page, put together: a device with a credential and one peer.

Every call returns the datagrams to send. Storing is left out. Who calls `timeout` has waited as long as it takes for a message to
be sent again; epochs follow `now`.
"""

from copy import deepcopy

from . import phase1, progress, records, resume, tickets, wire
from .credential import revoked
from .crypto import Dropped, extract, require, same, u32
from .phase1 import HINT, M1, M2, M3, M4
from .powers import GROUPS, KEMS, PRIME_SUITES, SCHEME, expand
from .progress import Epoch, Progress, Replayed
from .wire import Reader

STYLE = phase1.Style(SCHEME, 2, PRIME_SUITES, KEMS, 10)
LAG = 5


def _prk(run):
    """What chain and session come from."""
    n0 = run.master.origin.n0
    return extract(run.master.key, n0[:16], n0[16:])


class Pair:
    """What records and resume ask of a scheme."""

    scheme = SCHEME
    expand = staticmethod(expand)

    def __init__(self, suite):
        self.suite = suite


class Node(tickets.Node):
    """`keys` are (credential, x), the newest last; `now` is this side's monotonic clock, in ms."""

    style = STYLE

    def __init__(self, me, keys, operator, draw, expected, terms, now, cid=b"", mtu=1200, clock=None, psk=None, rekey=2**20):
        suites = [operator.number]
        super().__init__(me, [], None, None, suites, draw, expected, cid, mtu, clock, psk)
        self.operator, self.wishes, self.now, self.rekey_after = operator, terms, now, rekey
        self.suite = PRIME_SUITES[operator.number]
        self.xs, self.state, self.ends = {}, None, 0
        for credential, x in keys:
            self.own(credential, x)

    def own(self, credential, x):
        """Its next credential, in place of the one before; sessions go on under the old key."""
        operator = self.operator
        operator.check(credential, x)
        self.tickets = [operator.verify(credential.data, None)]
        self.xs[credential.ref] = x

    def _fresh(self):
        super()._fresh()
        self.due, self.until, self.may_say, self.puzzled, self.tag = 0, 0, 0, False, b""
        self.coming = self.bound = None

    # Phase 1.

    def connect(self):
        return self.authenticate()

    @property
    def lower(self):
        return self.expected is not None and self.me < self.expected

    def _static(self, credential):
        group, x = GROUPS[self.operator.number], self.xs[credential.ref]
        return lambda theirs: group.secret(x, theirs), group.share(x)

    def _terms(self):
        return progress.terms(*self.wishes)

    def _accept(self, data):
        wall = self.clock() // 1000 if self.clock else None
        theirs = self.operator.verify(data, wall, self.floor, self.revoked)
        require(theirs.subject != self.me and self.expected in (None, theirs.subject), "somebody else")
        return theirs

    def _m1(self, message, proven=False):
        return self._plain(self.done[message]) if message in self.done else super()._m1(message, proven)

    def _handlers(self):
        return {M1: self._m1, M2: self._m2, M3: self._m3, M4: self._m4, HINT: self._hint, LAG: self._lag}

    def _m3(self, message):
        if message in self.done:
            return self._plain(self.done[message])
        for half in self.halves:
            if half.r[-1] & 15 != message[1] & 15:
                continue
            m4 = half.on_m3(message)
            self._keep(half.peer, half.mine)
            self.halves, self.asking, self.done = [], None, {message: m4, half.offer.message: m4}
            self._establish(half, half.mine, False)
            return self._plain(m4)
        raise Dropped("no run")

    def _m4(self, message):
        require(self.asking, "no run")
        self.asking.on_m4(message)
        self._complete()
        return []

    def _complete(self):
        """S has what M3 led to."""
        run = self.asking
        self._keep(run.peer, run.ticket)
        self.asking, self.cookie, self.flight, self.halves = None, b"", None, []
        self._establish(run, run.ticket, True)

    def _keep(self, theirs, mine):
        super()._keep(theirs, mine)
        self.expected = theirs.subject
        self.known_to_peer = {mine.ref}
        self.ends = min(theirs.expires, mine.expires)

    def _establish(self, run, mine, was_a):
        group, bind, prk = self.suite.group, run.master.origin.bind, _prk(run)
        life, interval, length = (int.from_bytes(run.terms[a:b], "big") for a, b in ((0, 4), (4, 8), (8, 10)))
        require(interval and length, "terms")
        peers = group.element(run.share), group.element(run.peer.key)
        advanced = Progress(group, bind, was_a, self.xs[mine.ref], peers[1], expand(prk, "base", bind), run.scalar, peers[0])
        salt, secret = expand(prk, "root", bind), expand(prk, "mast", bind)
        number = int.from_bytes(bind[:4], "big")
        self.session = Epoch(Pair(self.suite), salt, secret, bind, was_a, number, self.cid, run.peer_cid)
        self.state = advanced, progress.last(life, interval, length), interval
        self.due, self.until = 1, self.now() + 1000 * interval
        self.running = self.restarted = None
        self.r3, self.puzzled = b"", False
        self._enter(quiet=True)
        self.events.append(("established", self.session.fingerprint, was_a))

    # Epochs.

    @property
    def way(self):
        return self.state[0]

    def _begin(self, epoch):
        """That this side should be in."""
        if epoch > self.due:
            self.due, self.until = epoch, self.now() + 1000 * self.state[2]

    def _enter(self, quiet=False):
        """The epoch that this side should be in, or the one where its progression stands, if that is later."""
        self.way.advance(self.due)
        self._begin(self.way.epoch)
        self.session.enter(self.way.epoch, self.way.key())
        self._entered(quiet)

    def _entered(self, quiet=False):
        way, last = self.way, self.state[1]
        self.tag = way.lag_tag(int(way.was_a), way.epoch)
        if not quiet:
            self.events.append(("rekeyed", way.epoch))
        if way.epoch == last:
            self.events.append(("rekey_needed",))
        self.root = expand(self.session.master, "resume")
        way.advance(way.epoch + 1)
        self.coming = way.key() if way.epoch <= last else None

    def _clock(self):
        """What there is to tell the other side of it."""
        told = []
        if not self.session:
            return told
        wall = self.clock() // 1000 if self.clock else None
        _, last, interval = self.state
        while self.now() >= self.until and self.due <= last:
            self.due, self.until = self.due + 1, self.until + 1000 * interval
        refused = self.kept.serial in self.revoked or (wall is not None and wall >= self.ends)
        if self.due > last or refused:
            told = self._inside(bytes([records.CLOSED_SESSION])) if refused else []
            self.session = self.state = None
            self.events.append(("terminated",))
        elif self.due > self.session.epoch:
            self._enter()
        return told

    def _ask(self, message):
        self.again = self.now() + 1000
        return super()._ask(message)

    def timeout(self):
        out = super().timeout() if self.flight and self.now() >= self.again else []
        if self.puzzled:
            out = out + self._say()
        self.puzzled = False
        return out + self._clock()

    def _say(self):
        if self.now() < self.may_say:
            return []
        self.may_say = self.now() + 1000
        side, epoch = int(self.session.initiator), self.session.epoch
        return self._plain(STYLE.head(LAG, epoch) + u32(epoch) + progress.pre(self.root, side, epoch) + self.tag)

    def _lag(self, message):
        reader = Reader(message)
        header, epoch, pre, tag = reader.take(2), reader.number(4), reader.take(4), reader.take(16)
        reader.end()
        require(self.session and header == STYLE.head(LAG, epoch), "header")
        side = int(not self.session.initiator)
        require(same(pre, progress.pre(self.root, side, epoch)), "pre")
        if epoch < self.session.epoch:
            return self._say()
        require(self.session.epoch < epoch <= self.state[1], "no news")
        require(same(tag, self.way.lag_tag(side, epoch)), "LAG")
        self._begin(epoch)
        return []

    # Records.

    def send(self, payload):
        self._clock()
        if self.session.out.next + 1 >= self.rekey_after and self.coming:
            self._begin(self.session.epoch + 1)
            self._clock()
        return self.r3 + self.session.seal(payload)

    def _record(self, record):
        require(self.session, "no session")
        try:
            control, text, begun = self.session.open(record, self.coming)
        except Dropped as why:
            self.puzzled = not isinstance(why, Replayed)
            raise
        self.done = {}
        if begun:
            self._begin(self.session.epoch)
            self._entered()
        if self.r3:
            self.r3, self.flight = b"", None
        if control:
            return self._control(text)
        self.payloads.append(text)
        return []

    # Restarts.

    def stored(self):
        session, state = self.session, None
        if session:
            cids = session.my_cid, session.peer_cid
            kept = resume.Export(self.root, session.number, self.way.epoch, session.initiator, *cids)
            state = *self.state, kept
        return deepcopy((self.expected, self.kept, self.known_to_peer, self.ends, state))

    def restart(self, stored, export=None):
        """`stored`: what it had stored; nothing where it has forgotten its peer."""
        self.session = None
        self._fresh()
        if not stored:
            self.kept, self.known_to_peer, self.state, self.after = None, set(), None, None
            return []
        self.expected, self.kept, self.known_to_peer, self.ends, state = deepcopy(stored)
        self.state, self.after = (state[:3], state[3]) if state else (None, None)
        return self._resume(export) if export else []

    def go_on(self):
        return self._resume(self.after)

    def _resume(self, old):
        self.due, self.until = self.way.epoch, self.now() + 1000 * self.state[2]
        self.restarted = resume.Restarted(Pair(self.suite), old, self.draw, self._resumed)
        return self._ask(self.restarted.r1)

    def _resumed(self, pair, keys, th, initiator, number, generation, *cids):
        session = Epoch(pair, keys.root, keys.master, th, initiator, number, *cids)
        session.agreed = generation
        return session

    def _is_m4(self, message):
        """Whether this is R1 of the session that M3 leads to."""
        run = self.asking
        if not run or run.m2 is None:
            return False
        bind = run.master.origin.bind
        root = expand(expand(_prk(run), "mast", bind), "resume")
        old = resume.Export(root, int.from_bytes(bind[:4], "big"), 0, True, self.cid, run.peer_cid)
        try:
            resume.Running(Pair(self.suite), old, bytes).on_r1(message)
        except Dropped:
            return False
        return True

    def _r1(self, message):
        if self._is_m4(message):
            self._complete()
        run = self.running
        if not run or self.session and run.old.root != self.root:
            both = self.restarted and not self.restarted.old.initiator
            require(self.session or both, "no session")
            old = self.export() if self.session else self.restarted.old
            run = resume.Running(Pair(self.suite), old, self.draw, self._resumed)
        answer = run.on_r1(message)
        self.running = run
        return self._plain(answer)

    def _go(self, session):
        self.session, self.restarted = session, None
        self._begin(session.agreed)
        self.events.append(("resumed", session.fingerprint))
        self._enter()

    def _r2(self, message):
        require(self.restarted, "no resume")
        run = self.restarted
        session = run.on_r2(message)
        self.r3 = run.r3
        self._go(session)
        lag = self._say() if self.session.epoch > session.agreed else []
        return self._ask(self.r3) + lag

    def _r3(self, message):
        require(self.running, "no resume")
        session, record = self.running.on_r3(message)
        if not self.session or self.session.th != session.th:
            self.flight = None
            self._go(session)
        return self._inside(bytes([records.NOTHING])) + (self._record(record) if record else [])

    def revoke(self, data):
        serials, _, issued = revoked(data, self.operator)
        self.revoked, self.floor = serials, max(self.floor, issued)
        return self.timeout()
