"""The interactive scheme's page, put together: a device with tickets and one peer.

Every call returns the datagrams to send. Storing is left out, and so are time and giving up: who calls `timeout` has waited.
"""

from copy import deepcopy

from . import phase1, phase2, records, resume, ticket, wire
from .crypto import Dropped, require, same, sha256, u32
from .phase1 import GONE, HINT, K1, K2, K3, K4, M1, M2, M3, M4, PING, PONG, REFUSE, aux, expand, head, hint_of
from .records import Session
from .wire import Reader

SEND_TICKET, NO_SUITE, YOUR_TICKET, NO_PSK, THE_PSK = range(1, 6)
NEW_TICKET, STORED = 8, 9
NOT, ANSWERED, CONFIRMED = range(3)


class Pair:
    """What records and resume ask of a scheme."""

    scheme = phase1.SCHEME
    expand = staticmethod(expand)

    def __init__(self, suite):
        self.suite = suite


class Peer:
    """Section 2, and who may replace which PMK (section 5)."""

    def __init__(self):
        self.current = self.pending = self.gone = None
        self.state = NOT
        self.attempt = 0  # that the pending one came of
        self.asked = self.answered = self.ahead = 0
        self.as_s = self.missed = False

    def confirmed(self):
        return self.state == CONFIRMED

    def put(self, master, state, attempt):
        self.pending, self.state, self.attempt, self.ahead = master, state, attempt, 0

    def drop(self):
        self.pending, self.state = None, NOT

    def commit(self, as_s):
        self.gone = self.current.aux if self.current else None
        self.current, self.as_s, self.missed = self.pending, as_s, False
        self.asked, self.answered = self.ahead, 0
        self.ahead = 0
        self.drop()

    def start(self):
        """(under, attempt, long tags, holds)."""
        if self.confirmed():
            self.ahead += 1
            return self.pending, self.ahead, True, False
        self.asked = max(self.asked, self.answered) + 1
        return self.current, self.asked, self.missed or self.as_s, False


