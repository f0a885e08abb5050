"""The example firmware with tickets and the Python hub: provisioning, both phases, data, ping, renewal, revocation, and a board
that is reset or loses its power in the middle of each."""

import os

import iotkm
from device import Scheme
from hub import Agent, TicketHub

STACK_MAX = 10240
M1, M3, K1, K3, K4 = 1, 3, 5, 7, 8
REFERENCE_M1_MAX = 64  # bytes: without a ticket
ALONE = 18  # bytes of K3 and K4 without data


class Interactive(Scheme):
    IMAGE = "interactive.elf"

    def hub_of(self, board):
        self.agent = Agent()
        return TicketHub(board, self.agent)

    def provision(self, key=None):
        key = bytes(key or self.agent.key.public_key).hex()
        self.board.type(f"provision {TicketHub.BOARD_NAME} {TicketHub.NAME} {Agent.NAME} {key}")

    def up(self):
        self.provision()
        self.session()

    def again(self, line):
        """A new session."""
        sessions = len(self.board.values("session"))
        self.board.type(line)
        self.wait(lambda: len(self.board.values("session")) > sessions, line)

    @staticmethod
    def those(datagrams, number):
        """The scheme's messages of this number."""
        return [data for data in datagrams if data[0] == 0x11 and data[1] >> 4 == number]

    def boards_ticket(self):
        return self.agent.issued[-1]

    def acknowledged(self, what):
        self.wait(lambda: self.hub.answers, what)
        return self.hub.answers.pop()


class Life(Interactive):
    def test_the_whole_of_it(self):
        self.wait(lambda: self.board.values("unprovisioned"))
        self.up()
        self.assertEqual(self.hub.request.device, TicketHub.BOARD_NAME)
        self.assertEqual(self.hub.association.assurance.authenticated, "holder")
        self.assertEqual(self.board.values("session")[-1], self.hub.association.fingerprint)
        self.assertEqual(self.hub.association.peer.ticket, self.boards_ticket())
        self.assertGreater(len(self.those(self.hub.heard, M1)[0]), len(bytes(self.boards_ticket())))
        self.talk()

        # Phase 1 by reference.
        self.hub.heard.clear()
        self.again("authenticate")
        self.assertLess(len(self.those(self.hub.heard, M1)[0]), REFERENCE_M1_MAX)
        self.assertEqual(len(self.those(self.hub.heard, M3)), 1)
        self.talk()

        # Phase 2 from either side, no ticket and no static key in it.
        self.hub.heard.clear()
        self.again("connect")
        self.talk()
        sessions = len(self.board.values("session"))
        self.hub.association.connect(b"radio")
        self.wait(lambda: len(self.board.values("session")) > sessions, "the hub's run")
        self.talk()
        self.assertEqual(self.those(self.hub.heard, M1), [])

        # Is anybody there?
        self.board.type("ping")
        self.wait(lambda: self.board.values("alive"), "ping")
        self.hub.association.ping(b"radio")
        self.wait(lambda: self.hub.seen(iotkm.PeerAlive), "the hub's ping")

        stack = self.status()[2]
        self.assertLess(stack, STACK_MAX)
        print(f"firmware.interactive.stack {stack} B")

    def test_data_in_messages_3_and_4(self):
        self.up()
        self.board.type("close")
        self.wait(lambda: self.board.values("ended") and not self.hub.association.is_established, "end")
        self.hub.heard.clear(), self.hub.sent.clear()
        self.board.type("send first words")
        self.again("connect")
        self.wait(lambda: self.board.values("heard") == [b"first words".hex()], "the echo")
        self.assertEqual(self.hub.messages, [b"first words"])
        for direction, number in ((self.hub.heard, K3), (self.hub.sent, K4)):
            self.assertEqual([len(data) > ALONE for data in self.those(direction, number)], [True])
        self.assertEqual(len(self.hub.heard), 2)

    def test_keys_are_renewed_by_themselves(self):
        self.up()
        self.board.type("every 30")
        self.wait(lambda: len(self.hub.messages) >= 60 and len(self.board.values("keys")) >= 3, "readings and new keys")
        self.board.type("every 0")
        self.talk()

    def test_renewal_and_a_list(self):
        self.up()
        first = self.boards_ticket()
        fingerprint = self.hub.association.fingerprint
        self.hub.push(self.hub.next_ticket())
        said = self.acknowledged("the next ticket")
        self.assertEqual(said.ticket, self.boards_ticket().reference)
        self.assertEqual(self.board.values("ticket"), [str(first.serial), str(self.boards_ticket().serial)])
        self.wait(lambda: self.hub.association.peer.ticket == self.boards_ticket(), "the board's ticket for the hub")
        self.hub.push(self.agent.revoke(first))
        self.assertEqual(self.acknowledged("the list").list_number, 1)
        self.talk()
        self.assertEqual(self.hub.association.fingerprint, fingerprint)

        # What the agent did not sign is refused, and nothing changes.
        stranger = Agent()
        self.hub.push(stranger.answer(self.hub.request))
        self.assertIsInstance(self.acknowledged("a refusal"), iotkm.Refusal)
        self.assertEqual(len(self.board.values("refused")), 1)

        # All of it is stored.
        self.board.power_cut()
        self.wait(lambda: self.board.values("resumed"), "resume")
        self.assertEqual(self.board.values("ticket")[-1], str(self.boards_ticket().serial))
        self.assertEqual(self.board.values("list"), ["1", "1"])
        self.board.type("every 0")
        self.talk()

    def test_a_revoked_board_is_turned_away(self):
        self.up()
        self.talk()
        sessions = len(self.board.values("session"))
        self.hub.refuse(self.boards_ticket())
        self.wait(lambda: self.hub.seen(iotkm.Terminated), "end")
        self.board.type("authenticate")
        self.wait(lambda: self.board.values("hint"), "a refusal")
        self.board.reset()
        self.hub.until(lambda: False, 2)
        self.board.type("authenticate")
        self.wait(lambda: len(self.board.values("hint")) > 1, "another refusal")
        self.assertFalse(self.hub.association.is_established)
        self.assertEqual(len(self.board.values("session")), sessions)
        self.assertEqual(self.board.values("resumed"), [])

    def test_a_revoked_hub_is_left(self):
        self.up()
        self.hub.push(self.agent.revoke(self.hub.wallet.ticket))
        self.wait(lambda: self.board.values("ended"), "end")
        sessions = len(self.board.values("session"))
        self.board.type("authenticate")
        self.hub.until(lambda: False, 2)
        self.assertEqual(len(self.board.values("session")), sessions)

    def test_another_agents_tickets_are_not_taken(self):
        self.provision(Agent().key.public_key)
        self.wait(lambda: self.board.values("refused"), "a refusal")
        self.wait(lambda: len(self.agent.issued) > 2, "another request")
        self.assertEqual(self.board.values("ticket"), [])

    def test_a_hub_that_forgets(self):
        self.up()
        self.hub.restart()
        self.again("connect")
        self.talk()
        self.hub.forget()
        self.again("authenticate")
        self.talk()


