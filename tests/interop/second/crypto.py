"""Section 1: the KDF, the suites, and what the other sections share."""

import hashlib
import hmac
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESCCM, ChaCha20Poly1305

from . import groups


class Dropped(Exception):
    """What does not parse or verify: it is dropped and changes nothing."""


def require(condition, why):
    if not condition:
        raise Dropped(why)


def same(a, b):
    return hmac.compare_digest(a, b)


def u16(n):
    return n.to_bytes(2, "big")


def u32(n):
    return n.to_bytes(4, "big")


def u64(n):
    return n.to_bytes(8, "big")


def short(x):
    return bytes([len(x)]) + x


def lv(*fields):
    return b"".join(u16(len(field)) + field for field in fields)


class Watch:
    """Who wants to see the values on the way sets `see`, a function (name, value)."""

    see = None


def seen(name, value):
    if Watch.see:
        Watch.see(name, value)
    return value


def sha256(*parts):
    return seen("hash", hashlib.sha256(b"".join(parts)).digest())


def hkdf_extract(salt, material):
    return hmac.digest(salt or bytes(32), material, "sha256")


def hkdf_expand(key, info, length):
    out = block = b""
    counter = 1
    while len(out) < length:
        block = hmac.digest(key, block + info + bytes([counter]), "sha256")
        out += block
        counter += 1
    return out[:length]


def kdf(scheme):
    """A scheme's `expand`."""

    def expand(key, label, context=b"", length=32):
        info = u16(length) + b"iotkm1 " + scheme + b" " + label.encode() + b"\0" + context
        return seen(label, hkdf_expand(key, info, length))

    return expand


expand = kdf(b"history")


def extract(salt, *parts):
    return seen("extract", hkdf_extract(salt, parts[0] if len(parts) == 1 else lv(*parts)))


def halves(both):
    return both[: len(both) // 2], both[len(both) // 2 :]


class X25519:
    """RFC 7748. A scalar is 32 bytes, as drawn."""

    @staticmethod
    def scalar(draw):
        return draw(32)

    @staticmethod
    def share(scalar):
        return X25519PrivateKey.from_private_bytes(scalar).public_key().public_bytes_raw()

    @staticmethod
    def point(share):
        return share

    @staticmethod
    def secret(scalar, share):
        try:
            return X25519PrivateKey.from_private_bytes(scalar).exchange(X25519PublicKey.from_public_bytes(share))
        except ValueError as error:  # an all-zero result
            raise Dropped("share") from error


class Ffc:
    """A subgroup of Z_p*: shares and secrets are as long as p."""

    def __init__(self, bits, attempt, counter):
        self.length = bits // 8
        self.p, self.order, self.base = groups.subgroup(bits, attempt, counter)

    def scalar(self, draw):
        return int.from_bytes(draw(48), "big") % self.order

    def share(self, scalar):
        return pow(self.base, scalar, self.p).to_bytes(self.length, "big")

    def secret(self, scalar, share):
        element = int.from_bytes(share, "big")
        require(len(share) == self.length and 1 < element < self.p, "share")
        require(pow(element, self.order, self.p) == 1, "share")
        return pow(element, scalar, self.p).to_bytes(self.length, "big")

    @staticmethod
    def point(share):
        return share


class P256:
    """The share is x; its point may have any y, for the secret is an x too."""

    scalar = groups.P256.scalar

    @staticmethod
    def point(share):
        return groups.P256.uncompressed(groups.P256.even(share))

    @staticmethod
    def share(scalar):
        return groups.P256.x_bytes(groups.P256.multiply(scalar, groups.P256.base))

    @staticmethod
    def secret(scalar, share):
        try:
            return groups.P256.x_bytes(groups.P256.multiply(scalar, groups.P256.even(share)))
        except ValueError as error:
            raise Dropped("share") from error


@dataclass(frozen=True)
class Suite:
    number: int
    cipher: object  # (key) -> an AEAD of `cryptography`
    key: int
    nonce: int
    tag: int
    group: object
    mac: int

    @property
    def share(self):
        """Length of a share."""
        return getattr(self.group, "length", 32)

    def seal(self, key, nonce, text, associated):
        return self.cipher(key).encrypt(nonce, text, associated)

    def open(self, key, nonce, sealed, associated):
        try:
            return self.cipher(key).decrypt(nonce, sealed, associated)
        except Exception as error:  # InvalidTag, or too short to have one
            raise Dropped("sealed") from error

    def once(self, key, text):
        return self.seal(key[: self.key], bytes(self.nonce), text, b"")

    def open_once(self, key, sealed):
        return self.open(key[: self.key], bytes(self.nonce), sealed, b"")


def _ccm(tag):
    return lambda key: AESCCM(key, tag_length=tag)


SUITES = {
    0: Suite(0, _ccm(8), 16, 13, 8, X25519, 8),
    1: Suite(1, _ccm(16), 16, 13, 16, X25519, 16),
    2: Suite(2, _ccm(8), 16, 13, 8, P256, 8),
    3: Suite(3, _ccm(16), 16, 13, 16, P256, 16),
    4: Suite(4, ChaCha20Poly1305, 32, 12, 16, X25519, 16),
    5: Suite(5, ChaCha20Poly1305, 32, 12, 16, P256, 16),
    -21: Suite(-21, _ccm(8), 16, 13, 8, Ffc(2048, 85, 1559), 8),
    -22: Suite(-22, _ccm(8), 16, 13, 8, Ffc(3072, 38, 355), 8),
}


@dataclass(frozen=True)
class Triple:
    """Section 2."""

    sk: bytes
    t: bytes
    li: bytes
    generation: int = 0

    @property
    def keys(self):
        return self.sk, self.t, self.li

    @property
    def aux(self):
        return expand(extract(b"", *self.keys), "aux", u32(self.generation))
