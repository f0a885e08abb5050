"""The microcert scheme's centre: sections 4 to 9. Rows are in memory, and so are the centre's own keys."""

from dataclasses import dataclass, replace

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.cmac import CMAC
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap

from . import seeds, wire
from .crypto import SUITES, Dropped, require, same, sha256, u16, u32
from .exchange import schedule
from .lamp import Ending
from .records import Session
from .seeds import Answer, Certificate, Critical, Enrolment, Order, Seed, expand
from .wire import Reader, engine_header

WINDOW, CHALLENGE, GRACE, CLOCK_OFF = 300, 60, 31 * 86_400, 2
SHARE, PER = 8, 4_000


class Keys:
    """Section 9: K_trans, K_store, K_mac."""

    def __init__(self, keys):
        self.trans, self.store, self.mac = keys[:32], keys[32:64], keys[64:]

    @staticmethod
    def cmac(key, data):
        made = CMAC(AES(key))
        made.update(data)
        return made.finalize()

    def transport(self, device):
        return self.cmac(self.trans, u32(1) + b"iotkm1 microcert transport\0" + device + u32(128))

    def seal(self, bind, text):
        cipher = Cipher(AES(self.store), CBC(self.cmac(self.mac, b"\1" + bind))).encryptor()
        sealed = cipher.update(text)
        return sealed + self.cmac(self.mac, b"\2" + bind + sealed)

    def open(self, bind, stored):
        sealed, tag = stored[:-16], stored[-16:]
        require(same(tag, self.cmac(self.mac, b"\2" + bind + sealed)), "tampered with")
        return Cipher(AES(self.store), CBC(self.cmac(self.mac, b"\1" + bind))).decryptor().update(sealed)


@dataclass(frozen=True)
class Row:
    enrolment: Enrolment  # flags: also REVOKED
    base: int
    first: int
    sealed: bytes
    generation: int = 0
    spare: bytes | None = None
    updating: bool = False
    killed: bool = False
    asked: int = 0  # the highest attempt that was asked, or answered before
    n_c: tuple | None = None  # attempt, N_C of the newest ASK
    confirmed: int = 0
    pending_base: int = 0
    counter: int = 0
    last: bytes = bytes(8)

    @property
    def revoked(self):
        return bool(self.enrolment.flags & seeds.REVOKED)