class Cut(Interactive):
    def test_in_a_first_contact(self):
        """In asking for a ticket, in phase 1 and in phase 2, of a board that nobody has used yet."""
        def cut(datagram, how):
            self.board.kill()
            os.remove(self.board.flash)
            self.board.said.clear()
            self.board.start()
            self.hub = self.hub_of(self.board)
            self.wait(lambda: self.board.values("unprovisioned"))
            self.board.type("every 0")
            self.cut_after(datagram, how)
            self.provision()
            self.wait(lambda: self.left <= 0, "a cut")
            self.board.said.clear()
            self.over("first contact")
            self.session()
            self.talk()
        self.each(5, cut)

    def test_in_a_phase_2(self):
        self.up()

        def cut(datagram, how):
            self.talk()
            self.board.said.clear()
            self.cut_after(datagram, how)
            self.board.type("connect")
            self.over("phase 2")
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

    def test_while_a_ticket_is_stored(self):
        """The power fails at a word of the flash: the sector is erased, the ticket written, and what puts it in force."""
        self.up()
        for word in (3, 1030, 1100):
            with self.subTest(word=word):
                self.talk()
                ticket = self.hub.next_ticket()
                self.board.said.clear()
                self.board.type(f"cut {word}")
                self.hub.push(ticket)
                self.wait(lambda: self.board.values("boot"), "a cut")
                self.board.type("every 0")
                self.talk()
                self.assertEqual(self.hub.answers, [])
                self.assertNotIn(str(ticket.serial), self.board.values("ticket"))
                self.hub.push(ticket)
                self.assertEqual(self.acknowledged("the ticket").ticket, ticket.reference)

    def test_while_it_is_provisioned(self):
        """At the name of the board, its key and its ticket."""
        for word in (1030, 2070, 3100):
            self.board.said.clear()
            self.board.type(f"cut {word}")
            self.provision()
            self.wait(lambda: self.board.values("boot"), "a cut")
            self.board.type("every 0")
            if word < 2000:
                self.wait(lambda: self.board.values("unprovisioned"), "nothing stored")
        self.session()
        self.talk()
