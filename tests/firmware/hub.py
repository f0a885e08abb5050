"""The hub at the other end of a board's radio: the Python package, with its state in a dictionary."""

import os
import time

import iotkm
from iotkm.authority import Cost
from iotkm.centre import AuthCenter, FileKeyStore, Served, SqliteSeedStore

BOARD = b"radio"  # the board's address: there is one line
HUB, ATTEMPTS = 1, 2  # slots
SECRET = "correct horse"
CBOR_ARRAY = 4  # in the upper three bits of a first byte: a message between agent, operator and device


class Hub:
    """Answers each message with its echo, so that both sides have what key updates are made from.

    `before_datagram`, where set, is called with each datagram from the board before the hub sees it."""

    def __init__(self, board, keys=None):
        self.board = board
        self.ahead = 0  # ms by which its clock runs before the board's
        self.platform = iotkm.Platform(os.urandom(32), place=b"hall", keys=keys, clock=self._clock)
        self.stored, self.events, self.messages = {}, [], []
        self.before_datagram = None
        self.association = None
        self.heard, self.sent = [], []  # datagrams
        self._replies, self._wake_at = [], {}

    def _clock(self):
        return time.monotonic_ns() // 1_000_000 + self.ahead

    # What a user does.

    def send(self, text):
        self._out(self.association.send(text).data)

    def restart(self):
        """Forgets all that is not stored."""
        raise NotImplementedError

    def seen(self, kind):
        return [event for event in self.events if isinstance(event, kind)]

    # The main loop.

    def until(self, condition, timeout=30.0):
        """Serves the board until `condition` holds; whether it does."""
        deadline = time.monotonic() + timeout
        while not condition():
            if time.monotonic() > deadline:
                return False
            self._turn()
        return True

    def _turn(self):
        self._drain()
        now, wakes = self.platform.now(), [at for at in self._wake_at.values() if at is not None]
        wait = min([20, *(max(at - now, 0) for at in wakes)]) / 1000
        datagram = self.board.receive(timeout=wait)
        if datagram is not None:
            self.heard.append(datagram)
            if self.before_datagram:
                self.before_datagram(datagram)
            self._take(datagram)
        for association in self._associations():
            association.handle_timeout()
        self._drain()

    def _out(self, data):
        self.sent.append(data)
        self.board.send(data)

    def _associations(self):
        return [self.association] if self.association else []

    def _take(self, datagram):
        for association in self._associations():
            received = association.handle_input(BOARD, datagram)
            if received:
                self._payload(received.payload)
            self._drain()

    def _payload(self, payload):
        self.messages.append(payload)
        self._replies.append(payload)

    def _drain(self):
        for association in self._associations():
            self._reply()
            while not isinstance(output := association.poll(), iotkm.Idle):
                match output:
                    case iotkm.Datagram(_, data):
                        self._out(data)
                    case iotkm.Persist(slot, _, data):
                        self.stored[slot] = data
                        association.persisted(slot)
                    case iotkm.Event():
                        self.events.append(output)
                        self._event(association, output)
                self._reply()
            self._wake_at[association] = output.wake_at
        self._replies.clear()  # what did not get through: the keys change

    def _reply(self):
        """As soon as it may be said: what waits goes with the last message of a run in one datagram."""
        try:
            while self._replies and self.association.is_established:
                self.send(self._replies[0])
                self._replies.pop(0)
        except iotkm.UndrainedError:
            pass

    def _event(self, association, event):
        pass


