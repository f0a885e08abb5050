"""The parts put together: a device with one peer, and a device that is being paired.

Every call returns the datagrams to send. Storing is left out, and so are time and giving up: who calls `timeout` has waited.
"""

from . import exchange, records, resume, update, wire
from .crypto import Dropped, expand, require
from .records import Session, session_number


class Node:
    def __init__(self, pair, triple, draw, place=b"", cid=b"", mtu=1200, clock=lambda: 0):
        self.pair, self.triple, self.draw = pair, triple, draw
        self.place, self.cid, self.mtu, self.clock = place, cid, mtu, clock
        self.replaced = None
        self.pending, self.confirmed = None, False
        self.attempt = self.answered = self.pending_attempt = 0
        self.run = 0
        self.events, self.payloads = [], []
        self._fresh()

    def _fresh(self):
        """What does not outlive a restart."""
        self.initiator = self.candidate = self.responder = None
        self.session = self.ended = None
        self.asker = self.restarted = self.running = None
        self.r3 = b""
        self.acked = {}
        self.flight = None
        self.sent, self.received = {}, {}
        self.assembly, self.control_assembly = wire.Assembly(), wire.Assembly()

    # What the application calls.

    def connect(self):
        triple = self.pending if self.confirmed else self.triple
        self.initiator = exchange.Initiator(self.pair, triple, self.run, self.cid, self.draw)
        self.run += 1
        return self._ask(self.initiator.c1)

    def send(self, payload):
        time = self.clock()
        record, where, witness = self.session.data(time, self.place, payload)
        self.sent[where] = records.digests(self.triple.aux, time, self.place, witness)
        return self.r3 + record

    def update(self):
        self.attempt += 1
        self.asker = update.Asker(self.session, self.triple, self.attempt, self.received, self.draw)
        return self._ask_inside(self.asker.ask)

    def timeout(self):
        return self.flight() if self.flight else []

    def export(self):
        return resume.export(self.session)

    def stored(self):
        """What outlives a restart."""
        return self.triple, self.replaced, self.pending, self.confirmed, self.attempt, self.answered, self.pending_attempt

    def restart(self, export=None, stored=None):
        """`stored`: an older state than the present one."""
        stored = stored or self.stored()
        self.triple, self.replaced, self.pending, self.confirmed, self.attempt, self.answered, self.pending_attempt = stored
        self._fresh()
        if export is None:
            return []
        self.restarted = resume.Restarted(self.pair, export, self.draw)
        return self._ask(self.restarted.r1)

    def exporter(self, label, context, length):
        return self.session.exporter(label, context, length)

    # Sending.

    def _plain(self, message):
        return wire.cut(message, self.mtu)

    def _ask(self, message):
        self.flight, self.question = lambda: self._plain(message), message
        return self.flight()

    def _inside(self, body, session=None):
        return [self.r3 + record for record in (session or self.session).control(body, self.mtu - len(self.r3))]

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
                wire.COOKIE_REQUEST: self._cookie,
                wire.R1: self._r1,
                wire.R2: self._r2,
                wire.R3: self._r3,
            }.get(number)
        else:
            require(first == wire.HANDSHAKE, "first byte")
            handler = {
                wire.C1: self._c1,
                wire.C2: self._c2,
                wire.C3: self._c3,
                wire.C4: self._c4,
                wire.C5: self._c5,
                wire.ACK: self._ack,
                wire.GONE: self._gone,
            }.get(number)
        require(handler, "message number")
        return handler(message)

    def _fragment(self, message):
        whole = self.assembly.add(message)
        return [] if whole is None else self._message(whole)

    def _cookie(self, message):
        require(len(message) == 10 and self.flight, "cookie")
        return self._plain(wire.engine_header(wire.COOKIE_ECHO) + message[2:] + self.question)

    # Exchange.

    def _c1(self, message):
        if self.initiator and self.pair.lower:
            raise Dropped("glare")
        if self.responder:
            run, n_i = message[2:6], message[10:18]
            if (run, n_i) == (self.responder.c1[2:6], self.responder.n_i):
                return self._plain(self.responder.c2)
            require(int.from_bytes(run, "big") > self.responder.run, "run")
        triples = [triple for triple in (self.triple, self.pending) if triple]
        try:
            self.responder = exchange.Responder(self.pair, triples, message, self.cid, self.draw)
        except Dropped:
            if self.replaced:
                return self._plain(exchange.gone(self.pair, self.replaced, message))
            raise
        return self._plain(self.responder.c2)

    def _c3(self, message):
        require(self.responder, "no run")
        if self.responder.c4 and message == self.responder.c3:
            return self._plain(self.responder.c4)
        return self._plain(self.responder.on_c3(message))

    def _c5(self, message):
        if message in self.acked:
            return self._plain(self.acked[message])
        require(self.responder, "no run")
        require(not (self.candidate and self.pair.lower), "crossing runs: the lower id's goes on")
        ack = self.responder.on_c5(message)
        run, self.responder = self.responder, None
        inside = self._established(run, initiator=False)
        self.acked = {message: ack}
        return self._plain(ack) + inside

    def _c2(self, message):
        require(self.initiator, "no run")
        return self._ask(self.initiator.on_c2(message, self.draw))

    def _c4(self, message):
        require(self.initiator, "no run")
        c5 = self.initiator.on_c4(message)
        self.candidate = self._session(self.initiator, True)
        return self._ask(c5)

    def _ack(self, message):
        require(self.initiator, "no run")
        self.initiator.on_ack(message)
        return self._established(self.initiator, initiator=True)

    def _gone(self, message):
        require(self.initiator and self.initiator.is_gone(message), "gone")
        self.initiator = self.flight = None
        if self.pending and not self.confirmed:
            self.confirmed = True
            return self.connect()
        self.events.append(("rolled back",))
        return []

    def _session(self, run, initiator):
        number = session_number(run.run, self.pair.lower == initiator)
        return Session(self.pair, run.schedule, run.th, initiator, number, run.run, run.my_cid, run.peer_cid)

    def _established(self, run, initiator):
        self.session = self.candidate if initiator else self._session(run, initiator)
        if not initiator or self.pair.lower:
            self.responder = None
        self.initiator = self.candidate = self.flight = self.asker = self.ended = None
        self.running, self.r3, self.acked = None, b"", {}
        if self.pending and run.triple == self.pending:
            self.replaced, self.triple = self.triple, self.pending
            self.pending, self.confirmed, self.attempt, self.answered = None, False, 0, 0
            self.sent, self.received = {}, {}
            self.events.append(("key_replaced", self.triple.generation))
        self.events.append(("established", self.session.fingerprint, initiator))
        return self._close_again()

    def _close_again(self):
        """In a session that began under the current triple, where the pending one is confirmed."""
        if not self.confirmed:
            return []
        return self._ask_inside(update.close(self.session, self.triple, self.pending_attempt))

    # Records.

    def _record(self, record):
        inside = []
        for session in filter(None, (self.candidate, self.session, self.ended)):
            try:
                control, text, where, witness, followed = session.open(record)
            except Dropped:
                continue
            if session is self.candidate:
                inside = self._established(self.initiator, initiator=True)
            break
        else:
            raise Dropped("record")
        if self.r3:
            self.r3, self.flight = b"", None
            inside = self._close_again()
        if followed:
            inside += self._inside(bytes([records.NOTHING]), session)
        if control:
            return inside + self._control(text, session)
        time, place, payload = records.parse_data(text)
        self.received[where] = records.digests(self.triple.aux, time, place, witness)
        self.payloads.append((time, place, payload))
        return inside

    def _control(self, body, session):
        require(body, "empty")
        if body[0] == records.PIECE:
            body = self.control_assembly.add(body)
            if body is None:
                return []
        kind = body[0]
        if kind == records.CLOSE:
            return self._close(body, session)
        require(session is self.session, "the session has ended")
        if kind == records.CHALLENGE:
            return self._inside(bytes([records.RESPONSE]) + body[1:])
        if kind == records.CLOSED_SESSION:
            self.session = None
            self.events.append(("terminated",))
            return []
        handler = {
            records.ASK: self._asked,
            records.ANSWER: self._answer,
            records.REFUSE: self._refuse,
            records.CLOSED: self._closed,
        }.get(kind)
        return handler(body) if handler else []

    # Update.

    def _asked(self, body):
        if self.confirmed:
            return self._close_again()
        if self.pending and body == self.last_ask:
            return self._inside(self.last_answer)
        if self.asker and self.pair.lower:
            raise Dropped("both ask, and the lower id goes on")
        message, attempt, triple = update.answer(self.session, self.triple, body, self.answered, self.sent, self.draw)
        if triple:
            self.asker = self.flight = None
            self.pending, self.pending_attempt, self.answered = triple, attempt, attempt
            self.attempt = max(self.attempt, attempt)
            self.last_ask, self.last_answer = body, message
        return self._inside(message)

    def _answer(self, body):
        require(self.asker, "did not ask")
        self.pending, self.confirmed, self.pending_attempt = self.asker.on_answer(body), True, self.asker.attempt
        self.asker = None
        return self._ask_inside(update.close(self.session, self.triple, self.pending_attempt))

    def _refuse(self, body):
        attempt, answered, reason = update.read_refuse(self.session, body)
        require(self.asker and attempt == self.asker.attempt, "did not ask")
        if reason == 0:
            self.attempt = max(self.attempt, answered)
        else:
            self.received = {k: v for k, v in self.received.items() if v != self.asker.digests}
        return self.update()

    def _close(self, body, session):
        generation, attempt = update.read_close(session, body)
        mine = self.pending is not None and (generation, attempt) == (self.triple.generation, self.pending_attempt)
        if mine and self.confirmed and session is self.session:
            self._ends()  # both close it: as good as CLOSED
            return self.connect()
        has_it = mine or generation < self.triple.generation
        answer = self._inside(update.closed(session, generation, attempt, has_it), session)
        if mine and session is self.session:
            self.confirmed = True
            self._ends()
        return answer

    def _closed(self, body):
        generation, attempt, has_it = update.read_closed(self.session, body)
        require(self.confirmed and (generation, attempt) == (self.triple.generation, self.pending_attempt), "CLOSED")
        self.flight = None
        if not has_it:
            self.pending, self.confirmed = None, False
            return []
        self._ends()
        return self.connect()

    def _ends(self):
        self.session, self.ended, self.asker, self.flight = None, self.session, None, None
        self.events.append(("terminated",))

    # Resume.

    def _r1(self, message):
        if not self.running:
            both = self.restarted and not self.restarted.old.initiator
            require(self.session or both, "no session")
            self.running = resume.Running(self.pair, self.export() if self.session else self.restarted.old, self.draw)
        return self._plain(self.running.on_r1(message))

    def _r2(self, message):
        require(self.restarted, "no resume")
        self.session = self.restarted.on_r2(message)
        self.r3, self.restarted, self.asker = self.restarted.r3, None, None
        self.events.append(("resumed", self.session.fingerprint))
        return self._ask(self.r3)

    def _r3(self, message):
        require(self.running, "no resume")
        session, record = self.running.on_r3(message)
        if not self.session or self.session.th != session.th:
            self.session, self.asker, self.restarted, self.flight = session, None, None, None
            self.events.append(("resumed", session.fingerprint))
            answer = self._inside(bytes([records.NOTHING])) + self._close_again()
        else:
            answer = self._inside(bytes([records.NOTHING]))
        return answer + (self._record(record) if record else [])


class Pairing:
    """One side of a first contact, over when it has a triple."""

    def __init__(self, side, place, clock):
        self.side, self.place, self.clock, self.triple = side, place, clock, None

    def start(self):
        """P1, where this is the initiator."""
        return [self.side.p1] if hasattr(self.side, "p1") else []

    @property
    def fingerprint(self):
        return expand(self.triple.aux, "fp", b"", 10)

    def input(self, message):
        try:
            return self._input(message, message[1] >> 4)
        except Dropped:
            return []

    def _input(self, message, number):
        side = self.side
        if number == wire.P1:
            return [side.on_p1(message)]
        if number == wire.P2:
            return [side.on_p2(message)]
        if number == wire.P3:
            return [side.on_p3(message, self.clock(), self.place)]
        if number == wire.P4:
            return [side.on_p4(message, self.clock(), self.place)]
        if number == wire.P5:
            p6 = side.on_p5(message)
            self.triple = side.triple
            return [p6]
        require(number == wire.P6, "message number")
        side.on_p6(message)
        self.triple = side.triple
        return []
