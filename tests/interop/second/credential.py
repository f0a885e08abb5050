"""The noninteractive scheme's page, section 2: credentials, both ways of issuing, revocation lists."""

from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from . import ticket
from .crypto import Dropped, extract, require, seen, sha256, short, u16, u32
from .powers import GROUPS, KEMS, drawn
from .wire import Reader

HOUR, LEEWAY = 3600, 300


@dataclass(frozen=True)
class Credential:
    data: bytes
    serial: int
    issued: int
    life: int
    subject: str
    r: bytes
    key: bytes = b""  # y, as a share, once it is computed

    @property
    def cred(self):
        return sha256(self.data)

    @property
    def ref(self):
        return self.cred[:8]

    @property
    def expires(self):
        return self.issued + HOUR * self.life


def take(reader, number):
    """A credential off the front."""
    start = reader.at
    serial, issued, life = reader.number(4), reader.number(4), reader.number(2)
    name, r = reader.short(32), reader.take(GROUPS[number].length)
    require(name and all(byte >= 32 and byte != 127 for byte in name) and life > 0, "claims")
    return Credential(reader.data[start : reader.at], serial, issued, life, name.decode(), r)


def read(data, number):
    reader = Reader(data)
    credential = take(reader, number)
    reader.end()
    return credential


@dataclass(frozen=True)
class Operator:
    name: str
    key: bytes  # y_Z, a share
    lists: bytes  # Ed25519
    number: int  # the suite

    @property
    def group(self):
        return GROUPS[self.number]

    def h(self, subject, issued, life, serial, r):
        fields = self.name.encode(), self.key, KEMS[self.number].name, subject.encode()
        numbers = u32(issued), u16(life), u32(serial)
        return self.group.hashed(extract(b"", *fields, *numbers, r), "issue")

    def y(self, credential):
        """y = y_Z^h r, an element."""
        group = self.group
        h = self.h(credential.subject, credential.issued, credential.life, credential.serial, credential.r)
        y = group.product(group.power(group.element(self.key), h), group.element(credential.r))
        group.to_share(y)
        return seen("y", y)

    def verify(self, data, wall, floor=0, revoked=()):
        """A credential with its key; `wall` in seconds or None."""
        credential = read(data, self.number)
        now = max(wall if wall is not None else floor, floor)
        require(now < credential.expires, "expired")
        require(wall is None or now + LEEWAY >= credential.issued, "not yet")
        require(credential.serial not in revoked, "revoked")
        key = self.group.to_share(self.y(credential))
        return Credential(*(getattr(credential, name) for name in list(Credential.__dataclass_fields__)[:-1]), key)

    def sign(self, x, draw, subject, issued, life, serial, theirs=None):
        """Credential and s: r = theirs g^k, s = x h + k, with k drawn until r and y have shares."""
        group = self.group
        while True:
            k = drawn(group, draw)
            r = group.base(k)
            try:
                if theirs is not None:
                    r = group.product(group.element(theirs), r)
                r = group.to_share(r)
                data = u32(serial) + u32(issued) + u16(life) + short(subject.encode()) + r
                self.y(read(data, self.number))
            except Dropped:
                continue
            return data, (x * self.h(subject, issued, life, serial, r) + k) % group.order

    def check(self, credential, x):
        require(x and self.group.base(x) == self.y(credential), "another operator's")


def request(number, subject, draw):
    """REQUEST and k1."""
    group = GROUPS[number]
    k1 = group.scalar(draw)
    return short(subject.encode()) + group.share(k1), k1


def answer(operator, x, draw, asked, issued, life, serial):
    """ANSWER."""
    reader = Reader(asked)
    subject, theirs = reader.short(32).decode(), reader.take(operator.group.length)
    reader.end()
    operator.group.element(theirs)
    data, s = operator.sign(x, draw, subject, issued, life, serial, theirs)
    return data + operator.group.encode_scalar(s)


def accept(operator, subject, k1, answered, wall):
    """Credential and x."""
    reader = Reader(answered)
    credential, s = take(reader, operator.number), reader.take(32)
    reader.end()
    require(credential.subject == subject, "subject")
    x = (operator.group.decode_scalar(s) + k1) % operator.group.order
    verified = operator.verify(credential.data, wall)
    operator.check(credential, x)
    return verified, x


def revoked(data, operator):
    """The serials of a revocation list, and its number and time."""
    protected, _, payload, signature = ticket.cbor(data)
    claims = ticket.cbor(payload)
    require(claims[1] == operator.name and ticket.cbor(protected)[1] == -8, "agent")
    try:
        Ed25519PublicKey.from_public_bytes(operator.lists).verify(signature, ticket.signed(protected, payload))
    except InvalidSignature:
        require(False, "signature")
    packed = claims[-65537]
    serials = {int.from_bytes(packed[at : at + 4], "big") for at in range(0, len(packed), 4)}
    return serials, int.from_bytes(claims[7], "big"), claims[6]
