"""The example firmware with a key seed and the Python centre: enrolment over the line, sessions, signatures, a new seed, the end of
one, resets and power cuts in all of it."""

import tempfile

from device import Scheme
from hub import Centre

STACK_MAX = 7168


class Microcert(Scheme):
    IMAGE = "microcert.elf"

    def hub_of(self, board):
        centre = Centre(board, self.enterContext(tempfile.TemporaryDirectory()))
        self.addCleanup(centre.close)
        return centre

    def enrol(self):
        self.wait(lambda: self.board.values("unenrolled"), "an empty store")
        self.hub.invite()
        self.wait(lambda: self.board.values("confirmed"), "enrolment")

    def up(self):
        self.enrol()
        self.session()

    def again(self, word, command):
        """As often as it takes: while the board is at something else of the centre's, it does nothing new."""
        before = len(self.board.values(word))
        for _ in range(10):
            self.board.type(command)
            if self.hub.until(lambda: len(self.board.values(word)) > before, 3):
                return
        self.fail(f"no {word}; the board said {self.board.said[-20:]}, the centre {self.hub.happened[-9:]}")

    def seed(self):
        """The board's, which it says when it starts and when there is a new one."""
        return int(self.board.values("seed")[-1])


class Life(Microcert):
    def test_the_whole_of_it(self):
        self.up()
        self.assertEqual(self.board.values("session")[-1], self.hub.association.fingerprint)
        self.assertEqual(self.hub.association.assurance.authenticated, "enrolled")
        self.talk()
        # Its clock is the centre's as of the enrolment; when that is an hour off, a challenge says so.
        self.hub.ahead += 3_600_000
        for happens in (["challenged", "authenticated"], ["authenticated"]):
            self.hub.heard.clear(), self.hub.sent.clear(), self.hub.happened.clear()
            self.again("authenticated", "authenticate")
            self.assertEqual([str(each) for each in self.hub.happened], happens)
        [asked], [answered] = self.hub.heard, self.hub.sent
        print(f"firmware.microcert.wire {len(asked) + len(answered)} B")

        self.board.type("sign 1500 kWh")
        self.wait(lambda: self.hub.signed, "a signature")
        self.assertEqual(self.hub.signed, [(Centre.BOARD_NAME, b"1500 kWh")])

        # A new seed, with a session that lives on.
        self.hub.centre.update(Centre.BOARD_NAME)
        self.again("seed", "authenticate")
        self.assertEqual((self.seed(), self.hub.device.generation), (1, 1))
        self.talk()
        self.board.said.clear()
        self.board.power_cut()
        self.session()
        self.assertEqual(self.seed(), 1)
        self.board.type("every 0")
        self.talk()
        stack = self.status()[2]
        self.assertLess(stack, STACK_MAX)
        print(f"firmware.microcert.stack {stack} B")

        # The end of it.
        self.hub.centre.revoke(Centre.BOARD_NAME)
        self.again("revoked", "authenticate")
        self.wait(lambda: self.hub.device.standing == "killed", "the seed's end")
        self.board.said.clear()
        self.board.reset()
        self.wait(lambda: self.board.values("revoked"), "a seed that stays killed")

    def test_a_centre_that_forgets_its_sessions(self):
        self.up()
        self.talk()
        self.hub.restart()
        self.again("session", "connect")
        self.session()
        self.talk()

    def test_strangers(self):
        """What is no invitation is refused; later, what is nobody's is dropped."""
        self.wait(lambda: self.board.values("unenrolled"))
        self.board.send(bytes(60))
        self.wait(lambda: self.board.values("refused"), "a refusal")
        self.up()
        self.board.send(bytes([0x15, 0x21]) + bytes(40))
        self.board.send(self.hub.sent[-1])
        self.talk()


class Cut(Microcert):
    def test_in_an_authentication(self):
        self.up()

        for how in (self.board.reset, self.board.power_cut):
            with self.subTest(how=how.__name__):
                self.talk()
                self.board.said.clear()
                self.cut_after(1, how)
                self.board.type("connect")
                self.over("authentication")
                self.session()
                self.talk()

    def test_while_it_is_enrolled(self):
        """At the seed, at the state, at the confirmation."""
        self.wait(lambda: self.board.values("unenrolled"))
        for word in (500, 1200, 1500, 2340, 3000):
            self.board.said.clear()
            self.board.type(f"cut {word}")
            if self.hub.device is None:
                self.hub.invite()
            self.wait(lambda: self.board.values("boot"), "a cut")
            self.board.type("every 0")
            self.wait(lambda: self.board.values("unenrolled") or self.board.values("seed"), "a start")
            if self.board.values("seed"):
                break
        if self.board.values("unenrolled"):
            self.hub.invite()
        self.session()
        self.talk()
        self.assertTrue(self.hub.device)

    def test_while_a_seed_is_replaced(self):
        """At each of the writes; both go on, with one of the two seeds."""
        self.up()
        for word in (700, 1600, 2500, 3700, 4500):
            with self.subTest(word=word):
                self.talk()
                self.board.said.clear()
                self.hub.centre.update(Centre.BOARD_NAME)
                self.board.type(f"cut {word}")
                self.board.type("authenticate")
                if self.hub.until(lambda: self.board.values("boot"), 8):
                    self.board.type("every 0")
                    self.session()
                else:  # all was written before
                    self.board.reset()
                    self.session()
                    self.board.type("every 0")
                self.again("authenticated", "authenticate")
                self.hub.until(lambda: self.seed() == self.hub.device.generation, 10)
                self.assertEqual(self.seed(), self.hub.device.generation)
                self.talk()
        self.assertGreater(self.seed(), 0)
