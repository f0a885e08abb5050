"""A centre and a chip on a serial line, one device at a time.

Each message is a line of text, `iotkm KIND HEX CRC32`; what is no such line is noise, a console's greeting for one. The centre
says INVITATION until the chip answers DEPOSIT, then CONFIRMATION until it answers DONE. The line is short and yours: the
invitation holds the device's transport key.
"""

import os
import select
import time
import zlib
from collections.abc import Collection
from types import TracebackType
from typing import Self

from iotkm._errors import IotkmError

try:
    import termios
    import tty
except ImportError:  # not on Windows
    termios = tty = None  # type: ignore[assignment]

INVITATION, DEPOSIT, CONFIRMATION, DONE = "INVITATION", "DEPOSIT", "CONFIRMATION", "DONE"
_LONGEST = 8192
_AGAIN = 1.0


class SerialError(IotkmError, OSError):
    """Nobody answers on the serial line."""

    code = -118


class Line:
    """A serial port, or any file that is one: raw, at that speed."""

    def __init__(self, path: str | os.PathLike[str], speed: int = 115_200) -> None:
        """Opens it.

        Raises:
            OSError: it is not there, or does not know that speed.
        """
        if termios is None:
            raise OSError("serial lines are for systems with termios")
        self._file = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        self._heard = b""
        try:
            if os.isatty(self._file):
                tty.setraw(self._file)
                settings = termios.tcgetattr(self._file)
                rate = getattr(termios, f"B{speed}", None)
                if rate is None:
                    raise OSError(f"this system's serial lines do not know {speed} baud")
                settings[4] = settings[5] = rate
                termios.tcsetattr(self._file, termios.TCSANOW, settings)
        except BaseException:
            os.close(self._file)
            raise

    def close(self) -> None:
        """Closes it."""
        os.close(self._file)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def say(self, kind: str, data: bytes = b"") -> None:
        """Sends a message."""
        text = f"{kind} {data.hex() or '-'}"
        rest = f"iotkm {text} {zlib.crc32(text.encode()):08x}\n".encode()
        while rest:
            try:
                rest = rest[os.write(self._file, rest) :]
            except BlockingIOError:
                select.select([], [self._file], [], _AGAIN)

    def hear(self, kinds: Collection[str], seconds: float) -> tuple[str, bytes] | None:
        """The next message of these kinds; ``None``: none came."""
        end = time.monotonic() + seconds
        while True:
            while b"\n" in self._heard:
                line, _, self._heard = self._heard.partition(b"\n")
                found = _read(line)
                if found is not None and found[0] in kinds:
                    return found
            left = end - time.monotonic()
            if left <= 0 or not select.select([self._file], [], [], left)[0]:
                return None
            try:
                more = os.read(self._file, 4096)
            except BlockingIOError:
                continue
            except OSError:  # nobody has the other end open
                more = b""
            if not more:
                time.sleep(min(0.05, max(0.0, left)))
            self._heard = (self._heard + more)[-_LONGEST:]

    def ask(self, kind: str, data: bytes, answers: Collection[str], seconds: float) -> tuple[str, bytes]:
        """Says it again and again, until one of these answers comes.

        Raises:
            SerialError: none does.
        """
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.say(kind, data)
            if (heard := self.hear(answers, _AGAIN)) is not None:
                return heard
        raise SerialError(f"nobody answers {kind.lower()} on the serial line")


def _read(line: bytes) -> tuple[str, bytes] | None:
    words = line.decode("ascii", "replace").rstrip("\r").split(" ")
    try:
        if len(words) != 4 or words[0] != "iotkm" or int(words[3], 16) != zlib.crc32(" ".join(words[1:3]).encode()):
            return None
        return words[1], b"" if words[2] == "-" else bytes.fromhex(words[2])
    except ValueError:
        return None
