"""The example firmware and the Python hub: pairing, exchange, data, key update, and a board that is reset or loses its power in
the middle of each."""

import os
import re
import tempfile
import unittest

import iotkm
from hub import SECRET, Hub
from qemu import Board

IMAGES = os.environ["M4_IMAGES"]
PAIRING_STACK_MAX = 9216
SYMMETRIC_OR_X25519_STACK_MAX = 6144


class Device(Board):
    """A board with the firmware, and what it said."""

    def __init__(self, folder):
        super().__init__(os.path.join(IMAGES, "device.elf"), flash=os.path.join(folder, "flash.bin"))
        self.said = []

    def hear(self):
        while not self.lines.empty():
            self.said.append(self.lines.get())
        return self.said

    def values(self, word):
        """What followed the word, each time it was said."""
        return [line[len(word) + 1:] for line in self.hear() if line.split(" ")[0] == word]


class History(unittest.TestCase):
    def setUp(self):
        self.board = self.enterContext(Device(self.enterContext(tempfile.TemporaryDirectory())))
        self.hub = Hub(self.board)
        self.wait(lambda: self.board.values("unpaired"))
        self.board.type("every 0")  # the tests say when

    def wait(self, condition, what="", timeout=30.0):
        if not self.hub.until(condition, timeout):
            self.fail(f"{what or 'nothing'} came of it; the board said {self.board.said[-20:]}, the hub {self.hub.events[-10:]},"
                      f" drops {self.hub.history and self.hub.history.drops}")

    def pair(self):
        """As users do: again, if one side is not content."""
        self.hub.listen()
        paired = len(self.board.values("paired"))
        self.board.type(f"pair {SECRET}")
        self.wait(lambda: len(self.board.values("paired")) > paired or self.board.values("pairing-failed"), "pairing")
        self.assertEqual(self.board.values("pairing-failed"), [])

    def session(self):
        """A session on both sides."""
        def there():
            return self.board.values("session") and self.hub.history and self.hub.history.is_established
        self.wait(there, "session")

    def talk(self):
        """A message either way, asked for until it comes: a board that starts loses what is said to it."""
        token = os.urandom(4).hex()
        heard = len(self.board.values("heard"))
        for _ in range(20):
            self.board.type(f"send {token}")
            if self.hub.until(lambda: token.encode() in self.hub.messages and len(self.board.values("heard")) > heard, 1.5):
                break
        self.assertIn(token.encode(), self.hub.messages, f"the board said {self.board.said[-20:]}, hub {self.hub.events[-9:]}")
        self.wait(lambda: token.encode().hex() in self.board.values("heard"), "the echo")

    def same_keys(self):
        generation = self.hub.history.peer.generation
        said = self.board.values("keys")
        self.assertEqual(int(said[-1]) if said else 0, generation)
        return generation

    def status(self):
        """Milliseconds, readings, stack."""
        before = len(self.board.values("status"))
        self.board.type("status")
        self.wait(lambda: len(self.board.values("status")) > before, "status")
        return [int(word) for word in self.board.values("status")[-1].split(" ")]


