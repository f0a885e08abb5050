"""The tickets' page: a CWT in COSE_Sign1, deterministic CBOR."""

from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from .crypto import require, sha256
from .wire import Reader

LEEWAY = 300
FFC = -65558
GROUPS = {(1, 4): ("x25519", 32), (2, 1): ("p256", 32), (FFC, -21): ("ffc2048", 256), (FFC, -22): ("ffc3072", 384)}


def item(reader, depth=0):
    """One CBOR item, in its only encoding."""
    require(depth < 8, "deep")
    first = reader.number(1)
    major, info = first >> 5, first & 31
    if major == 7:
        require(info in (20, 21, 22, 23), "simple")
        return {20: False, 21: True}.get(info)
    number = info
    if info >= 24:
        require(info <= 27, "length")
        size = 1 << info - 24
        number = reader.number(size)
        require(number >= (24 if size == 1 else 1 << 4 * size), "not the shortest")
    match major:
        case 0:
            return number
        case 1:
            return -1 - number
        case 2:
            return reader.take(number)
        case 3:
            return reader.take(number).decode()
        case 4:
            return [item(reader, depth + 1) for _ in range(number)]
        case 5:
            found, before = {}, b""
            for _ in range(number):
                start = reader.at
                key = item(reader, depth + 1)
                encoded = reader.data[start : reader.at]
                require(encoded > before, "order")
                found[key], before = item(reader, depth + 1), encoded
            return found
    require(number == 18, "tag")
    return item(reader, depth + 1)


def cbor(data):
    reader = Reader(data)
    value = item(reader)
    reader.end()
    return value


@dataclass(frozen=True)
class Ticket:
    data: bytes
    subject: str
    serial: int
    issued: int
    begins: int
    expires: int
    scope: str
    group: str
    key: bytes

    @property
    def cred(self):
        return sha256(self.data)

    @property
    def ref(self):
        return self.cred[:8]


def read(data):
    """A ticket, not verified."""
    require(data[:2] == b"\xd2\x84", "COSE_Sign1")
    protected, unprotected, payload, _ = cbor(data)
    require(unprotected == {} and 2 not in cbor(protected), "header")
    claims = cbor(payload)
    require(-65537 not in claims, "a list")
    key = claims[8]
    require(list(key) == [1], "cnf")
    key = key[1]
    group, length = GROUPS[key[1], key[-1]]
    require(key.get(-3) is (False if group == "p256" else None) and len(key) == 3 + (group == "p256"), "key")
    require(len(key[-2]) == length, "key's length")
    serial = int.from_bytes(claims[7], "big")
    begins = claims.get(5, claims[6])
    return Ticket(data, claims[2], serial, claims[6], begins, claims[4], claims.get(9, ""), group, key[-2])


def verify(data, agent, wall, floor, revoked=()):
    """`agent` is (name, Ed25519 key); `wall` in seconds or None."""
    name, key = agent
    ticket = read(data)
    protected, _, payload, signature = cbor(data)
    require(cbor(payload)[1] == name and cbor(protected)[1] == -8, "agent")
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, signed(protected, payload))
    except InvalidSignature:
        require(False, "signature")
    now = max(wall if wall is not None else floor, floor)
    require(now < ticket.expires, "expired")
    require(wall is None or now + LEEWAY >= ticket.begins, "not yet")
    require(ticket.serial not in revoked, "revoked")
    return ticket


def signed(protected, payload):
    """What a signature is over."""
    return b"\x84\x6aSignature1" + _bytes(protected) + b"\x40" + _bytes(payload)


def _bytes(data):
    """As a CBOR byte string."""
    for size, info in ((1, 24), (2, 25), (4, 26)):
        if len(data) < 24:
            return bytes([0x40 | len(data)]) + data
        if len(data) < 1 << 8 * size:
            return bytes([0x40 | info]) + len(data).to_bytes(size, "big") + data
    raise ValueError(len(data))