class PairedHub(Hub):
    """The history scheme."""

    def __init__(self, board):
        super().__init__(board)
        self.pairing = None

    def listen(self):
        """Opens the window for a minute."""
        self.pairing = iotkm.Pairing(self.platform, own_id=b"hub", peer_slot=HUB, attempts_slot=ATTEMPTS, suite=iotkm.SUITE_4)
        self.pairing.listen(iotkm.prepare_secret(SECRET), window_ms=60_000)

    def update(self):
        self.association.update()

    def restart(self):
        self.pairing = None
        self.association = iotkm.History(self.platform, iotkm.Peer.restore(self.platform, slot=HUB, blob=self.stored[HUB]))

    def _associations(self):
        return [association for association in (self.pairing, self.association) if association]

    def _event(self, association, event):
        if isinstance(event, iotkm.Paired):
            self.association = iotkm.History(self.platform, association.take_peer())


class Agent:
    """Gives out tickets."""

    NAME = "acme"

    def __init__(self):
        self.key = iotkm.SigningKey("EdDSA", os.urandom(32))
        self._numbers = iotkm.TicketAgent(self.NAME)
        self._platform = iotkm.Platform(os.urandom(32))
        self._persist()
        self.issued = []

    def _persist(self):
        self._numbers.seal(self._platform)
        self._numbers.persisted()

    def answer(self, request):
        now = int(time.time())
        self.issued.append(self._numbers.issue(self.key, request, now=now))
        return self.issued[-1]

    def revoke(self, *tickets):
        return self._numbers.revoke(self.key, sorted(ticket.serial for ticket in tickets), now=int(time.time()))


class TicketHub(Hub):
    """The interactive scheme. The hub's line goes to the agent too: it hands the board's request on, and the answer back."""

    NAME, BOARD_NAME = "hub", "lamp-7"

    def __init__(self, board, agent):
        key = iotkm.StaticKey("x25519", os.urandom(32))
        super().__init__(board, keys={0: key})
        self.agent = agent
        self.wallet = iotkm.Wallet(self.platform, device=self.NAME, agent=agent.NAME, key=agent.key.public_key)
        self.wallet.install(agent.answer(iotkm.TicketRequest(self.NAME, "x25519", key.public_key, lifetime=86_400)))
        self.request, self.answers = None, []
        self._open(iotkm.TicketPeer.named(slot=HUB, own_id=self.NAME, id=self.BOARD_NAME))

    def restart(self):
        self._open(iotkm.TicketPeer.restore(self.platform, slot=HUB, blob=self.stored[HUB]))

    def forget(self):
        """As restart(), without what is stored."""
        self._open(iotkm.TicketPeer.named(slot=HUB, own_id=self.NAME, id=self.BOARD_NAME))

    def _open(self, peer):
        self._wake_at.clear()
        self.association = iotkm.Interactive(self.platform, peer, self.wallet, suites=[iotkm.SUITE_4])

    def push(self, message):
        """A ticket or a list to the board; what it answers comes into `answers`."""
        self.send(iotkm.write_ticket_message(message))

    def next_ticket(self):
        return self.agent.answer(self.request)

    def refuse(self, *tickets):
        """From now on the hub takes none of these."""
        self.wallet.revoke(self.agent.revoke(*tickets))
        self.association.recheck()

    def _take(self, datagram):
        if datagram[0] >> 5 != CBOR_ARRAY:
            super()._take(datagram)
            return
        self.request = iotkm.read_ticket_message(datagram)
        self._out(iotkm.write_ticket_message(self.agent.answer(self.request)))

    def _payload(self, payload):
        if payload[0] >> 5 == CBOR_ARRAY:
            self.answers.append(iotkm.read_ticket_message(payload))
        else:
            super()._payload(payload)


class Office:
    """Gives out credentials: the operator."""

    NAME = "acme"
    SUITE = iotkm.SUITE_4

    def __init__(self):
        self.lists = iotkm.SigningKey("EdDSA", os.urandom(32))
        self._platform = iotkm.Platform(os.urandom(32))
        self.key = iotkm.OperatorKey.generate(self._platform, suite=self.SUITE)
        self._numbers = iotkm.TicketAgent(self.NAME)
        self._numbers.seal(self._platform)
        self._numbers.persisted()
        self.operator = iotkm.CredentialOperator(
            self.NAME, key=self.key.public_key, lists=self.lists.public_key, suite=self.SUITE)

    def answer(self, request):
        return self.key.issue(self._platform, self._numbers, request, now=int(time.time()), life=1000)

    def revoke(self, *credentials):
        return self._numbers.revoke(self.lists, sorted(each.serial for each in credentials), now=int(time.time()))


