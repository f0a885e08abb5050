"""The microcert scheme's device. Every call returns the datagrams to send; storing is left out: who calls `timeout` has waited."""

from copy import copy

from cryptography.hazmat.primitives.keywrap import aes_key_wrap

from . import records, resume, seeds, wire
from .crypto import SUITES, Dropped, require, same, sha256
from .exchange import schedule
from .records import Session
from .seeds import Answer, Certificate, Critical, Seed, Stamp, expand
from .wire import Reader, engine_header

CURRENT, PENDING = "current", "pending"
TRIES = 24


class Run:
    """A micro-certificate is out."""

    def __init__(self, certificate, prk, th_a, under, goal, challenges, rounds):
        self.certificate, self.prk, self.th_a = certificate, prk, th_a
        self.under, self.goal, self.challenges, self.rounds = under, goal, challenges, rounds


class Ending:
    """What both sides of a session do with what is not the scheme's own: records and resume."""

    def _fresh(self):
        self.session = self.restarted = self.running = None
        self.r3, self.resuming = b"", None

    def send(self, payload):
        return self.r3 + self.session.seal(payload)

    def exporter(self, label, context, length):
        return self.session.exporter(label, context, length)

    def export(self):
        return resume.export(self.session)

    def go_on(self, export):
        self.restarted = resume.Restarted(self.pair, export, self.draw)
        self.resuming = self.restarted.r1
        return [self.resuming]

    def _engine(self, message):
        number = message[1] >> 4
        if number == wire.R1:
            require(self.session or self.running, "no session")
            if self.running is None:
                self.running = resume.Running(self.pair, resume.export(self.session), self.draw)
            return [self.running.on_r1(message)]
        if number == wire.R2:
            require(self.restarted, "no resume")
            self.session = self.restarted.on_r2(message)
            self.r3, self.restarted, self.resuming = self.restarted.r3, None, None
            self.events.append(("resumed", self.session.out.generation))
            return [self.r3]
        require(number == wire.R3 and self.running, "message")
        session, record = self.running.on_r3(message)
        self.running, self.session = None, session
        self.events.append(("resumed", session.out.generation))
        if record:
            return self._record(record)
        return [session.seal(bytes([records.NOTHING]), True)]

    def _record(self, record):
        require(self.session, "no session")
        control, text, _, _, followed = self.session.open(record)
        self.r3 = b""
        out = [self.session.seal(bytes([records.NOTHING]), True)] if followed else []
        if not control:
            self.payloads.append(text)
        return out