class Node:
    style = phase1.INTERACTIVE

    def __init__(self, me, tickets, static, agent, suites, draw, expected, cid=b"", mtu=1200, clock=None, psk=None, life=0):
        self.me, self.tickets, self.static, self.agent = me, tickets, static, agent
        self.suites, self.draw, self.expected, self.cid, self.mtu = suites, draw, expected, cid, mtu
        self.clock, self.psk, self.life = clock, psk, life
        self.kept, self.known_to_peer, self.floor, self.revoked = None, set(), 0, set()
        self.peer = Peer()
        self.events, self.payloads, self.waiting = [], [], []
        self._fresh()

    def _fresh(self):
        self.asking = self.halves = self.starting = self.replying = None
        self.halves, self.window, self.done = [], None, {}
        self.session = self.candidate = None
        self.flight, self.cookie, self.k3 = None, b"", b""
        self.restarted = self.running = None
        self.r3, self.pinged = b"", None
        self.assembly, self.control_assembly = wire.Assembly(), wire.Assembly()

    @property
    def ticket(self):
        """The one that ends last."""
        return max(self.tickets, key=lambda one: one.expires)

    @property
    def lower(self):
        return self.me < self.expected

    # What the application calls.

    def connect(self):
        if self.peer.current or self.peer.confirmed():
            return self._start()
        return self.authenticate()

    def authenticate(self):
        """Phase 1, a rekey where there is a PMK."""
        rekey, peer = None, self.peer
        if peer.current:
            peer.asked = max(peer.asked, peer.answered) + 1
            rekey = peer.current, peer.asked
        mine = self.ticket
        self.asking = phase1.Asking(
            mine,
            self._static(mine),
            self.suites,
            self.cid,
            self.draw,
            by_value=mine.ref not in self.known_to_peer,
            known=self.kept,
            rekey=rekey,
            psk=self.psk,
            style=self.style,
        )
        return self._ask(self.asking.m1)

    def _static(self, _ticket):
        return self.static

    def _start(self):
        master, attempt, long_tags, holds = self.peer.start()
        self.starting = phase2.Starting(master, attempt, long_tags, holds, self.cid, self.draw)
        return self._ask(self.starting.k1)

    def rekey(self):
        return self._start()

    def ping(self):
        peer = self.peer
        message, self.pinged = phase2.ping(peer.pending if peer.confirmed() else peer.current, self.draw)
        return self._ask(message)

    def send(self, payload):
        return self.k3 + self.r3 + self.session.seal(payload)

    def timeout(self):
        return self.flight() if self.flight else []

    def export(self):
        return resume.export(self.session)

    def stored(self):
        return deepcopy((self.peer, self.kept, self.known_to_peer))

    def restart(self, stored, export=None):
        """`stored`: what it had stored; nothing where it has forgotten its peer."""
        self.peer, self.kept, self.known_to_peer = deepcopy(stored) if stored else (Peer(), None, set())
        self._fresh()
        if export is None:
            return []
        self.restarted = resume.Restarted(self._pair(self.peer.current or self.peer.pending), export, self.draw)
        return self._ask(self.restarted.r1)

    def exporter(self, label, context, length):
        return self.session.exporter(label, context, length)

    def install(self, new):
        """Its next ticket, which goes to the peer."""
        self.tickets.append(new)
        return self._ask_inside(bytes([NEW_TICKET]) + new.data)

    # Sending.

    def _plain(self, message):
        return wire.cut(message, self.mtu)

    def _ask(self, message):
        def flight():
            echo = wire.engine_header(wire.COOKIE_ECHO) + self.cookie if self.cookie else b""
            return self._plain(echo + message)

        self.flight = flight
        return self.flight()

    def _inside(self, body):
        before = self.k3 + self.r3
        return [before + record for record in self.session.control(body, self.mtu - len(before))]

    def _ask_inside(self, body):
        self.flight = lambda: self._inside(body)
        return self.flight()

    # Receiving.

    def input(self, datagram):
        try:
            require(len(datagram) >= 2, "too short")
            return self._record(datagram) if wire.is_record(datagram) else self._message(datagram)
        except Dropped as why:
            self.events.append(("dropped", str(why)))
            return []

    def _message(self, message):
        first, number = message[0], message[1] >> 4
        if first == wire.ENGINE:
            require(message[1] & 15 == 0, "header")
            handler = {
                wire.FRAGMENT: self._fragment,
                wire.COOKIE_REQUEST: self._cookie_request,
                wire.COOKIE_ECHO: self._cookie_echo,
                wire.R1: self._r1,
                wire.R2: self._r2,
                wire.R3: self._r3,
            }.get(number)
        else:
            require(first == self.style.first, "first byte")
            handler = self._handlers().get(number)
        require(handler, "message number")
        return handler(message)

    def _handlers(self):
        return {
            M1: self._m1,
            M2: self._m2,
            M3: self._m3,
            M4: self._m4,
            K1: self._k1,
            K2: self._k2,
            K3: self._k3,
            K4: self._k4,
            HINT: self._hint,
            GONE: self._gone,
            REFUSE: self._refuse,
            PING: self._ping,
            PONG: self._pong,
        }

    def _fragment(self, message):
        whole = self.assembly.add(message)
        return [] if whole is None else self._message(whole)

    def _cookie_request(self, message):
        require(len(message) == 10 and self.asking, "cookie")
        self.cookie = message[2:]
        return self.flight()

    def _cookie_echo(self, message):
        """Whoever echoes one is at its address; what was in it, its maker knows."""
        inner = message[10:]
        require(inner[1] >> 4 in (M1, M3), "in a cookie's echo")
        return self._m1(inner, proven=True) if inner[1] >> 4 == M1 else self._m3(inner)

    # Phase 1.

    def _accept(self, data):
        """The other side's ticket, if it will do."""
        if self.kept and data == self.kept.data:
            return self.kept
        now = self.clock() // 1000 if self.clock else None
        theirs = ticket.verify(data, self.agent, now, self.floor, self.revoked)
        require(theirs.subject == self.expected and theirs.subject != self.me, "somebody else")
        require(theirs.group == self.ticket.group and theirs.key != self.ticket.key, "key")
        return theirs

    def _earned(self, message, answer, proven):
        """An address that has not shown that it receives gets a cookie in place of more than three times what it sent."""
        if proven or len(answer) <= 3 * len(message):
            return self._plain(answer)
        return [wire.engine_header(wire.COOKIE_REQUEST) + bytes(8)]

    def _m1(self, message, proven=False):
        offer, digest = phase1.Offer(message, self.style), sha256(message)
        for half in self.halves:
            if half.offer.message == message:
                return self._earned(message, half.m2, proven)
        require(not (self.asking and self.lower), "glare")

        def hint(reason):
            return self._plain(self.style.head(HINT, offer.r[-1]) + bytes([reason]) + digest[:8])

        number = next((n for n in offer.suites if n in self.suites), None)
        if number is None:
            return hint(NO_SUITE)
        if bool(offer.flags & phase1.PSK) != (self.psk is not None):
            return hint(NO_PSK if self.psk is not None else THE_PSK)
        if offer.ticket is not None:
            shown = offer.ticket
        elif self.kept and self.kept.ref == offer.ref:
            shown = self.kept.data
        else:
            return hint(SEND_TICKET)
        if not self.halves:
            self.window = self.draw(32)
        try:
            theirs = self._accept(shown)
        except Dropped:
            return hint(YOUR_TICKET)
        old = None
        if offer.hint is not None:
            for master in (self.peer.current, self.peer.pending):
                if master and master.hint(False) == offer.hint:
                    old = master
        drawn = iter(range(256))

        def derived(length):
            return self.style.expand(self.window, "rand", bytes([next(drawn)]) + digest, length)

        mine = next((one for one in self.tickets if one.ref == offer.known), self.ticket)
        half = phase1.Answering(
            offer,
            theirs,
            mine,
            self._static(mine),
            self.style.suites[number],
            self.cid,
            derived,
            mine.ref != offer.known,
            old,
            self.psk,
            self.style,
        )
        half.mine = mine
        self.halves.append(half)
        return self._earned(message, half.m2, proven)

    def _m2(self, message):
        require(self.asking, "no run")
        return self._ask(self.asking.on_m2(message, self._accept, self.draw, self._terms()))

    def _terms(self):
        return u32(self.life)

    def _m3(self, message):
        if message in self.done:
            return self._plain(self.done[message])
        for half in self.halves:
            if half.r[-1] & 15 != message[1] & 15 or (half.old and self.peer.confirmed()):
                continue
            m4 = half.on_m3(message)
            self._keep(half.peer, half.mine)
            attempt = half.offer.attempt if half.offer.attempt is not None else self.peer.answered + 1
            self.peer.answered = attempt
            self.peer.put(half.master, ANSWERED, attempt)
            self.halves, self.asking, self.starting, self.replying = [], None, None, None
            self.done = {message: m4}
            return self._plain(m4)
        raise Dropped("no run")

    def _m4(self, message):
        require(self.asking, "no run")
        run = self.asking
        run.on_m4(message)
        self._keep(run.peer, run.ticket)
        self.peer.put(run.master, CONFIRMED, run.old[1] if run.old else 0)
        self.asking, self.cookie = None, b""
        return self._start()

    def _keep(self, theirs, mine):
        self.kept = theirs
        self.known_to_peer.add(mine.ref)
        self.floor = max(self.floor, theirs.issued)

    def _hint(self, message):
        reader = Reader(message)
        header, reason, digest = reader.take(2), reader.number(1), reader.take(8)
        reader.end()
        require(self.asking and header == self.style.head(HINT, self.asking.r[-1]), "no run")
        require(digest == sha256(self.asking.m1)[:8], "another M1")
        if reason != SEND_TICKET:
            self.events.append(("hint", reason))
            return []
        require(not self.asking.by_value, "again")
        self.asking.by_value = True
        self.asking.write()
        return self._ask(self.asking.m1)

    # Phase 2.

    def _pair(self, master):
        return Pair(master.origin.suite)

    def _new_session(self, run, initiator):
        step = run.next.step
        pair = self._pair(run.next)
        return Session(pair, run.schedule, run.th, initiator, step, step, run.cid, run.peer_cid)

    def _k1(self, message):
        if self.replying and not self.replying.done and self.replying.start.message == message:
            return self._plain(self.replying.k2)
        name, peer = message[3:7], self.peer
        masters = [master for master in (peer.current, peer.pending) if master and master.hint(False) == name]
        if not masters:
            return self._left(message, name)
        master = masters[0]
        start = phase2.Start(message, master.origin.suite)
        run = phase2.Replying(start, master, self.cid)
        if master is peer.pending:
            require(start.flags & phase2.LONG_TAGS, "short")
            if self.starting:
                self.starting = None
            self._commit(True)
        holds = start.flags & phase2.HOLDS
        if peer.confirmed():
            return [] if self.starting else self._start()
        if self.starting and self.starting.under is peer.current and self.lower and not holds:
            raise Dropped("glare")
        if start.attempt <= max(peer.answered, 0 if self.starting else peer.asked) or start.attempt <= peer.answered:
            return self._plain(
                phase2.refuse(master.aux, run.th_1, start.tag, start.attempt, max(peer.answered, peer.asked))
            )
        k2 = run.answer(self.draw)
        peer.answered = start.attempt
        peer.put(run.next, ANSWERED, start.attempt)
        self.starting, self.replying = None, run
        return self._plain(k2)

    def _commit(self, as_s):
        self.peer.commit(as_s)
        self.events.append(("key_replaced",))

    def _left(self, message, name):
        """A K1 under the PMK before the current one."""
        require(self.peer.gone, "hint")
        auxiliary = self.peer.gone
        require(name in (hint_of(auxiliary, 0), hint_of(auxiliary, 1)), "hint")
        suite = self.peer.current.origin.suite
        start = phase2.Start(message, suite)
        side = int(name == hint_of(auxiliary, 1))
        origin = phase1.Master(b"", self.peer.current.step - 1, self.peer.current.origin)
        th = phase2.th_1(origin, side, start.body)
        return self._plain(phase2.gone(auxiliary, th, start.tag, start.attempt))

    def _k2(self, message):
        require(self.starting, "no run")
        run, peer = self.starting, self.peer
        k3 = run.on_k2(message)
        if run.under is peer.pending:
            self._commit(False)
        elif peer.confirmed():
            peer.drop()
        peer.missed = False
        peer.put(run.next, CONFIRMED, run.attempt)
        self.candidate = self._new_session(run, True)
        return self._ask(k3)

    def _k3(self, message):
        tagged, record = message[:18], message[18:]
        run = self.replying
        require(run, "no run")
        require(same(tagged, run.k3), "K3")
        answer = []
        if self.peer.pending is run.next:
            self._commit(True)
            run.done = True
            self.session, self.candidate, self.starting = self._new_session(run, False), None, None
            self._established(False)
        answer = self._plain(run.k4)
        return answer + (self._record(record) if record else [])

    def _k4(self, message):
        tagged, record = message[:18], message[18:]
        require(self.starting and self.starting.k2 and same(tagged, self.starting.k4), "K4")
        if self.candidate:
            self._begin()
        if self.peer.pending is self.starting.next:
            self._commit(False)
        self.starting, self.flight, self.k3 = None, None, b""
        return self._record(record) if record else []

    def _begin(self):
        self.session, self.candidate = self.candidate, None
        self.k3 = self.starting.k3
        self._established(True)

    def _established(self, initiator):
        self.running = self.restarted = None
        self.r3 = b""
        self.events.append(("established", self.session.fingerprint, initiator))

    def _gone(self, message):
        require(self.starting, "no run")
        run = self.starting
        require(same(message, phase2.gone(run.under.aux, run.th_1, run.tag_1, run.attempt)), "GONE")
        self.starting = self.flight = None
        if self.peer.pending and run.under is self.peer.current:
            self.peer.state = CONFIRMED
            return self._start()
        self.events.append(("rolled back",))
        return self.authenticate()

    def _refuse(self, message):
        require(self.starting, "no run")
        run = self.starting
        answered = int.from_bytes(message[2:4], "big")
        require(same(message, phase2.refuse(run.under.aux, run.th_1, run.tag_1, run.attempt, answered)), "REFUSE")
        if run.under is self.peer.pending:
            self.peer.ahead = max(self.peer.ahead, answered)
        else:
            self.peer.asked = max(self.peer.asked, answered)
        return self._start()

    def _ping(self, message):
        reader = Reader(message)
        header, name, r = reader.take(2), reader.take(4), reader.take(8)
        require(header == head(PING, r[-1]), "header")
        for master in (self.peer.current, self.peer.pending):
            if master and master.hint(False) == name:
                tag = reader.take(master.origin.suite.mac)
                reader.end()
                require(same(tag, expand(master.aux, "ping", r, len(tag))), "PING")
                return self._plain(phase2.pong(aux(master.key, master.step), tag, r))
        raise Dropped("hint")

    def _pong(self, message):
        require(self.pinged and same(message, self.pinged), "PONG")
        self.pinged = self.flight = None
        self.events.append(("peer_alive",))
        return []

    # Records.

    def _record(self, record):
        inside = []
        for session in filter(None, (self.candidate, self.session)):
            try:
                control, text, _, _, followed = session.open(record)
            except Dropped:
                continue
            if session is self.candidate:
                self._begin()
            break
        else:
            raise Dropped("record")
        if self.r3:
            self.r3, self.flight = b"", None
        if followed:
            inside += self._inside(bytes([records.NOTHING]))
        if control:
            return inside + self._control(text)
        self.payloads.append(text)
        return inside

    def _control(self, body):
        require(body, "empty")
        if body[0] == records.PIECE:
            body = self.control_assembly.add(body)
            if body is None:
                return []
        match body[0]:
            case records.CHALLENGE:
                return self._inside(bytes([records.RESPONSE]) + body[1:])
            case records.CLOSED_SESSION:
                self.session = None
                self.events.append(("terminated",))
            case 8:
                theirs = self._accept(body[1:])
                self.kept = theirs
                self.floor = max(self.floor, theirs.issued)
                return self._inside(bytes([STORED]) + theirs.ref)
            case 9:
                require(body[1:] == self.ticket.ref, "another ticket")
                self.known_to_peer.add(self.ticket.ref)
                self.flight = None
        return []

    # Resume.

    def _r1(self, message):
        if not self.running:
            both = self.restarted and not self.restarted.old.initiator
            require(self.session or both, "no session")
            self.running = resume.Running(
                self._pair(self.peer.current or self.peer.pending),
                self.export() if self.session else self.restarted.old,
                self.draw,
            )
        return self._plain(self.running.on_r1(message))

    def _r2(self, message):
        require(self.restarted, "no resume")
        self.session = self.restarted.on_r2(message)
        self.r3, self.restarted = self.restarted.r3, None
        self.events.append(("resumed", self.session.fingerprint))
        return self._ask(self.r3)

    def _r3(self, message):
        require(self.running, "no resume")
        session, record = self.running.on_r3(message)
        if not self.session or self.session.th != session.th:
            self.session, self.restarted, self.flight = session, None, None
            self.events.append(("resumed", session.fingerprint))
        return self._inside(bytes([records.NOTHING])) + (self._record(record) if record else [])