class CredentialHub(Hub):
    """The noninteractive scheme. The hub's line goes to the operator too, until the board has its credential."""

    NAME, BOARD_NAME, INTERVAL = "hub", "lamp-7", 1
    VERSION = 1  # in the upper half of every datagram's first byte

    def __init__(self, board, office):
        super().__init__(board)
        self.office = office
        self.holder = iotkm.Holder(self.platform, device=self.NAME, operator=office.operator)
        asked = iotkm.CredentialRequest(self.platform, self.NAME, suite=office.SUITE)
        credential, key = self.holder.accept(asked, office.answer(asked.request))
        self.platform.set_key(0, key)
        self.holder.install(credential)
        self.asked = 0
        self.forget()

    def forget(self):
        self._open(iotkm.CredentialPeer.named(slot=HUB, own_id=self.NAME, id=self.BOARD_NAME, suite=self.office.SUITE))

    def restart(self):
        blob = self.stored[HUB]
        self._open(iotkm.CredentialPeer.restore(self.platform, slot=HUB, blob=blob, suite=self.office.SUITE))

    def _open(self, peer):
        self._wake_at.clear()
        self.association = iotkm.Noninteractive(self.platform, peer, self.holder, interval=self.INTERVAL, length=10_000)

    def refuse(self, *credentials):
        """From now on the hub takes none of these."""
        self.holder.revoke(self.office.revoke(*credentials))
        self.association.recheck()

    def _take(self, datagram):
        if datagram[0] >> 4 == self.VERSION:
            super()._take(datagram)
            return
        self.asked += 1
        self._out(self.office.answer(datagram))


class Centre(Hub):
    """The microcert scheme: a centre with one device, and its end of their session."""

    NAME, BOARD_NAME = b"city", b"lamp-7"

    def __init__(self, board, folder):
        super().__init__(board)
        self.platform = iotkm.Platform(os.urandom(32), clock=self._clock, wall=self._wall)
        self.keys = FileKeyStore.create(os.path.join(folder, "keys"), b"correct horse", cost=Cost(1, 64, 1))
        self.store = SqliteSeedStore.create(os.path.join(folder, "centre.db"), self.keys)
        self.happened = []  # the centre's events
        self.signed = []
        self.restart()

    def close(self):
        self.store.close()
        self.keys.close()

    def restart(self):
        self._wake_at.clear()
        self.association = None
        self.centre = AuthCenter(self.platform, self.NAME, self.store, self.keys, shares=64, answers=4)

    def _wall(self):
        return time.time_ns() // 1_000_000 + self.ahead

    @property
    def device(self):
        return self.centre.device(self.BOARD_NAME)

    def invite(self):
        self._out(self.centre.invite(self.BOARD_NAME, suite=iotkm.SUITE_4_SYMMETRIC))

    def _take(self, datagram):
        if datagram[0] == 1:  # a deposit
            self._out(self.centre.enrol(datagram)[1])
            return
        handled = self.centre.handle_input(BOARD, datagram)
        if handled.reply:
            self._out(handled.reply)
        if handled.event:
            self.happened.append(handled.event)
        if handled.session:
            self._wake_at.clear()
            self.association = Served(self.platform, handled.session)
            self._drain()
        elif not handled.event:
            super()._take(datagram)

    def _payload(self, payload):
        length = 2 + len(self.BOARD_NAME) + 17 + 32 + 16
        signed = self.centre.verify(payload[:length], payload[length:]) if len(payload) > length else None
        if signed:
            self.signed.append((signed.id, payload[length:]))
        else:
            super()._payload(payload)