class Lamp(Ending):
    def __init__(self, invitation, draw, wall, cid=b""):
        """`wall`: a function that gives its clock's time in seconds, or None."""
        self.invitation = invitation = seeds.Invitation.read(invitation)
        self.enrolment, self.transport = invitation.enrolment, invitation.key
        self.suite = SUITES[self.enrolment.number]
        self.pair = seeds.Pair(self.suite)
        self.draw, self.wall, self.cid = draw, wall, cid
        self.seed, self.generation, self.gone = Seed(draw(976), invitation.base), 0, None
        self.floor, self.counter = invitation.time, 0
        self.pending, self.confirmed, self.answered, self.misses = None, False, 0, 0
        self.dead, self.events, self.payloads = None, [], []
        self._fresh()

    def _fresh(self):
        super()._fresh()
        self.run, self.flight, self.tries, self.asked, self.was_fresh = None, None, 0, None, True

    def stored(self):
        other = copy(self)
        other.seed = copy(self.seed)
        return other.__dict__

    def restart(self, stored=None, counter=None, export=None):
        """From what was stored; `counter`: the first one that was not reserved."""
        stored = stored or self.stored()
        kept = "seed generation gone floor pending confirmed answered dead transport counter".split()
        self.__dict__.update({name: stored[name] for name in kept})
        self.seed, self.misses = copy(self.seed), 0
        if counter is not None:
            assert counter >= self.counter, "counters come once"
            self.counter = counter
        self._fresh()
        return [] if export is None else self.go_on(export)

    # Enrolment.

    def deposit(self):
        return seeds.deposit(self.invitation, aes_key_wrap(self.transport, self.seed.data))

    def confirm(self, data):
        time = int.from_bytes(data[:4], "big")
        require(same(data, seeds.confirmation(self.enrolment, self.seed.gone, time)), "confirmation")
        self._heard(time)

    # What the application calls.

    def connect(self):
        return self._start("session")

    def authenticate(self):
        return self._start("authentication")

    def _start(self, goal):
        if self.dead:
            self.events.append(("failed", "revoked"))
            return self._launch(self.dead, 3)
        return self._begin(goal, 0, 3 if self.confirmed else 1)

    def sign(self, data):
        time = self._time()
        rows = self.seed.rows(time)
        random = self.draw(8)
        return self._signed(rows, Stamp(time, random, self._counter()), data)

    def _signed(self, rows, stamp, data):
        certificate = Certificate(seeds.SIGNATURE, self.enrolment.device, self.generation & 0xFF, stamp)
        key = expand(stamp.prk(rows), "sign", certificate.th_1(self.enrolment.th_0(self.generation)))
        return certificate.data + self.suite.once(key, sha256(data))

    def timeout(self):
        if self.resuming:
            return [self.resuming]
        if self.flight is None:
            return []
        if self.tries > 1:
            self.tries -= 1
            return [self.flight]
        run, self.run, self.flight = self.run, None, None
        if run is None:
            return []
        if self.confirmed:
            self.misses += 1
        if run.rounds > 1:
            return self._begin(run.goal, 0, run.rounds - 1)
        self._failed(run.goal, "no_answer")
        return []

    def _failed(self, goal, why):
        self.events.append(("update_failed" if goal == "update" else "failed", why))

    # Micro-certificates.

    def _time(self):
        wall = None if self.enrolment.flags & seeds.CLOCKLESS else self.wall()
        return max(wall or 0, self.floor)

    def _counter(self):
        self.counter += 1
        return self.counter - 1

    def _launch(self, datagram, tries):
        self.flight, self.tries = datagram, tries
        return [datagram]

    def _begin(self, goal, challenges, rounds, opening=None):
        under = PENDING if self.confirmed and (self.misses < 2 or self.misses % 2) else CURRENT
        asked = self.asked if under == CURRENT else None
        if opening is None and (self.enrolment.flags & seeds.CLOCKLESS or not self.was_fresh):
            asked = None
        seed, generation = self.seed, self.generation
        if under == PENDING:
            root, base = self.pending
            seed, generation = Seed.of_root(root, base), generation + 1
        time = opening[0] if opening else self._time()
        random = self.draw(24 if asked else 8)
        rows = seed.rows(time)
        stamp = Stamp(time, random[:8], self._counter())
        prk = stamp.prk(rows, opening[2] if opening else b"")
        number = seeds.PROOF if opening else seeds.AUTH
        certificate = Certificate(number, self.enrolment.device, generation & 0xFF, stamp)
        th_1 = certificate.th_1(self.enrolment.th_0(generation))
        part = None
        if asked:
            attempt, n_c = asked
            n_d = random[8:]
            part = attempt, n_d, seeds.part_tag(prk, th_1, attempt, n_d)
            self.pending = seeds.next_root(prk, th_1, attempt, n_c, n_d), seeds.year(time)
            self.answered, self.confirmed, self.asked = attempt, False, None
        critical = Critical(
            self.cid if goal == "session" else None,
            self.answered if under == CURRENT and self.confirmed else 0,
            self.answered if under == CURRENT else 0,
            part,
        )
        sealed = self.suite.once(expand(prk, "auth", th_1), critical.write())
        certificate = Certificate(number, self.enrolment.device, generation & 0xFF, stamp, sealed)
        self.run = Run(certificate, prk, sha256(th_1, sealed), under, goal, challenges, rounds)
        tries = -(-TRIES // 3) if self.confirmed else TRIES
        return self._launch(certificate.data, tries)

    # Receiving.

    def input(self, datagram):
        try:
            require(len(datagram) >= 2, "too short")
            if wire.is_record(datagram):
                return self._record(datagram)
            if datagram[0] == wire.ENGINE:
                return self._from_engine(datagram)
            number, low, reader = seeds.opened(datagram)
            handler = {seeds.ANSWER: self._answer, seeds.CHALLENGE: self._challenge, seeds.GONE: self._gone}.get(number)
            require(handler and self.run, "message")
            require(self.run.certificate.stamp.counter & 15 == low, "counter")
            return handler(datagram, reader)
        except Dropped as why:
            self.events.append(("dropped", str(why)))
            return []

    def _from_engine(self, message):
        if message[:2] == engine_header(wire.COOKIE_REQUEST):
            require(len(message) == 10 and self.flight, "cookie")
            return [engine_header(wire.COOKIE_ECHO) + message[2:] + self.flight]
        return self._engine(message)

    def _heard(self, time):
        self.transport = None
        if seeds.year(time) < self.seed.base + seeds.YEARS:
            self.floor = max(self.floor, time)
            self.seed.erase_before(seeds.year(self.floor))

    def _answer(self, message, reader):
        run = self.run
        reader.take(8)
        clear = message[: reader.at]
        sealed = reader.rest()
        th_2 = sha256(run.th_a, clear)
        text = self.suite.open_once(expand(run.prk, "ans", th_2), sealed)
        answer = Answer.read(text, seeds.order_tag(run.prk, th_2))
        stamp, goal = run.certificate.stamp, run.goal
        revoked = answer.order is not None and answer.order.what == seeds.REVOKE
        if answer.session is not None and goal == "session":
            th_3 = sha256(th_2, sealed)
            keys = schedule(self.suite, run.prk, th_3, expand)
            at = stamp.counter
            self.session = Session(self.pair, keys, th_3, True, at, at, self.cid, answer.session)
            self.restarted = self.running = self.resuming = None
            self.r3 = b""
            self.events.append(("established", self.session.fingerprint, True))
        elif goal != "update" and not revoked:
            self.events.append(("authenticated",))
        self.run, self.flight, self.was_fresh = None, None, run.challenges == 0
        self._heard(answer.time if answer.time is not None else stamp.time)
        if not revoked and run.under == PENDING:
            root, base = self.pending
            self.gone, self.seed = self.seed.gone, Seed.of_root(root, base)
            self.generation += 1
            self.pending, self.confirmed, self.answered, self.misses = None, False, 0, 0
            self.events.append(("key_replaced", self.generation))
        return self._obey(answer.order) if answer.order else []

    def _obey(self, order):
        what, attempt = order.what, order.attempt
        if what == seeds.REVOKE:
            self.dead = seeds.dead(self.enrolment, self.generation, self.seed.gone)
            self.seed = Seed(bytes(976), self.seed.base, self.seed.base + seeds.YEARS)
            self.pending, self.confirmed, self.gone, self.session = None, False, None, None
            self.events.append(("failed", "revoked"))
            return self._launch(self.dead, 3)
        if what == seeds.ASK:
            if self.confirmed or attempt <= self.answered:
                return []
            self.asked = attempt, order.n_c
        elif what == seeds.CLOSE:
            if not self.pending or attempt != self.answered:
                return []
            if not self.confirmed:
                self.confirmed, self.misses = True, 0
            self.events.append(("update_agreed", self.generation + 1))
        else:
            if self.confirmed and attempt == self.answered:
                self.pending, self.confirmed = None, False
            return []
        return self._begin("update", 0, 3 if self.confirmed else 1)

    def _challenge(self, message, reader):
        run = self.run
        require(run.challenges < 2, "a third CHALLENGE")
        reader.take(8)
        clear, sealed = message[: reader.at], reader.rest()
        text = Reader(self.suite.open_once(expand(run.prk, "chal", sha256(run.th_a, clear)), sealed))
        opening = text.number(4), text.number(4), text.take(8)
        text.end()
        require(opening[0] >= self.floor, "a centre that has lost the time")
        self.counter = max(self.counter, opening[1])
        self._heard(opening[0])
        self.run = self.flight = None
        try:
            return self._begin(run.goal, run.challenges + 1, run.rounds, opening)
        except Dropped as why:
            self._failed(run.goal, "seed_expired" if str(why) == "expired" else str(why))
            return []

    def _gone(self, message, reader):
        run = self.run
        generation, tag = reader.number(4), reader.rest()
        used = self.generation + (run.under == PENDING)
        require(generation != used, "the same")
        older = min(generation, used)
        key = {self.generation: self.seed.gone, self.generation - 1: self.gone}.get(older)
        require(key and same(tag, seeds.gone_tag(key, run.th_a, generation)), "GONE")
        self.run = self.flight = None
        if run.under == PENDING:
            self.misses = 2
            return self._begin(run.goal, 0, 1)
        if generation > used and self.pending:
            self.confirmed, self.misses = True, 0
            return self._begin(run.goal, 0, 1)
        self.events.append(("failed", "pair_again"))
        return []


