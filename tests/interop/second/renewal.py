"""The tickets' page, messages 5 to 7, and the noninteractive scheme's page, section 2: a device gets its next credential."""

from . import credential, ticket
from .crypto import require
from .powers import GROUPS

LIST, ACKNOWLEDGED, DUE, REQUEST, ANSWER = 2, 3, 5, 6, 7
FIELDS = {0: 5, 1: 2, LIST: 2, ACKNOWLEDGED: 3, 4: 2, DUE: 1, REQUEST: 2, ANSWER: 2}


def message(number, *values):
    """Byte strings and small numbers after the message's own."""
    encoded = (ticket._bytes(value) if isinstance(value, bytes) else _uint(value) for value in values)
    return bytes([0x80 | 1 + len(values), number]) + b"".join(encoded)


def _uint(value):
    assert value < 1 << 16
    return bytes([value]) if value < 24 else bytes([0x18, value]) if value < 256 else b"\x19" + value.to_bytes(2, "big")


def read(data):
    items = ticket.cbor(data)
    require(isinstance(items, list) and items and FIELDS.get(items[0]) == len(items), "claims")
    return items


class Holder:
    """What a device has, and what of it is in its storage."""

    def __init__(self, operator, device):
        self.operator, self.device = operator, device
        self.own = self.k1 = None
        self.floor, self.list, self.number, self.serials = 0, None, 0, set()
        self.is_stored = True
        self.store()

    def store(self):
        self.is_stored = True
        self._blob = self.own, self.k1, self.floor, self.list, self.number, self.serials

    def restore(self):
        self.is_stored = True
        self.own, self.k1, self.floor, self.list, self.number, self.serials = self._blob

    def due_at(self, lead):
        if self.own is None:
            return 0
        return self.own.expires - min(lead, self.own.life * credential.HOUR // 2)

    def ask(self, draw):
        if self.k1 is None:
            self.k1, self.is_stored = GROUPS[self.operator.number].scalar(draw), False

    def request(self):
        if self.k1 is None or not self.is_stored:
            return None
        share = GROUPS[self.operator.number].share(self.k1)
        return message(REQUEST, bytes([len(self.device)]) + self.device.encode() + share)

    def acknowledgement(self):
        if self.own is None or not self.is_stored:
            return None
        return message(ACKNOWLEDGED, self.own.ref, self.number)

    def handle(self, data, wall):
        """What is to be done; with a next credential it and x."""
        match read(data):
            case [2, data]:
                self._revoke(data)
                return "acknowledge"
            case [5]:
                return "ask"
            case [7, data]:
                if self.own is not None and data.startswith(self.own.data):
                    return "acknowledge"
                return self._answered(data, wall)
        return "nothing"

    def _answered(self, data, wall):
        require(self.k1 is not None, "signature")
        group = self.operator.group
        end = len(data) - 32
        found = credential.read(data[:end], self.operator.number)
        require(found.subject == self.device, "subject")
        x = (group.decode_scalar(data[end:]) + self.k1) % group.order
        found = self.operator.verify(found.data, wall, self.floor, self.serials)
        self.operator.check(found, x)
        require(found.expires >= self.own.expires, "older")
        return found, group.encode_scalar(x)

    def install(self, data, wall):
        found = self.operator.verify(data, wall, self.floor, self.serials)
        require(found.subject == self.device, "subject")
        require(self.own is None or found.expires >= self.own.expires, "older")
        self.own, self.k1, self.floor = found, None, max(self.floor, found.issued)
        self.is_stored = False

    def _revoke(self, data):
        serials, number, issued = credential.revoked(data, self.operator)
        if data == self.list:
            return
        require(number > self.number, "older")
        self.list, self.serials, self.number, self.floor = data, serials, number, max(self.floor, issued)
        self.is_stored = False
