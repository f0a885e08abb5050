"""The sequence diagram: a device's line on the left, a hub's on the right, between them what passes.

Colours only on a terminal, and not with NO_COLOR; characters beyond ASCII only where the output takes them.
"""

import os
import sys
import textwrap
from collections import Counter
from typing import TYPE_CHECKING

from link import Passed

if TYPE_CHECKING:
    from party import Party

INNER = 44
"""Columns between the two lines."""
MARGIN = 12
"""Columns left of the device's line."""

COLOURS = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33", "blue": "34", "magenta": "35", "cyan": "36"}

# The specifications of the schemes, section 3 each: names by the first byte of a datagram and a number in the second.
HISTORY = ["", "C1", "C2", "C3", "C4", "C5", "ACK", "GONE", "P1", "P2", "P3", "P4", "P5", "P6"]
INTERACTIVE = ["", "M1", "M2", "M3", "M4", "K1", "K2", "K3", "K4", "HINT", "GONE", "REFUSE", "PING", "PONG"]
ENGINE = ["", "fragment", "cookie request", "cookie echo", "R1", "R2", "R3"]
NONINTERACTIVE = ["", "M1", "M2", "M3", "M4", "LAG", "", "", "", "HINT"]
NAMES = {0x10: ENGINE, 0x11: INTERACTIVE, 0x12: NONINTERACTIVE, 0x16: HISTORY}
RECORD_BEHIND = {"R3": 34, "K3": 18, "K4": 18}
"""Longest such message in bytes; what follows is a record."""
BY_VALUE = 1
"""Flag in M1 and M2, their third byte: the ticket or credential itself."""


def name(datagram: bytes) -> str:
    """A datagram's name, as anybody on the way can read it off its first two bytes."""
    first, second = datagram[0], datagram[1]
    if first & 0xF8 == 0x18:
        return "control record" if first & 0x04 else "record"
    names = NAMES.get(first, [])
    number = second >> 4
    found = names[number] if 0 < number < len(names) else "?"
    if len(datagram) > RECORD_BEHIND.get(found, len(datagram)):
        return found + ", record"
    if found in ("M1", "M2") and datagram[2] & BY_VALUE:
        return found + (", ticket" if first == 0x11 else ", credential")
    return found


