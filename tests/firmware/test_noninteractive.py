"""The example firmware with a self-certified key and the Python hub: split issue over the line, a handshake, epochs without a
message, a board that slept through some, resets and power cuts, revocation."""

import time

import iotkm
from device import Scheme
from hub import CredentialHub, Office

STACK_MAX = 10240
INTERVAL = CredentialHub.INTERVAL


class Noninteractive(Scheme):
    IMAGE = "noninteractive.elf"

    def hub_of(self, board):
        self.office = Office()
        return CredentialHub(board, self.office)

    def provision(self):
        keys = f"{self.office.operator.key.hex()} {bytes(self.office.operator.lists).hex()}"
        self.board.type(f"provision {CredentialHub.BOARD_NAME} {CredentialHub.NAME} {Office.NAME} {keys}")

    def up(self):
        self.provision()
        self.session()

    def epoch(self):
        """The board's."""
        before = len(self.board.values("epoch"))
        self.board.type("epoch")
        self.wait(lambda: len(self.board.values("epoch")) > before, "epoch")
        return int(self.board.values("epoch")[-1])

    @staticmethod
    def lags(datagrams):
        """How many of these are LAG: message 5 of this scheme, 26 bytes."""
        return sum(len(data) == 26 and data[0] == 0x12 and data[1] >> 4 == 5 for data in datagrams)

    def back(self):
        """The board goes on where it was."""
        resumed = len(self.board.values("resumed"))
        self.wait(lambda: len(self.board.values("resumed")) > resumed, "resume")
        self.board.type("every 0")


class Life(Noninteractive):
    def test_the_whole_of_it(self):
        self.wait(lambda: self.board.values("unprovisioned"))
        self.up()
        self.assertEqual(self.board.values("session")[-1], self.hub.association.fingerprint)
        self.assertEqual(self.hub.association.assurance.authenticated, "holder")
        self.talk()

        # Epochs go by on both sides, and nothing is said.
        first = self.epoch()
        self.hub.heard.clear(), self.hub.sent.clear()
        self.hub.until(lambda: False, 3 * INTERVAL)
        self.assertGreaterEqual(self.epoch(), first + 2)
        self.assertLessEqual(abs(self.epoch() - self.hub.association.epoch), 1)
        self.assertEqual((self.hub.heard, self.hub.sent), ([], []))
        self.talk()

        # A board that was off for a while: the hub's epoch is a later one.
        self.board.kill()
        time.sleep(3 * INTERVAL)
        self.board.start()
        self.back()
        self.talk()
        self.assertLessEqual(abs(self.epoch() - self.hub.association.epoch), 1)
        self.assertEqual(len(self.board.values("session")), 1)

        stack = self.status()[2]
        self.assertLess(stack, STACK_MAX)
        print(f"firmware.noninteractive.stack {stack} B")

    def test_a_board_that_lags(self):
        """Its clock has fallen behind: whoever speaks first, LAG says so, and the board is where the hub is, in the same session."""
        self.up()
        speaks = {
            "hub": lambda: self.hub.send(b"from ahead"),
            "board": lambda: self.board.type("send late"),
        }
        for who, speak in speaks.items():
            with self.subTest(first=who):
                self.talk()
                self.hub.heard.clear(), self.hub.sent.clear()
                self.hub.ahead += 10 * INTERVAL * 1000
                self.hub.until(lambda: False, 0.2)
                self.assertGreater(self.hub.association.epoch, self.epoch() + 5)
                self.assertEqual((self.lags(self.hub.heard), self.lags(self.hub.sent)), (0, 0))
                speak()
                self.wait(lambda: self.lags(self.hub.sent), "the hub's LAG")
                self.assertEqual(self.lags(self.hub.heard) > 0, who == "hub")
                self.wait(lambda: abs(self.epoch() - self.hub.association.epoch) <= 1, "one epoch")
                self.talk()
        self.assertEqual(len(self.board.values("session")), 1)
        self.assertEqual(self.board.values("resumed"), [])

    def test_a_hub_that_forgets(self):
        self.up()
        self.hub.forget()
        sessions = len(self.board.values("session"))
        self.board.type("connect")
        self.wait(lambda: len(self.board.values("session")) > sessions, "another session")
        self.talk()

    def test_a_list(self):
        self.up()
        self.hub.send(bytes(self.office.revoke()))
        self.wait(lambda: self.board.values("list") == ["1"], "the list")
        self.talk()
        self.hub.send(bytes(self.office.revoke(self.hub.holder.credential)))
        self.wait(lambda: self.board.values("ended"), "end")

    def test_a_revoked_board_is_turned_away(self):
        self.up()
        sessions = len(self.board.values("session"))
        self.hub.refuse(self.hub.association.peer.credential)
        self.wait(lambda: self.hub.seen(iotkm.Terminated), "end")
        self.board.type("connect")
        self.wait(lambda: self.board.values("hint"), "a refusal")
        self.board.reset()
        self.hub.until(lambda: False, 2)
        self.assertEqual(len(self.board.values("session")), sessions)
        self.assertEqual(self.board.values("resumed"), [])
        self.assertFalse(self.hub.association.is_established)


class Cut(Noninteractive):
    def test_in_a_handshake(self):
        self.up()

        def cut(datagram, how):
            self.talk()
            self.board.said.clear()
            self.cut_after(datagram, how)
            self.board.type("connect")
            self.over("handshake")
            self.talk()
        self.each(2, cut)

    def test_in_a_resume(self):
        self.up()

        def cut(datagram, how):
            self.talk()
            self.cut_after(datagram, how)
            self.board.reset()
            self.board.said.clear()
            self.over("resume")
            self.talk()
        self.each(2, cut)

    def test_while_it_is_provisioned(self):
        """At the board's name, its half, its key and its credential."""
        for word in (1030, 2070, 3100, 4150):
            self.board.said.clear()
            self.board.type(f"cut {word}")
            self.provision()
            self.wait(lambda: self.board.values("boot"), "a cut")
            self.board.type("every 0")
            if word < 2000:
                self.wait(lambda: self.board.values("unprovisioned"), "nothing stored")
            if self.board.values("credential"):
                break
        self.provision()
        self.session()
        self.talk()
