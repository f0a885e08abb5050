"""The noninteractive scheme's page, section 1: groups of prime order, whose elements go in and out as bytes."""

from dataclasses import replace

from .crypto import SUITES, Dropped, kdf, require
from .groups import P256 as CURVE
from .groups import Ristretto255 as CURVE_25519
from .hpke import Kem

SCHEME = b"nonint"
expand = kdf(SCHEME)


class Group:
    """One of them. A share travels, an element does not; both are bytes."""

    order: int
    length: int  # of a share
    endian = "big"

    def encode_scalar(self, scalar):
        return scalar.to_bytes(32, self.endian)

    def decode_scalar(self, data):
        return int.from_bytes(data, self.endian)

    def hashed(self, prk, label, context=b""):
        """Scalar()."""
        scalar = int.from_bytes(expand(prk, label, context, 48), self.endian) % self.order
        require(scalar, "zero")
        return scalar

    def base(self, scalar):
        return self.power(self.generator, scalar)

    def share(self, scalar):
        return self.to_share(self.base(scalar))

    def secret(self, scalar, share):
        return self.to_share(self.power(self.element(share), scalar), whatever=True)

    # What is the same bytes in all but P-256.

    def element(self, share):
        self.power(share, 1)
        return share

    point = element

    def to_share(self, element, whatever=False):
        return element


class Ristretto255(Group):
    order, length, endian = CURVE_25519.order, 32, "little"
    generator = bytes.fromhex("e2f2ae0a6abc4e71a884a961c500515f58e30b6aa582dd8db6a65945e08d2d76")

    def scalar(self, draw):
        """32 bytes, the top four bits cleared."""
        drawn = draw(32)
        return int.from_bytes(drawn[:31] + bytes([drawn[31] & 15]), "little")

    def _decode(self, element):
        try:
            point = CURVE_25519.decode(element)
        except ValueError as error:
            raise Dropped("element") from error
        require(any(element), "identity")
        return point

    def _encode(self, point):
        element = CURVE_25519.encode(point)
        require(any(element), "identity")
        return element

    def power(self, element, scalar):
        return self._encode(CURVE_25519.multiply(scalar % self.order, self._decode(element)))

    def product(self, one, two):
        return self._encode(CURVE_25519.add(self._decode(one), self._decode(two)))


class P256(Group):
    order, length = CURVE.order, 32
    generator = CURVE.uncompressed(CURVE.base)

    def scalar(self, draw):
        """As drawn, or its negative: the one whose power of g has a share."""
        scalar = CURVE.scalar(draw)
        return scalar if self.base(scalar)[-1] % 2 == 0 else self.order - scalar

    def any_scalar(self, draw):
        return CURVE.scalar(draw)

    @staticmethod
    def _decode(element):
        return int.from_bytes(element[1:33], "big"), int.from_bytes(element[33:], "big")

    def _encode(self, point):
        require(point is not None, "identity")
        return CURVE.uncompressed(point)

    def power(self, element, scalar):
        return self._encode(CURVE.multiply(scalar % self.order, self._decode(element)))

    def product(self, one, two):
        return self._encode(CURVE.add(self._decode(one), self._decode(two)))

    def element(self, share):
        try:
            return CURVE.uncompressed(CURVE.even(share))
        except ValueError as error:
            raise Dropped("share") from error

    point = element

    def to_share(self, element, whatever=False):
        """x, where y is even; of a secret x whatever y is."""
        require(whatever or element[-1] % 2 == 0, "no share")
        return element[1:33]


class Ffc(Group):
    def __init__(self, plain):
        self.plain, self.order, self.length, self.p = plain, plain.order, plain.length, plain.p
        self.known = set()  # elements that were looked at
        self.generator = self._encode(plain.base)

    def scalar(self, draw):
        return self.plain.scalar(draw)

    def _decode(self, element):
        number = int.from_bytes(element, "big")
        if element not in self.known:
            require(len(element) == self.length and 1 < number < self.p, "element")
            require(pow(number, self.order, self.p) == 1, "element")
            self.known.add(element)
        return number

    def _encode(self, number):
        require(number != 1, "identity")
        element = number.to_bytes(self.length, "big")
        self.known.add(element)
        return element

    def power(self, element, scalar):
        return self._encode(pow(self._decode(element), scalar % self.order, self.p))

    def product(self, one, two):
        return self._encode(self._decode(one) * self._decode(two) % self.p)


_ristretto, _p256 = Ristretto255(), P256()
GROUPS = {0: _ristretto, 1: _ristretto, 4: _ristretto, 2: _p256, 3: _p256, 5: _p256}
GROUPS |= {number: Ffc(SUITES[number].group) for number in (-21, -22)}
PRIME_SUITES = {number: replace(suite, group=GROUPS[number]) for number, suite in SUITES.items()}
KEMS = {
    number: Kem(suite, b"iotkm ristretto255" if number in (0, 1, 4) else None) for number, suite in PRIME_SUITES.items()
}


def drawn(group, draw):
    """A scalar of an operator's, which may have a share or not."""
    return group.any_scalar(draw) if hasattr(group, "any_scalar") else group.scalar(draw)