class City(Ending):
    """`wall`: its clock's seconds; `now`: milliseconds that do not jump; `secret`: the device's."""

    def __init__(self, id, keys, draw, wall, now, secret, cid=b""):
        self.id, self.keys, self.draw, self.wall, self.now, self.secret, self.cid = id, Keys(keys), draw, wall, now, secret, cid
        self.rows, self.events, self.payloads = {}, [], []
        self.restart()

    def restart(self):
        self.answers, self.shares, self.cookies = {}, {}, set()
        self._fresh()

    # The operator's.

    def invite(self, device, number, clockless):
        require(device not in self.rows, "enrolled")
        time = self.wall()
        of = Enrolment(device, self.id, number, seeds.CLOCKLESS if clockless else 0)
        return seeds.Invitation(of, seeds.year(time), time, self.keys.transport(device)).write()

    def enrol(self, data):
        of, base, wrapped = seeds.read_deposit(data)
        require(of.centre == self.id, "another centre's")
        try:
            seed = aes_key_unwrap(self.keys.transport(of.device), wrapped)
        except InvalidUnwrap as error:
            raise Dropped("sealed") from error
        row = Row(of, base, base, b"")
        row = replace(row, sealed=self.keys.seal(self._bind(row), seed))
        require(self.rows.get(of.device, row) == row, "enrolled")
        self.rows[of.device] = row
        return of.device, seeds.confirmation(of, Seed(seed, base).gone, self.wall())

    def update(self, device):
        row = self.rows[device]
        require(not row.revoked, "revoked")
        self.rows[device] = replace(row, updating=True)

    def revoke(self, device):
        row = self.rows[device]
        seed, spare = self._seed(row), self._spare(row) if row.spare else None
        of = row.enrolment
        row = replace(row, enrolment=replace(of, flags=of.flags | seeds.REVOKED), updating=False)
        row = self._sealed(row, seed)
        self.rows[device] = self._spared(row, *spare) if spare else row

    def verify(self, signature, data):
        """(id, time, counter), or None."""
        try:
            certificate = Certificate.read(signature)
            row = self.rows.get(certificate.device)
            require(certificate.message == seeds.SIGNATURE and row and not row.revoked, "no signature")
            require(certificate.serial == row.generation & 0xFF, "serial")
            stamp = certificate.stamp
            prk = stamp.prk(self._seed(row).rows(stamp.time))
            key = expand(prk, "sign", certificate.th_1(row.enrolment.th_0(row.generation)))
            suite = SUITES[row.enrolment.number]
            require(same(suite.open_once(key, certificate.sealed), sha256(data)), "digest")
        except Dropped:
            return None
        return certificate.device, stamp.time, stamp.counter

    # What is sealed.

    def _bind(self, row, part=0):
        flags = row.enrolment.flags
        return sha256(row.enrolment.th_0(row.generation) + u16(row.base) + bytes([flags, part]))[:16]

    def _seed(self, row):
        return Seed(self.keys.open(self._bind(row), row.sealed), row.base, row.first)

    def _sealed(self, row, seed):
        row = replace(row, base=seed.base, first=seed.first)
        return replace(row, sealed=self.keys.seal(self._bind(row), seed.data))

    def _spare(self, row):
        text = self.keys.open(self._bind(row, 1), row.spare)
        return text[:32], text[32:]

    def _spared(self, row, root, gone):
        return replace(row, spare=self.keys.seal(self._bind(row, 1), root + gone))

    # Receiving.

    def input(self, datagram, source=b"device"):
        try:
            require(len(datagram) >= 2, "too short")
            if wire.is_record(datagram):
                return self._record(datagram)
            proven = False
            if datagram[0] == wire.ENGINE:
                if datagram[:2] != engine_header(wire.COOKIE_ECHO):
                    return self._engine(datagram)
                proven, datagram = datagram[2:10] in self.cookies, datagram[10:]
            if datagram[1] >> 4 == seeds.DEAD:
                return self._dead(datagram)
            return self._certificate(datagram, source if proven else None)
        except Dropped as why:
            self.events.append(("dropped", str(why)))
            return []

    def _take(self, device, source):
        """A share: 8 at once, then one every 4 seconds."""
        left, at = self.shares.get((device, source), (SHARE, self.now()))
        gained = (self.now() - at) // PER
        left, at = min(SHARE, left + gained), self.now() if left + gained >= SHARE else at + gained * PER
        if not left:
            return False
        self.shares[device, source] = left - 1, at
        return True

    def _give_back(self, device, source):
        left, at = self.shares[device, source]
        self.shares[device, source] = min(SHARE, left + 1), at

    def _opening(self, row, serial, time):
        context = bytes([serial]) + u32(time) + u32(row.counter) + row.enrolment.device
        return expand(self.secret, "opening", context, 8)

    def _certificate(self, data, source):
        certificate = Certificate.read(data)
        require(certificate.message in (seeds.AUTH, seeds.PROOF), "message")
        device, stamp, serial = certificate.device, certificate.stamp, certificate.serial
        row = self.rows.get(device)
        require(row and not row.killed, "nobody")
        suite, now = SUITES[row.enrolment.number], self.wall()
        require(len(certificate.sealed) > suite.tag, "another suite's")
        digest = sha256(data)[:8]
        newest = row.counter > 0 and stamp.counter + 1 == row.counter
        again = newest and digest == row.last
        if again and digest in self.answers:
            return [self.answers[digest]]
        step = (serial - row.generation) & 0xFF
        proof = certificate.message == seeds.PROOF
        if proof:
            fresh = 0 <= now - stamp.time <= CHALLENGE
        else:
            fresh = not row.enrolment.flags & seeds.CLOCKLESS and abs(now - stamp.time) <= WINDOW
        fresh = fresh and row.counter <= stamp.counter < 2**32 - 1
        require(fresh or not proof, "stale")
        if step == 1 and not row.confirmed or step == 255 and row.generation and row.spare:
            require(self._take(device, source), "share")
            return [self._gone(row, certificate, step)]
        require(step in (0, 1), "serial")
        pending = step == 1
        seed_years = (row.pending_base, row.pending_base) if pending else (row.first, row.base)
        if not seed_years[0] <= seeds.year(stamp.time) < seed_years[1] + seeds.YEARS:
            if fresh:
                self.events.append(("seed_expired", device))
            raise Dropped("year")
        if not self._take(device, source):
            require(source is None, "share")
            cookie = sha256(self.secret, device, u32(len(self.cookies)))[:8]
            self.cookies.add(cookie)
            return [engine_header(wire.COOKIE_REQUEST) + cookie]
        seed = Seed.of_root(self._spare(row)[0], row.pending_base) if pending else self._seed(row)
        generation = row.generation + pending
        prk = stamp.prk(seed.rows(stamp.time), self._opening(row, serial, stamp.time) if proof else b"")
        th_1 = certificate.th_1(row.enrolment.th_0(generation))
        critical = Critical.read(suite.open_once(expand(prk, "auth", th_1), certificate.sealed))
        th_a = sha256(th_1, certificate.sealed)
        if not fresh:
            return self._oppose(row, certificate, suite, prk, th_a, newest and not again, seed)
        out = self._accept(row, certificate, suite, prk, (th_1, th_a), critical, pending, seed, digest)
        self._give_back(device, source)
        return out

    def _oppose(self, row, certificate, suite, prk, th_a, twice, seed):
        stamp, now = certificate.stamp, self.wall()
        head = seeds.header(seeds.CHALLENGE, stamp.counter) + self.draw(8)
        text = u32(now) + u32(row.counter) + self._opening(row, certificate.serial, now)
        event = "clone_suspected" if twice else "challenged" if seed.has(now) else "seed_expired"
        self.events.append((event, certificate.device))
        return [head + suite.once(expand(prk, "chal", sha256(th_a, head)), text)]

    def _accept(self, row, certificate, suite, prk, ths, critical, pending, seed, digest):
        th_1, th_a = ths
        stamp, now, device = certificate.stamp, self.wall(), certificate.device
        random = self.draw(24)
        row = replace(row, counter=stamp.counter + 1, last=digest)
        order, event = None, "authenticated"
        if row.revoked:
            order, event = Order(seeds.REVOKE), "revoked"
        else:
            if pending:
                gone = self._seed(row).gone
                row = replace(row, generation=row.generation + 1, confirmed=0, asked=0, n_c=None, pending_base=0)
                row = self._spared(self._sealed(row, seed), bytes(32), gone)
                event = "key_replaced"
            left = self._seed(row)
            if left.erase_before(seeds.year(now - GRACE)):
                row = self._sealed(row, left)
            if not pending:
                had = row.confirmed
                row, order = self._order(row, critical, prk, th_1, stamp, random[8:])
                if row.confirmed and row.confirmed != had:
                    event = "update_agreed"
        self.rows[device] = row
        self.events.append((event, device))
        cid = self.cid if critical.session is not None and not row.revoked else None
        time = now if abs(now - stamp.time) > CLOCK_OFF else None
        head = seeds.header(seeds.ANSWER, stamp.counter) + random[:8]
        th_2 = sha256(th_a, head)
        text = Answer(cid, time, order).write(seeds.order_tag(prk, th_2))
        sealed = suite.once(expand(prk, "ans", th_2), text)
        if cid is not None:
            th_3, self.pair = sha256(th_2, sealed), seeds.Pair(suite)
            keys, at = schedule(suite, prk, th_3, expand), stamp.counter
            self._fresh()
            self.session = Session(self.pair, keys, th_3, False, at, at, cid, critical.session)
            self.events.append(("established", self.session.fingerprint, False))
        self.answers[digest] = head + sealed
        return [head + sealed]

    def _order(self, row, critical, prk, th_1, stamp, n_c):
        row = replace(row, asked=max(row.asked, critical.answered))
        if critical.confirmed and critical.confirmed != row.confirmed:
            return row, Order(seeds.HASNOT, critical.confirmed)
        if row.confirmed:
            if critical.answered >= row.confirmed:
                return row, Order(seeds.CLOSE, row.confirmed)
            row = self._spared(replace(row, confirmed=0, updating=True), bytes(32), self._spare(row)[1])
        if critical.part and row.n_c and critical.part[0] == row.n_c[0]:
            attempt, n_d, tag = critical.part
            require(same(tag, seeds.part_tag(prk, th_1, attempt, n_d)), "part")
            root = seeds.next_root(prk, th_1, attempt, row.n_c[1], n_d)
            gone = self._spare(row)[1] if row.spare else bytes(32)
            row = replace(row, pending_base=seeds.year(stamp.time), confirmed=attempt, updating=False)
            return self._spared(row, root, gone), Order(seeds.CLOSE, attempt)
        if not row.updating:
            return row, None
        row = replace(row, asked=row.asked + 1)
        return replace(row, n_c=(row.asked, n_c)), Order(seeds.ASK, row.asked, n_c)

    def _gone(self, row, certificate, step):
        before = step == 255
        gone = self._spare(row)[1] if before else self._seed(row).gone
        used = row.generation + (-1 if before else 1)
        th_a = sha256(certificate.th_1(row.enrolment.th_0(used)), certificate.sealed)
        tag = seeds.gone_tag(gone, th_a, row.generation)
        return seeds.header(seeds.GONE, certificate.stamp.counter) + u32(row.generation) + tag

    def _dead(self, data):
        reader = Reader(data)
        device = reader.take(2) and reader.take((data[1] & 15) + 1)
        row = self.rows.get(device)
        require(row and row.revoked and not row.killed, "DEAD")
        require(self._take(device, None), "share")
        ends = [seeds.dead(row.enrolment, row.generation, self._seed(row).gone)]
        if row.generation and row.spare:
            ends.append(seeds.dead(row.enrolment, row.generation - 1, self._spare(row)[1]))
        require(any([same(data, end) for end in ends]), "DEAD")
        self.rows[device] = replace(row, killed=True, sealed=bytes(992), spare=None, updating=False)
        self.events.append(("killed", device))
        return []
