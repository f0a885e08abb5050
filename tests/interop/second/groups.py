"""P-256 and ristretto255 (RFC 9496) by the book: affine or extended coordinates, one bit at a time."""

import hashlib


def subgroup(bits, attempt, counter):
    """FIPS 186-4, A.1.1.2 (p and q of `bits` and 256 bits, found at `counter`) and A.2.3 (g)."""
    sentence = f"iotkm Ffc{bits}: p and q by FIPS 186-4, A.1.1.2, g by A.2.3, attempt {attempt}"
    seed = hashlib.sha256(sentence.encode()).digest()

    def value(offset):
        number = (int.from_bytes(seed, "big") + offset) % 2**256
        return int.from_bytes(hashlib.sha256(number.to_bytes(32, "big")).digest(), "big")

    u = value(0) % 2**255
    q = 2**255 + u + 1 - u % 2
    blocks = -(-bits // 256)
    first = 1 + counter * blocks
    w = sum(value(first + j) << 256 * j for j in range(blocks)) % 2 ** (bits - 1)
    x = w + 2 ** (bits - 1)
    p = x - (x % (2 * q) - 1)
    start = hashlib.sha256(seed + b"ggen" + b"\x01" + b"\x00\x01").digest()
    return p, q, pow(int.from_bytes(start, "big"), (p - 1) // q, p)


def _multiply(group, scalar, point, zero):
    result = zero
    for bit in bin(scalar)[2:]:
        result = group.add(result, result)
        if bit == "1":
            result = group.add(result, point)
    return result


class P256:
    """Points are (x, y), the neutral one is None."""

    p = 2**256 - 2**224 + 2**192 + 2**96 - 1
    a = -3
    b = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    base = (
        0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
        0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
    )

    @classmethod
    def add(cls, one, two):
        if one is None or two is None:
            return one or two
        (x1, y1), (x2, y2) = one, two
        if x1 == x2 and (y1 + y2) % cls.p == 0:
            return None
        if one == two:
            slope = (3 * x1 * x1 + cls.a) * pow(2 * y1, -1, cls.p)
        else:
            slope = (y2 - y1) * pow(x2 - x1, -1, cls.p)
        x = (slope * slope - x1 - x2) % cls.p
        return x, (slope * (x1 - x) - y1) % cls.p

    @classmethod
    def multiply(cls, scalar, point):
        """In Jacobian coordinates (x / z^2, y / z^3), for there is an inversion in every sum of the others."""
        p, sum_ = cls.p, None
        if point is None:
            return None
        for bit in bin(scalar)[2:]:
            if sum_:
                x, y, z = sum_
                a, s = 3 * (x - z * z) * (x + z * z) % p, 4 * x * y * y % p
                x3 = (a * a - 2 * s) % p
                sum_ = (x3, (a * (s - x3) - 8 * pow(y, 4, p)) % p, 2 * y * z % p) if y * z % p else None
            if bit == "1":
                sum_ = cls._plus(sum_, *point)
        if sum_ is None or not sum_[2]:
            return None
        inverse = pow(sum_[2], -1, p)
        return sum_[0] * inverse**2 % p, sum_[1] * inverse**3 % p

    @classmethod
    def _plus(cls, one, x2, y2):
        """A point in Jacobian coordinates and one in affine ones."""
        p = cls.p
        if one is None:
            return x2, y2, 1
        x1, y1, z1 = one
        h, r = (x2 * z1 * z1 - x1) % p, (y2 * z1**3 - y1) % p
        if not h:
            if r:
                return None
            double = cls.add((x2, y2), (x2, y2))
            return (*double, 1) if double else None
        x3 = (r * r - h**3 - 2 * x1 * h * h) % p
        return x3, (r * (x1 * h * h - x3) - y1 * h**3) % p, h * z1 % p

    @classmethod
    def scalar(cls, draw):
        """32 bytes, big-endian; drawn again where it is 0 or not below the order."""
        while True:
            scalar = int.from_bytes(draw(32), "big")
            if 0 < scalar < cls.order:
                return scalar

    @staticmethod
    def x_bytes(point):
        return point[0].to_bytes(32, "big")

    @classmethod
    def sqrt(cls, n):
        """A root, or None."""
        root = pow(n, (cls.p + 1) // 4, cls.p)
        return root if root * root % cls.p == n % cls.p else None

    @classmethod
    def even(cls, share):
        """The point with this x and even y."""
        x = int.from_bytes(share, "big")
        y = cls.sqrt(x**3 + cls.a * x + cls.b)
        if x >= cls.p or y is None:
            raise ValueError("no point with this x")
        return x, y if y % 2 == 0 else cls.p - y

    @classmethod
    def uncompressed(cls, point):
        return b"\x04" + point[0].to_bytes(32, "big") + point[1].to_bytes(32, "big")

    @classmethod
    def encode_to_curve(cls, message, dst):
        """RFC 9380: P256_XMD:SHA-256_SSWU_NU_."""
        return cls._sswu(int.from_bytes(_expand_message_xmd(message, dst, 48), "big") % cls.p)

    @classmethod
    def _sswu(cls, u):
        p, a, b, z = cls.p, cls.a, cls.b, -10
        tv = z * z * pow(u, 4, p) + z * u * u
        if tv % p == 0:
            x = b * pow(z * a, -1, p) % p
        else:
            x = -b * pow(a, -1, p) * (1 + pow(tv, -1, p)) % p
        y = cls.sqrt(x**3 + a * x + b)
        if y is None:
            x = z * u * u * x % p
            y = cls.sqrt(x**3 + a * x + b)
        return x, y if y % 2 == u % 2 else p - y


def _expand_message_xmd(message, dst, length):
    dst += bytes([len(dst)])
    first = hashlib.sha256(bytes(64) + message + length.to_bytes(2, "big") + b"\0" + dst).digest()
    out, block = b"", bytes(32)
    for counter in range(1, -(-length // 32) + 1):
        block = bytes(x ^ y for x, y in zip(first, block, strict=True))
        block = hashlib.sha256(block + bytes([counter]) + dst).digest()
        out += block
    return out[:length]


class Ristretto255:
    """RFC 9496, section 4. Points are (X, Y, Z, T) on the twisted Edwards curve with a = -1."""

    p = 2**255 - 19
    order = 2**252 + 27742317777372353535851937790883648493
    d = 37095705934669439343138083508754565189542113879843219016388785533085940283555
    sqrt_m1 = 19681161376707505956807079304988542015446066515923890162744021073123829784752
    sqrt_ad_minus_one = 25063068953384623474111414158702152701244531502492656460079210482610430750235
    invsqrt_a_minus_d = 54469307008909316920995813868745141605393597292927456921205312896311721017578
    one_minus_d_sq = 1159843021668779879193775521855586647937357759715417654439879720876111806838
    d_minus_one_sq = 40440834346308536858101042469323190826248399146238708352240133220865137265952
    zero = (0, 1, 1, 0)

    @classmethod
    def add(cls, one, two):
        (x1, y1, z1, t1), (x2, y2, z2, t2) = one, two
        a, b = (y1 - x1) * (y2 - x2), (y1 + x1) * (y2 + x2)
        c, d = 2 * t1 * t2 * cls.d, 2 * z1 * z2
        e, f, g, h = b - a, d - c, d + c, b + a
        return e * f % cls.p, g * h % cls.p, f * g % cls.p, e * h % cls.p

    @classmethod
    def multiply(cls, scalar, point):
        return _multiply(cls, scalar, point, cls.zero)

    @classmethod
    def _abs(cls, n):
        n %= cls.p
        return cls.p - n if n % 2 else n

    @classmethod
    def _sqrt_ratio_m1(cls, u, v):
        p = cls.p
        r = u * pow(v, 3, p) * pow(u * pow(v, 7, p), (p - 5) // 8, p) % p
        check, u = v * r * r % p, u % p
        correct = check == u
        flipped = check == -u % p
        if flipped or check == -u * cls.sqrt_m1 % p:
            r = r * cls.sqrt_m1
        return correct or flipped, cls._abs(r)

    @classmethod
    def decode(cls, encoded):
        p = cls.p
        s = int.from_bytes(encoded, "little")
        if len(encoded) != 32 or s >= p or s % 2:
            raise ValueError("not canonical")
        u1, u2 = 1 - s * s, 1 + s * s
        v = (-cls.d * u1 * u1 - u2 * u2) % p
        square, i = cls._sqrt_ratio_m1(1, v * u2 * u2 % p)
        den_x = i * u2
        x = cls._abs(2 * s * den_x)
        y = u1 * i * den_x * v % p
        t = x * y % p
        if not square or t % 2 or y == 0:
            raise ValueError("no element")
        return x, y, 1, t

    @classmethod
    def encode(cls, point):
        p = cls.p
        x, y, z, t = point
        u1, u2 = (z + y) * (z - y), x * y
        _, i = cls._sqrt_ratio_m1(1, u1 * u2 * u2 % p)
        den1, den2 = i * u1, i * u2
        z_inv = den1 * den2 * t
        if t * z_inv % p % 2:
            x, y = y * cls.sqrt_m1, x * cls.sqrt_m1
            den2 = den1 * cls.invsqrt_a_minus_d
        if x * z_inv % p % 2:
            y = -y
        return cls._abs(den2 * (z - y)).to_bytes(32, "little")

    @classmethod
    def derive(cls, uniform):
        """An element from 64 uniform bytes."""
        return cls.add(cls._map(uniform[:32]), cls._map(uniform[32:]))

    @classmethod
    def _map(cls, half):
        p = cls.p
        t = int.from_bytes(half, "little") % 2**255 % p
        r = cls.sqrt_m1 * t * t % p
        u, v = (r + 1) * cls.one_minus_d_sq % p, (-1 - r * cls.d) * (r + cls.d) % p
        square, s = cls._sqrt_ratio_m1(u, v)
        c = -1
        if not square:
            s, c = -cls._abs(s * t), r
        n = c * (r - 1) * cls.d_minus_one_sq - v
        w0, w1, w2, w3 = 2 * s * v, n * cls.sqrt_ad_minus_one, 1 - s * s, 1 + s * s
        return w0 * w3 % p, w2 * w1 % p, w1 * w3 % p, w0 * w2 % p
