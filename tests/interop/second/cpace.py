"""CPace (draft-irtf-cfrg-cpace), initiator-responder, in the two groups of section 4."""

import hashlib

from . import groups
from .crypto import Dropped, require


def prepend_len(data):
    length, encoded = len(data), b""
    while True:
        encoded += bytes([length & 0x7F | (0x80 if length > 0x7F else 0)])
        length >>= 7
        if not length:
            return encoded + data


def lv_cat(*parts):
    return b"".join(map(prepend_len, parts))


def generator_string(dsi, prs, ci, sid, block):
    pad = max(0, block - 1 - len(prepend_len(prs)) - len(prepend_len(dsi)))
    return lv_cat(dsi, prs, bytes(pad), ci, sid)


class Ristretto255:
    """CPACE-RISTR255-SHA512."""

    number = 1
    dsi = b"CPaceRistretto255"
    hash = hashlib.sha512
    curve = groups.Ristretto255

    @staticmethod
    def scalar(draw):
        """252 bits, little-endian."""
        return int.from_bytes(draw(32), "little") % 2**252

    @classmethod
    def generator(cls, prs, ci, sid):
        return cls.curve.derive(cls.hash(generator_string(cls.dsi, prs, ci, sid, 128)).digest())

    @classmethod
    def share(cls, scalar, generator):
        return cls.curve.encode(cls.curve.multiply(scalar, generator))

    @classmethod
    def secret(cls, scalar, share):
        try:
            return cls.curve.encode(cls.curve.multiply(scalar, cls.curve.decode(share)))
        except ValueError as error:
            raise Dropped("share") from error

    @staticmethod
    def public(share):
        """A share as the draft's transcript has it."""
        return share


class P256:
    """CPACE-P256_XMD:SHA-256_SSWU_NU_-SHA256. A share is x of the point with even y."""

    number = 2
    dsi = b"CPaceP256_XMD:SHA-256_SSWU_NU_"
    hash = hashlib.sha256
    curve = groups.P256

    @staticmethod
    def scalar(draw):
        return groups.P256.scalar(draw)

    @classmethod
    def generator(cls, prs, ci, sid):
        return cls.curve.encode_to_curve(generator_string(cls.dsi, prs, ci, sid, 64), cls.dsi + b"_DST")

    @classmethod
    def share(cls, scalar, generator):
        return cls.curve.x_bytes(cls.curve.multiply(scalar, generator))

    @classmethod
    def secret(cls, scalar, share):
        try:
            return cls.curve.x_bytes(cls.curve.multiply(scalar, cls.curve.even(share)))
        except ValueError as error:
            raise Dropped("share") from error

    @classmethod
    def public(cls, share):
        return cls.curve.uncompressed(cls.curve.even(share))


GROUPS = {"ristretto255": Ristretto255, "p256": P256, "P-256": P256}


def isk(group, sid, scalar, theirs, y_a, ad_a, y_b, ad_b):
    """The intermediate session key: `scalar` is this side's, `theirs` the other's share (y_a or y_b)."""
    secret = group.secret(scalar, theirs)
    require(any(secret), "the neutral element")
    transcript = lv_cat(group.public(y_a), ad_a) + lv_cat(group.public(y_b), ad_b)
    return group.hash(lv_cat(group.dsi + b"_ISK", sid, secret) + transcript).digest()