class Life(History):
    def test_the_whole_of_it(self):
        self.pair()
        self.session()
        self.assertEqual(self.board.values("paired")[-1], self.hub.history.peer.fingerprint)
        self.assertEqual(self.board.values("session")[-1], self.hub.history.fingerprint)
        pairing_stack = self.status()[2]
        self.assertLess(pairing_stack, PAIRING_STACK_MAX)

        for _ in range(6):
            self.talk()
        self.board.type("update")
        self.wait(lambda: self.board.values("keys") == ["1"] and self.hub.history.peer.generation == 1, "update")
        self.talk()
        for _ in range(5):
            self.talk()
        self.hub.update()
        self.wait(lambda: self.board.values("keys") == ["1", "2"] and self.hub.history.peer.generation == 2, "update")
        self.talk()

        self.board.reset()
        self.wait(lambda: self.board.values("resumed"), "resume")
        self.talk()
        self.assertEqual(len(self.board.values("session")), 3)
        self.assertEqual(self.same_keys(), 2)
        self.board.type("every 0")
        for _ in range(4):
            self.talk()
        stack = self.status()[2]
        self.assertLess(stack, SYMMETRIC_OR_X25519_STACK_MAX)
        print(f"firmware.pairing.stack {pairing_stack} B\nfirmware.session.stack {stack} B")

    def test_readings_and_updates_by_themselves(self):
        self.pair()
        self.session()
        self.board.type("every 50")
        self.wait(lambda: len(self.hub.messages) >= 40 and self.hub.history.peer.generation >= 1, "readings and new keys")
        self.assertTrue(all(re.fullmatch(rb"\d+", message) for message in self.hub.messages))
        self.board.type("every 0")
        self.talk()
        self.same_keys()

    def test_a_bug_in_the_library_resets_the_board(self):
        self.pair()
        self.session()
        self.board.type("panic")
        self.wait(lambda: self.board.values("resumed"), "resume")
        self.talk()

    def test_a_closed_session_is_not_resumed(self):
        self.pair()
        self.session()
        self.board.type("close")
        self.wait(lambda: self.board.values("ended"), "end")
        sessions = len(self.board.values("session"))
        self.board.power_cut()
        self.wait(lambda: len(self.board.values("session")) > sessions, "session")
        self.assertEqual(self.board.values("resumed"), [])
        self.talk()

    def test_a_hub_that_restarts_is_found_again(self):
        self.pair()
        self.session()
        self.hub.restart()
        self.board.reset()  # resumes into nothing, and falls back on an exchange
        self.wait(lambda: len(self.board.values("session")) == 2, "session")
        self.talk()

    def test_the_wrong_secret(self):
        self.hub.listen()
        self.board.type("pair horse correct")
        self.wait(lambda: self.hub.seen(iotkm.Failed), "failure")
        self.assertEqual(self.hub.seen(iotkm.Failed), [iotkm.Failed(iotkm.Stage.PAIRING, iotkm.Reason.WRONG_SECRET)])
        self.assertEqual(self.board.values("paired"), [])
        self.pair()
        self.session()
        self.talk()


class Cut(History):
    """The board is reset, or loses its power, right after its n-th datagram of a phase, which the hub still hears."""

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

    def test_in_pairing(self):
        def cut(datagram, how):
            self.hub.listen()
            self.board.said.clear()
            self.cut_after(datagram, how)
            self.board.type(f"pair {SECRET}")
            self.over("pairing")
            self.board.said.clear()
            self.pair()
            self.session()
            self.talk()
        self.each(3, cut)

    def test_in_an_exchange(self):
        self.pair()
        self.session()

        def cut(datagram, how):
            self.board.type("close")
            self.wait(lambda: not self.hub.history.is_established, "end")
            self.cut_after(datagram, how)
            self.board.reset()
            self.board.said.clear()
            self.over("exchange")
            self.talk()
        self.each(3, cut)

    def test_in_a_resume(self):
        self.pair()
        self.session()

        def cut(datagram, how):
            self.talk()
            self.cut_after(datagram, how)
            self.board.reset()
            self.board.said.clear()
            self.over("resume")
            self.talk()
        self.each(2, cut)

    def test_in_the_midst_of_data(self):
        self.pair()
        self.session()

        def cut(datagram, how):
            self.board.type("every 20")
            self.board.said.clear()
            self.cut_after(5 + datagram, how)
            self.over("data")
            self.talk()
        self.each(2, cut)

    def test_in_an_update_by_the_board(self):
        self.in_an_update(lambda: self.board.type("update"))

    def test_in_an_update_by_the_hub(self):
        self.in_an_update(lambda: self.hub.update())

    def in_an_update(self, start):
        self.pair()
        self.session()

        def cut(datagram, how):
            for _ in range(4):
                self.talk()
            generation = self.hub.history.peer.generation
            self.board.said.clear()
            self.cut_after(datagram, how)
            start()
            self.over("update")
            self.talk()
            self.assertIn(self.hub.history.peer.generation, (generation, generation + 1))
        self.each(4, cut)
