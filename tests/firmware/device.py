"""What the tests of the example firmware share: a board that runs it, a hub, and what both do in every scheme."""

import os
import tempfile
import unittest

from qemu import Board


class Device(Board):
    """A board with the firmware, and what it said."""

    def __init__(self, folder, image):
        super().__init__(os.path.join(os.environ["M4_IMAGES"], image), flash=os.path.join(folder, "flash.bin"))
        self.said = []

    def hear(self):
        while not self.lines.empty():
            self.said.append(self.lines.get())
        return self.said

    def values(self, word):
        """What followed the word, each time it was said."""
        return [line[len(word) + 1:] for line in self.hear() if line.split(" ")[0] == word]


class Scheme(unittest.TestCase):
    """A board and its hub. Subclasses say which image, and make the hub."""

    IMAGE = None

    def hub_of(self, board):
        raise NotImplementedError

    def setUp(self):
        self.board = self.enterContext(Device(self.enterContext(tempfile.TemporaryDirectory()), self.IMAGE))
        self.hub = self.hub_of(self.board)
        self.wait(lambda: self.board.values("boot"), "boot")
        self.board.type("every 0")  # the tests say when

    def wait(self, condition, what="", timeout=30.0):
        if not self.hub.until(condition, timeout):
            self.fail(f"{what or 'nothing'} came of it; the board said {self.board.said[-20:]}, the hub {self.hub.events[-10:]},"
                      f" drops {self.hub.association and self.hub.association.drops}")

    def session(self):
        """A session on both sides."""
        def there():
            return self.board.values("session") and self.hub.association and self.hub.association.is_established
        self.wait(there, "session")

    def talk(self):
        """A message either way, asked for until it comes: a board that starts loses what is said to it."""
        token = os.urandom(4).hex()
        for _ in range(20):
            self.board.type(f"send {token}")
            if self.hub.until(lambda: token.encode().hex() in self.board.values("heard"), 1.5):
                break
        self.assertIn(token.encode(), self.hub.messages, f"the board said {self.board.said[-20:]}, hub {self.hub.events[-9:]}")
        self.assertIn(token.encode().hex(), self.board.values("heard"), "the echo")

    def status(self):
        """Milliseconds, readings, stack."""
        before = len(self.board.values("status"))
        self.board.type("status")
        self.wait(lambda: len(self.board.values("status")) > before, "status")
        return [int(word) for word in self.board.values("status")[-1].split(" ")]

    # A board that is reset, or loses its power, right after its n-th datagram of a phase, which the hub still hears.

    def cut_after(self, count, how):
        self.left = count

        def before(_datagram):
            self.left -= 1
            if self.left == 0:
                self.hub.before_datagram = None
                how()
        self.hub.before_datagram = before

    def over(self, what):
        """The cut came, and the board is up again."""
        self.wait(lambda: self.left <= 0 and self.board.values("boot"), f"a cut in {what}")
        self.board.type("every 0")

    def each(self, count, body):
        """Reset and power cut by turns."""
        for datagram in range(1, count + 1):
            how = self.board.reset if datagram % 2 else self.board.power_cut
            with self.subTest(datagram=datagram, how=how.__name__):
                body(datagram, how)
