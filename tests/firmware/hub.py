"""The hub at the other end of a board's radio: the Python package, with its state in a dictionary."""

import os
import time

import iotkm

BOARD = b"radio"  # the board's address: there is one line
HUB, ATTEMPTS = 1, 2  # slots
SECRET = "correct horse"


class Hub:
    """Answers each message with its echo, so that both sides have what key updates are made from.

    `before_datagram`, where set, is called with each datagram from the board before the hub sees it."""

    def __init__(self, board):
        self.board = board
        self.platform = iotkm.Platform(os.urandom(32), place=b"hall")
        self.stored, self.events, self.messages = {}, [], []
        self.before_datagram = None
        self.pairing = self.history = None
        self._wake_at = {}

    # What a user does.

    def listen(self):
        """Opens the window for a minute."""
        self.pairing = iotkm.Pairing(self.platform, own_id=b"hub", peer_slot=HUB, attempts_slot=ATTEMPTS, suite=iotkm.SUITE_4)
        self.pairing.listen(iotkm.prepare_secret(SECRET), window_ms=60_000)

    def send(self, text):
        datagram = self.history.send(text)
        self.board.send(datagram.data)

    def update(self):
        self.history.update()

    def restart(self):
        """Forgets all that is not stored."""
        self.pairing = None
        self._open(iotkm.Peer.restore(self.platform, slot=HUB, blob=self.stored[HUB]))

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

    def _open(self, peer):
        self.history = iotkm.History(self.platform, peer)

    def _turn(self):
        self._drain()
        now, wakes = self.platform.now(), [at for at in self._wake_at.values() if at is not None]
        wait = min([20, *(max(at - now, 0) for at in wakes)]) / 1000
        datagram = self.board.receive(timeout=wait)
        if datagram is not None:
            if self.before_datagram:
                self.before_datagram(datagram)
            self._take(datagram)
        for association in self._associations():
            association.handle_timeout()
        self._drain()

    def _associations(self):
        return [association for association in (self.pairing, self.history) if association]

    def _take(self, datagram):
        for association in self._associations():
            received = association.handle_input(BOARD, datagram)
            self._drain()
            if received:
                self.messages.append(received.payload)
                if association.is_established:  # no longer, while the keys change
                    self.send(received.payload)

    def _drain(self):
        for association in self._associations():
            while not isinstance(output := association.poll(), iotkm.Idle):
                match output:
                    case iotkm.Datagram(_, data):
                        self.board.send(data)
                    case iotkm.Persist(slot, _, data):
                        self.stored[slot] = data
                        association.persisted(slot)
                    case iotkm.Event():
                        self.events.append(output)
                        if isinstance(output, iotkm.Paired):
                            self._open(association.take_peer())
            self._wake_at[association] = output.wake_at