class Diagram:
    """Draws as it happens."""

    def __init__(self, start: float, plain: bool) -> None:
        self.start = start
        self.colours = sys.stdout.isatty() and not plain and "NO_COLOR" not in os.environ
        self.wide = not plain and (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
        self.alive = True
        """Whether there is a device."""
        self.phases: list[Phase] = []
        self.who = ""
        """Whose line the left one is."""

    def paint(self, text: str, *colours: str) -> str:
        if not (self.colours and colours and text):
            return text
        return "".join(f"\033[{COLOURS[c]}m" for c in colours) + text + "\033[0m"

    def glyph(self, wide: str, narrow: str) -> str:
        return wide if self.wide else narrow

    def out(self, line: str = "") -> None:
        print(line.rstrip(), flush=True)

    # ---- headings ----

    def act(self, title: str) -> None:
        """What follows is another story."""
        self.out()
        self.out(self.paint(f"== {title} ".ljust(MARGIN + INNER + 18, "="), "bold"))

    def cast(self, left: "Party", right: "Party") -> None:
        """Whose lines these are from now on."""
        self.who, self.alive = left.title, True
        self.head(f"{left.title} (C)", f"{right.title} (Python)")
        self.head(f"process {left.process.pid}", f"process {right.process.pid}")

    def head(self, left: str, right: str) -> None:
        self.out(self.paint(" " * MARGIN + left + right.rjust(INNER + 2 - len(left)), "bold"))

    def phase(self, title: str, text: str, at: float) -> None:
        """The next part begins: a heading, and what happens in it."""
        if self.phases:
            self.phases[-1].end = at
        self.phases.append(Phase(title, at))
        self.out()
        self.out(self.paint(f"{len(self.phases)}  {title}", "bold"))
        for line in textwrap.wrap(text, MARGIN + INNER + 18):
            self.out("   " + self.paint(line, "dim"))
        self.out()

    # ---- lines ----

    def lane(self, here: str = "") -> str:
        """The device's line; `here`: instead of it."""
        return here or self.paint(self.glyph("│", "|") if self.alive else self.glyph("┊", ":"), "dim")

    def passed(self, who: str, passed: Passed) -> None:
        """A datagram between this device and the hub, as the link got it."""
        label, size = name(passed.data), len(passed.data)
        self.phases[-1].add(label, passed)
        line, right, left, cross = self.glyph("─", "-"), self.glyph("▶", ">"), self.glyph("◀", "<"), self.glyph("✗", "x")
        colour = "green" if label == "record" else "magenta" if label == "control record" else "cyan"
        marks = {
            f"of the {who}": who != self.who, "again": passed.again, "arrives twice": passed.twice,
            "overtakes": passed.overtakes, "lost": passed.lost,
        }
        length = INNER * 3 // 5 if passed.lost else INNER
        tail = length - len(label) - 6
        if passed.from_device:
            start, end = line * 3 + " ", " " + line * tail + (cross if passed.lost else right)
            body = self.paint(start, "dim") + self.paint(label, colour) + self.paint(end, "red" if passed.lost else "dim")
            body += " " * (INNER - length)
        else:
            start, end = (cross if passed.lost else left) + line * tail + " ", " " + line * 3
            body = self.paint(start, "red" if passed.lost else "dim") + self.paint(label, colour) + self.paint(end, "dim")
            body = " " * (INNER - length) + body
        hub = self.paint(self.glyph("│", "|"), "dim")
        when = self.paint(f"{passed.at - self.start:7.2f} s", "dim")
        mark = self.paint(", ".join(text for text, so in marks.items() if so), "red" if passed.lost else "yellow")
        self.out(f" {when}  {self.lane()}{body}{hub} {size:4} B  {mark}")

    def note(self, text: str, *colours: str, at_hub: bool = False) -> None:
        """What one side says of itself."""
        dot = self.paint(self.glyph("●", "*"), *(colours or ("blue",)))
        text = text if len(text) <= INNER - 2 else text[: INNER - 5] + "..."
        body = self.paint(text, *colours)
        space = " " * (INNER - 1 - len(text))
        if at_hub:
            self.out(" " * MARGIN + f"{self.lane()}{space}{body} {dot}")
        else:
            hub = self.paint(self.glyph("│", "|"), "dim")
            self.out(" " * MARGIN + f"{dot} {body}{space}{hub}")

    # ---- the summary ----

    def summary(self, at: float) -> "Phase":
        """A table of the parts; their sum."""
        self.phases[-1].end = at
        total = Phase("in all", self.phases[0].start)
        total.end = at
        for phase in self.phases:
            total.counts += phase.counts
        self.out()
        self.out(self.paint(f"   {'on the air':40}{'datagrams':>10}{'bytes':>8}{'lost':>7}{'twice':>7}{'seconds':>10}", "bold"))
        for number, phase in enumerate(self.phases, 1):
            self.out(f"{number:<3}{phase.row()}")
        self.out(self.paint(f"   {total.row()}", "bold"))
        return total


class Phase:
    """A part of the demo, and what it took."""

    def __init__(self, title: str, start: float) -> None:
        self.title = title
        self.start = start
        self.end = start
        self.counts: Counter[str] = Counter()
        self.sizes: dict[str, int] = {}
        """Of each message, by its name, the bytes without what follows it."""

    def add(self, label: str, passed: Passed) -> None:
        self.sizes.setdefault(label.partition(",")[0], len(passed.data))
        self.counts.update(
            datagrams=1, bytes=len(passed.data), lost=passed.lost, twice=passed.twice,
            overtaking=passed.overtakes, again=passed.again,
        )

    def sum(self, *names: str) -> int:
        """Bytes of these messages, each once."""
        return sum(self.sizes.get(name, 0) for name in names)

    def row(self) -> str:
        counts = self.counts
        return (
            f"{self.title:40}{counts['datagrams']:10}{counts['bytes']:8}{counts['lost']:7}{counts['twice']:7}"
            f"{self.end - self.start:10.1f}"
        )
