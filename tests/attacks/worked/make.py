#!/usr/bin/env python3
"""Worked examples of paper 000 as printed, in Python's integers: none of the library's code has a part in them.

    make.py           writes interactive.txt and noninteractive.txt
    make.py --check   says whether they are what it would write

core/src/interactive/published.md and core/src/noninteractive/published.md are what it follows. The Rust side of it is
tests/attacks/tests/worked.rs.
"""

import hashlib
import hmac
import re
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
CONSTANTS = HERE.parents[2] / "core/src/crypto/group/ffc/constants.rs"


def group(bits: int) -> tuple[int, int, int]:
    text = re.sub(r"\\\s+", "", CONSTANTS.read_text())
    return tuple(int(re.search(rf'\b{name}{bits}: &str = "([0-9a-f]+)"', text)[1], 16) for name in "PQG")


P, Q, G = group(2048)
LEN = 256


def sha(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()


def mac(key: bytes, *parts: bytes) -> bytes:
    return hmac.digest(key, b"".join(parts), "sha256")


def u16(n: int) -> bytes:
    return n.to_bytes(2, "big")


def u32(n: int) -> bytes:
    return n.to_bytes(4, "big")


def long(n: int) -> bytes:
    return n.to_bytes(LEN, "big")


def num(b: bytes) -> int:
    return int.from_bytes(b, "big")


class Rng:
    """SHA-256(name | u32 0) | SHA-256(name | u32 1) | ..."""

    def __init__(self, name: bytes) -> None:
        self.name, self.drawn, self.left = name, 0, b""

    def take(self, n: int) -> bytes:
        while len(self.left) < n:
            self.left += sha(self.name, u32(self.drawn))
            self.drawn += 1
        taken, self.left = self.left[:n], self.left[n:]
        return taken

    def scalar(self) -> int:
        return num(self.take(48)) % Q


# ---- tickets: CBOR, COSE, Ed25519 (RFC 8032, section 6) ----

PRIME = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, PRIME) % PRIME
BASE_Y = 4 * pow(5, -1, PRIME) % PRIME


