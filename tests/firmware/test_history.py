"""The example firmware and the Python hub: pairing, exchange, data, key update, and a board that is reset or loses its power in
the middle of each."""

import re

import iotkm
from device import Scheme
from hub import SECRET, PairedHub

PAIRING_STACK_MAX = 9216
SYMMETRIC_OR_X25519_STACK_MAX = 6144


class History(Scheme):
    IMAGE = "history.elf"

    def hub_of(self, board):
        return PairedHub(board)

    def setUp(self):
        super().setUp()
        self.wait(lambda: self.board.values("unpaired"))

    def pair(self):
        """As users do: again, if one side is not content."""
        self.hub.listen()
        paired = len(self.board.values("paired"))
        self.board.type(f"pair {SECRET}")
        self.wait(lambda: len(self.board.values("paired")) > paired or self.board.values("pairing-failed"), "pairing")
        self.assertEqual(self.board.values("pairing-failed"), [])

    def same_keys(self):
        generation = self.hub.association.peer.generation
        said = self.board.values("keys")
        self.assertEqual(int(said[-1]) if said else 0, generation)
        return generation


class Life(History):
    def test_the_whole_of_it(self):
        self.pair()
        self.session()
        self.assertEqual(self.board.values("paired")[-1], self.hub.association.peer.fingerprint)
        self.assertEqual(self.board.values("session")[-1], self.hub.association.fingerprint)
        pairing_stack = self.status()[2]
        self.assertLess(pairing_stack, PAIRING_STACK_MAX)

        for _ in range(6):
            self.talk()
        self.board.type("update")
        self.wait(lambda: self.board.values("keys") == ["1"] and self.hub.association.peer.generation == 1, "update")
        self.talk()
        for _ in range(5):
            self.talk()
        self.hub.update()
        self.wait(lambda: self.board.values("keys") == ["1", "2"] and self.hub.association.peer.generation == 2, "update")
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
        self.wait(lambda: len(self.hub.messages) >= 40 and self.hub.association.peer.generation >= 1, "readings and new keys")
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
            self.wait(lambda: not self.hub.association.is_established, "end")
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
            generation = self.hub.association.peer.generation
            self.board.said.clear()
            self.cut_after(datagram, how)
            start()
            self.over("update")
            self.talk()
            self.assertIn(self.hub.association.peer.generation, (generation, generation + 1))
        self.each(4, cut)
