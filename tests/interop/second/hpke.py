"""HPKE (RFC 9180), export-only, with the KEMs of the interactive scheme's page, section 1."""

from .crypto import SUITES, hkdf_expand, hkdf_extract, require, seen, u16

NAMES = {-21: b"iotkm FFC2048", -22: b"iotkm FFC3072"}
BASE, AUTH = 0, 2


class Kem:
    """Shares in, shares out; contexts hold points."""

    def __init__(self, suite, name=None):
        self.suite, self.group = suite, suite.group
        number = u16(0x10 if suite.number in (2, 3, 5) else 0x20)
        self.name = name or NAMES.get(suite.number, number)

    def point(self, share):
        try:
            return self.group.point(share)
        except ValueError as error:
            require(False, f"share: {error}")

    def extract(self, who, salt, label, material):
        return hkdf_extract(salt, b"HPKE-v1" + who + label + material)

    def expand(self, who, secret, label, info, length):
        return hkdf_expand(secret, u16(length) + b"HPKE-v1" + who + label + info, length)

    def _context(self, dh, points, mode, info):
        who = b"KEM" + self.name
        secret = self.extract(who, b"", b"eae_prk", dh)
        secret = self.expand(who, secret, b"shared_secret", b"".join(points), 32)
        who = b"HPKE" + self.name + b"\x00\x01\xff\xff"
        empty = self.extract(who, b"", b"psk_id_hash", b"")
        context = bytes([mode]) + empty + self.extract(who, b"", b"info_hash", info)
        secret = self.extract(who, secret, b"secret", b"")
        exporter = self.expand(who, secret, b"exp", context, 32)
        return lambda label, length: seen(
            "export " + label.decode(), self.expand(who, exporter, b"sec", label, length)
        )

    def send(self, ephemeral, enc, theirs, info, static=None):
        """An exporter; `static` is the sender's (agree, share), where it authenticates itself."""
        dh = self.group.secret(ephemeral, theirs)
        points = [self.point(enc), self.point(theirs)]
        if static is None:
            return self._context(dh, points, BASE, info)
        agree, mine = static
        return self._context(dh + agree(theirs), points + [self.point(mine)], AUTH, info)

    def receive(self, enc, static, info, sender=None):
        """The same, for the holder of `static`; `sender` is the share of who authenticates itself."""
        agree, mine = static
        dh = agree(enc)
        points = [self.point(enc), self.point(mine)]
        if sender is None:
            return self._context(dh, points, BASE, info)
        return self._context(dh + agree(sender), points + [self.point(sender)], AUTH, info)


KEMS = {number: Kem(suite) for number, suite in SUITES.items()}