def base_x() -> int:
    square = (BASE_Y**2 - 1) * pow(D * BASE_Y**2 + 1, -1, PRIME) % PRIME
    x = pow(square, (PRIME + 3) // 8, PRIME)
    if (x * x - square) % PRIME:
        x = x * pow(2, (PRIME - 1) // 4, PRIME) % PRIME
    return x if x % 2 == 0 else PRIME - x


def add(a: tuple[int, int], b: tuple[int, int]) -> tuple[int, int]:
    (x1, y1), (x2, y2) = a, b
    t = D * x1 * x2 * y1 * y2
    x = (x1 * y2 + x2 * y1) * pow(1 + t, -1, PRIME)
    return x % PRIME, (y1 * y2 + x1 * x2) * pow(1 - t, -1, PRIME) % PRIME


def point(n: int) -> bytes:
    total, power = (0, 1), (base_x(), BASE_Y)
    while n:
        if n & 1:
            total = add(total, power)
        power, n = add(power, power), n >> 1
    return (total[1] | (total[0] & 1) << 255).to_bytes(32, "little")


def ed25519(seed: bytes, message: bytes) -> bytes:
    h = hashlib.sha512(seed).digest()
    a = (int.from_bytes(h[:32], "little") & (1 << 254) - 8) | 1 << 254
    r = int.from_bytes(hashlib.sha512(h[32:] + message).digest(), "little") % ORDER
    first = point(r)
    k = int.from_bytes(hashlib.sha512(first + point(a) + message).digest(), "little")
    return first + ((r + k * a) % ORDER).to_bytes(32, "little")


def head(major: int, n: int) -> bytes:
    for size, info in ((1, 24), (2, 25), (4, 26)):
        if n < 24:
            return bytes([major << 5 | n])
        if n < 1 << 8 * size:
            return bytes([major << 5 | info]) + n.to_bytes(size, "big")
    raise ValueError(n)


def cbor(value: object) -> bytes:
    match value:
        case int():
            return head(0, value) if value >= 0 else head(1, -1 - value)
        case bytes():
            return head(2, len(value)) + value
        case str():
            return head(3, len(value)) + value.encode()
        case dict():
            items = sorted((cbor(k), cbor(v)) for k, v in value.items())
            return head(5, len(items)) + b"".join(k + v for k, v in items)
    raise TypeError(value)


AGENT = bytes([7] * 32)
ISSUED, EXPIRES = 1_700_000_000, 1_900_000_000


def ticket(subject: str, serial: int, y: int) -> bytes:
    key = {1: -65558, -1: -21, -2: long(y)}
    claims = {1: "acme", 2: subject, 4: EXPIRES, 6: ISSUED, 7: u32(serial), 8: {1: key}}
    protected, payload = cbor(cbor({1: -8, 4: b""})), cbor(cbor(claims))
    signature = ed25519(AGENT, b"\x84\x6aSignature1" + protected + b"\x40" + payload)
    return b"\xd2\x84" + protected + b"\xa0" + payload + cbor(signature)


# ---- what both schemes have ----


def encrypt(key: bytes, number: int, text: bytes) -> bytes:
    blocks = range((len(text) + 31) // 32)
    stream = b"".join(sha(key, u32(number), u32(block)) for block in blocks)
    return bytes(a ^ b for a, b in zip(text, stream))


def encrypt_to(rng: Rng, y: int, text: bytes) -> bytes:
    r = rng.scalar()
    return long(pow(G, r, P)) + encrypt(sha(long(pow(y, r, P))), 0, text)


def agreed(dh: int, n_s: bytes, n_a: bytes) -> bytes:
    return sha(long(dh ^ num(n_s) ^ num(n_a)))


def message(scheme: int, number: int, *fields: bytes) -> bytes:
    return bytes([0xF0 | scheme, number << 4]) + b"".join(fields)


TERMS = (12, 60, 3600)  # l, T in s, F in s


class Phase1:
    """All of phase 1: what is sent, what both have then."""

    def __init__(self, scheme: int, a: "Device", s: "Device", pmk: bytes | None = None) -> None:
        r = a.rng.take(32)
        first = u16(len(a.ticket)) + a.ticket + r + (mac(pmk, r) if pmk else b"")
        n_s0, n_s1, n_s2 = (s.rng.take(32) for _ in range(3))
        self.n_s = s.rng.scalar()
        share_s = pow(G, self.n_s, P)
        text = u16(len(s.ticket)) + s.ticket + n_s0 + n_s1 + n_s2 + long(share_s) + s.guarantee
        second = encrypt_to(s.rng, a.y, text)
        n_a0, n_a1, n_a2 = (a.rng.take(32) for _ in range(3))
        self.n_a = a.rng.scalar()
        share_a = pow(G, self.n_a, P)
        terms = b"".join(map(u32, TERMS))
        third = encrypt_to(a.rng, s.y, long(share_a) + terms + n_a0 + n_a1 + n_a2 + a.guarantee)
        self.dh = pow(share_s, self.n_a, P)
        assert self.dh == pow(share_a, self.n_s, P)
        self.pmk, self.v = agreed(self.dh, n_s1, n_a1), agreed(self.dh, n_s0, n_a0)
        self.zeros = (n_s0, n_a0)
        bodies = (first, second, third, mac(self.pmk, n_a2, n_s2))
        self.messages = [message(scheme, i + 1, body) for i, body in enumerate(bodies)]


class Device:
    def __init__(self, name: str, serial: int, x: int, guarantee: bytes = b"") -> None:
        self.name, self.x, self.y, self.guarantee = name, x, pow(G, x, P), guarantee
        self.ticket = ticket(name, serial, self.y)
        self.rng = Rng(name.encode())


def phase2(a: Device, s: Device, run: Phase1) -> tuple[list[bytes], bytes]:
    n_a, n_s = a.rng.scalar(), s.rng.scalar()
    share_a, share_s = long(pow(G, n_a, P)), long(pow(G, n_s, P))
    k_m = agreed(pow(num(share_s), n_a, P), *run.zeros)
    bodies = (
        share_a + mac(run.pmk, share_a),
        share_s + mac(run.pmk, share_s),
        b"msg1" + mac(k_m, s.name.encode(), b"msg1"),
        b"msg2" + mac(k_m, b"msg2"),
    )
    return [message(1, i + 5, body) for i, body in enumerate(bodies)], k_m


def interactive() -> dict[str, bytes]:
    keys = Rng(b"keys")
    a, s = Device("lamp", 1, keys.scalar()), Device("hub", 2, keys.scalar())
    out = {"x_A": long(a.x)[-32:], "x_S": long(s.x)[-32:], "T_A": a.ticket, "T_S": s.ticket}
    run = Phase1(1, a, s)
    messages, k_m = phase2(a, s, run)
    out |= {"PMK": run.pmk, "N_S0": run.zeros[0], "N_A0": run.zeros[1], "K_M": k_m}
    out |= {f"M{i + 1}": m for i, m in enumerate(run.messages)}
    out |= {f"K{i + 1}": m for i, m in enumerate(messages)}
    out["DATA A"] = message(1, 9, u32(0), encrypt(k_m, 0, b"the light is on"))
    out["DATA S"] = message(1, 9, u32(1), encrypt(k_m, 1, b"switch it off"))
    # S asks for the next session key, then A for the next PMK, with V_PMK{R}.
    messages, k_m = phase2(s, a, run)
    out |= {"K_M'": k_m} | {f"K{i + 1}'": m for i, m in enumerate(messages)}
    run = Phase1(1, a, s, run.pmk)
    messages, k_m = phase2(a, s, run)
    out |= {"PMK''": run.pmk, "K_M''": k_m}
    out |= {f"M{i + 1}''": m for i, m in enumerate(run.messages)}
    out |= {f"K{i + 1}''": m for i, m in enumerate(messages)}
    return out


def h(name: str, r: bytes) -> int:
    return num(sha(name.encode(), r))


class Side:
    """Phase 2 of the noninteractive scheme, on one side."""

    def __init__(self, me: Device, peer: Device, n: int, share: int, v: bytes) -> None:
        self.me, self.peer, self.n, self.share, self.v = me, peer, n, share, num(v)

    def session(self, t: int) -> dict[str, bytes]:
        k = self.n
        for _ in range(1, t):
            k = k * self.v % P
        r = long(pow(G, k, P))
        x = (self.me.x * h(self.me.name, r) + k) % P
        theirs = pow(self.share, pow(self.v, t - 1), P)
        y = pow(self.peer.y, h(self.peer.name, long(theirs)), P) * theirs % P
        return {"r": r, "x": long(x), "y of the other": long(y), "K": sha(long(pow(y, x, P)))}


def noninteractive() -> dict[str, bytes]:
    operator = Rng(b"operator")
    x_z = operator.scalar()
    y_z = pow(G, x_z, P)
    out = {"y_Z": long(y_z)}

    def issue(name: str, serial: int) -> Device:
        k = operator.scalar()
        r = long(pow(G, k, P))
        device = Device(name, serial, (x_z * h(name, r) + k) % Q, r)
        assert device.y == pow(y_z, h(name, r), P) * num(r) % P
        return device

    a, s = issue("lamp", 1), issue("hub", 2)
    for side, device in (("A", a), ("S", s)):
        out |= {f"r_{side}": device.guarantee, f"x_{side}": long(device.x)[-32:], f"y_{side}": long(device.y)}
        out[f"T_{side}"] = device.ticket
    run = Phase1(2, a, s)
    out |= {f"M{i + 1}": m for i, m in enumerate(run.messages)}
    out["V"] = run.v
    sides = {
        "A": Side(a, s, run.n_a, pow(G, run.n_s, P), run.v),
        "S": Side(s, a, run.n_s, pow(G, run.n_a, P), run.v),
    }
    for t in range(1, TERMS[0] + 1):
        for name, side in sides.items():
            out |= {f"{field} {name} {t}": value for field, value in side.session(t).items()}
    for t in (1, 5):
        out[f"DATA A {t}"] = message(2, 9, u32(t), u32(0 if t == 1 else 2), encrypt(out[f"K A {t}"], 0 if t == 1 else 2, b"on"))
    return out


def main() -> int:
    stale = 0
    for name, make in (("interactive", interactive), ("noninteractive", noninteractive)):
        text = "".join(f"{key} = {value.hex()}\n" for key, value in make().items())
        path = HERE / f"{name}.txt"
        if sys.argv[1:] != ["--check"]:
            path.write_text(text)
        elif not path.exists() or path.read_text() != text:
            print(f"{path.name} is not what Python computes")
            stale = 1
    return stale


if __name__ == "__main__":
    sys.exit(main())
