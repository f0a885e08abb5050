"""Section 3: headers and fragments."""

from .crypto import Dropped, require, sha256, u16

C1, C2, C3, C4, C5, ACK, GONE = range(1, 8)
P1, P2, P3, P4, P5, P6 = range(8, 14)
FRAGMENT, COOKIE_REQUEST, COOKIE_ECHO, R1, R2, R3 = range(1, 7)

HANDSHAKE, ENGINE = 0x16, 0x10  # first bytes; a record's is 0x18 and up


def header(message, run=0):
    """Of the scheme's own messages."""
    return bytes([HANDSHAKE, message << 4 | run & 15])


def engine_header(message):
    return bytes([ENGINE, message << 4])


def is_record(datagram):
    return datagram[0] & 0xF8 == 0x18


class Reader:
    """Reads a message to its last byte."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, count):
        require(self.at + count <= len(self.data), "too short")
        self.at += count
        return self.data[self.at - count : self.at]

    def number(self, count):
        return int.from_bytes(self.take(count), "big")

    def short(self, most=255):
        length = self.number(1)
        require(length <= most, "too long")
        return self.take(length)

    def rest(self):
        return self.take(len(self.data) - self.at)

    def end(self):
        require(self.at == len(self.data), "too long")


def cut(message, room):
    """What to send for a message where `room` bytes fit: it, or its fragments."""
    if len(message) <= room:
        return [message]
    count = -(-len(message) // (room - 6))
    assert 2 <= count <= 16
    size = -(-len(message) // count)
    name = sha256(message)[:1]
    return [
        engine_header(FRAGMENT) + name + bytes([index << 4 | count - 1]) + u16(len(message)) + message[index * size :][:size]
        for index in range(count)
    ]


class Assembly:
    """Puts one message at a time together."""

    def __init__(self):
        self.key, self.pieces = None, {}

    def add(self, fragment):
        """The message, if this was the last piece that it lacked."""
        reader = Reader(fragment)
        require(reader.take(2) == engine_header(FRAGMENT), "not a fragment")
        name, place, length = reader.take(1), reader.number(1), reader.number(2)
        index, count = place >> 4, (place & 15) + 1
        size = -(-length // count)
        piece = reader.rest()
        require(count > 1 and index < count, "place")
        require(len(piece) == min(size, length - index * size), "size")
        if self.key != (name, count, length):
            self.key, self.pieces = (name, count, length), {}
        self.pieces[index] = piece
        if len(self.pieces) < count:
            return None
        message = b"".join(self.pieces[i] for i in range(count))
        self.key, self.pieces = None, {}
        if sha256(message)[:1] != name:
            raise Dropped("pieces of different messages")
        return message
