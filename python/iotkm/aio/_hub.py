"""This device and its peers."""

import asyncio
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import Literal, Self

import iotkm
from iotkm import (
    Credential,
    CredentialPeer,
    Established,
    Event,
    Failed,
    History,
    Holder,
    Interactive,
    IotkmError,
    Noninteractive,
    Pairing,
    PeerMoved,
    Platform,
    Received,
    Rekeyed,
    Resumed,
    Stage,
    StaticKey,
    Suite,
    Terminated,
    TicketPeer,
    Triple,
    Wallet,
    inspect,
    prepare_secret,
)
from iotkm.aio._driver import Driver
from iotkm.aio._kept import Kept
from iotkm.aio._keys import Keys
from iotkm.aio._peer import Address, Peer, Waiters, paired
from iotkm.storage import Directory, Storage

_log = logging.getLogger("iotkm.aio")

_ATTEMPTS = 0
"""Slot of the failed pairing attempts, and the place of the pairing. A peer's place is its slot's number, from 1 on."""
_SESSIONS = 0x8000
"""A peer's session is stored in its own slot and this."""
_WALLET = _ATTEMPTS | _SESSIONS
"""Slot of the wallet."""
_HOLDER = 0xFFFF
"""Slot of the holder."""


class Hub(Driver):
    """This device: a UDP socket, a storage, and the peers that it knows. To be used as ``async with``.

    Args:
        storage: where state lies: the path of a folder (then a `Directory`, open until the hub is closed), or an open
            storage.
        own_id: this device's id, 1 to 16 bytes, unique among one user's devices.
        bind: address and port to receive on; port 0: any.
        capacity: how many peers it can know, at most 32766. A session is resumed after a restart only under the same one.
            Slots above it, to 32767, are the application's: a `StaticKey.seal`, say.
        suite: of new pairings; both sides must name the same.
        place: location information, at most 32 bytes; sent and logged with each message.
        platform: the surroundings, for who has their own clock or randomness; its device secret is then not the storage's.
        on_event: called with every event and the peer that it is of (``None``: a pairing).
        log: messages that each peer's log holds.
        mtu: the longest datagram in bytes.
        tries: how often a message is sent before giving up.
        wallet: this device's tickets, of the same platform, for peers with tickets. The hub stores it: give it one that was
            just made, and what was stored comes back into it; what is taken in later is stored by itself.
        suites: for these, this side's favourite first.
        holder: this device's credential, likewise, for peers with credentials.
        epochs: of these, where this side connects: the length of an epoch in seconds, and after how many there has to be
            another handshake.
        keys: the slots of the platform's static keys, for both: of the ticket or credential, and of the next one.
        key_slots: two slots of the storage where `install` keeps the private keys of this device's credentials; from there they
            come into the platform's two (`keys`) at the start. ``None``: the application does that.
    """

    def __init__(
        self,
        storage: Storage | str | os.PathLike[str],
        *,
        own_id: bytes,
        bind: Address = ("0.0.0.0", 0),
        capacity: int = 1024,
        suite: Suite | None = None,
        place: bytes = b"",
        platform: Platform | None = None,
        on_event: Callable[[Peer | None, Event], None] | None = None,
        log: int = 48,
        mtu: int = 1200,
        tries: int = 24,
        wallet: Wallet | None = None,
        suites: Sequence[Suite] | None = None,
        holder: Holder | None = None,
        epochs: tuple[int, int] = (3600, 8760),
        keys: tuple[int, int] = (0, 0),
        key_slots: tuple[int, int] | None = None,
    ) -> None:
        if not 1 <= capacity < _SESSIONS - 1:
            raise iotkm.BadArgumentError(f"capacity is 1 to {_SESSIONS - 2}")
        if key_slots is not None and (len({*keys}) != 2 or len({s for s in key_slots if capacity < s < _SESSIONS}) != 2):
            raise iotkm.BadArgumentError(f"key_slots are two of {capacity + 1} to {_SESSIONS - 1}, and keys two of the platform")
        self._directory: Directory | None = None
        if isinstance(storage, str | os.PathLike):
            storage = self._directory = Directory(storage)
        self.own_id = own_id
        try:
            platform = platform or Platform(storage.device_secret(), place=place)
        except BaseException:
            self._close_directory()
            raise
        super().__init__(platform, storage, capacity + 1)
        self._private = None if key_slots is None else Keys(platform, keys, key_slots)
        self._bind = bind
        self._suite = suite
        self._on_event = on_event
        self._log, self._mtu, self._tries = log, mtu, tries
        self._wallet, self._suites = wallet, suites
        self._holder, self._epochs, self._keys = holder, epochs, keys
        self._kept = Kept(self._write_slot, {_WALLET: wallet, _HOLDER: holder})
        self._peers: dict[int, Peer] = {}
        self._by_association: dict[int, Peer] = {}
        self._resuming: set[int] = set()
        self._pairing: Pairing | None = None
        self._reserved: set[int] = set()
        self._pairing_waiters = Waiters()
        self._listeners: list[Callable[[Peer, Event], None]] = []
        self._takers: list[Callable[[Peer, Received], bool]] = []
        self.unreadable: dict[int, IotkmError] = {}
        """Slots whose state did not open, and why."""

    async def __aenter__(self) -> Self:
        await self._open(self._bind)
        try:
            await self._load()
        except BaseException:
            await self.__aexit__(None, None, None)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        was_open, self._closed = not self._closed, True
        if self._timer is not None:
            self._timer.cancel()
        await self._kept.end(was_open)
        await self._close()
        self._pairing_waiters.end()
        for peer in self._peers.values():
            peer._end()
        self._writer.shutdown()
        self._close_directory()

    def _close_directory(self) -> None:
        if self._directory is not None:
            self._directory.close()

    @property
    def peers(self) -> list[Peer]:
        """The peers that it knows."""
        return list(self._peers.values())

    def peer(self, id: bytes | str) -> Peer:
        """The peer with this id; of one with a ticket its name.

        Raises:
            KeyError: there is none.
        """
        sought = id.encode() if isinstance(id, str) else id
        for peer in self._peers.values():
            if peer.id == sought:
                return peer
        raise KeyError(id)

    def __iter__(self) -> Iterator[Peer]:
        return iter(self.peers)

    def __repr__(self) -> str:
        where = "closed" if self._transport is None or self._closed else "%s:%d" % self.address
        return f"<Hub {self.own_id!r} {where} {len(self._peers)} peers>"

    # ---- peers ----

    async def provision(self, id: bytes, triple: Triple, suite: Suite | None = None) -> Peer:
        """Takes in a peer whose triple came from elsewhere (a factory), and stores it.

        Raises:
            FullError: it knows as many peers as it can.
            BadArgumentError: the id is this device's, or not 1 to 16 bytes.
        """
        self._check_open()
        slot = self._free_slot()
        made = iotkm.Peer.provisioned(slot=slot, own_id=self.own_id, id=id, triple=triple, suite=suite or self._suite)
        return await self._take_in(slot, made)

    async def expect(
        self, id: str, psk: bytes | None = None, *, scheme: Literal["interactive", "noninteractive"] | None = None
    ) -> Peer:
        """Takes in a device that has a ticket of the wallet's agent, or a credential of the holder's operator, by its name,
        and stores it. From now on it may connect, and be connected to. One that is known already is returned as it is; of
        a device there is one association, so that the other scheme's goes.

        Args:
            id: its name.
            psk: 32 bytes from elsewhere that go into every first contact; both sides must have it.
            scheme: ``None``: tickets where this hub has a wallet, else credentials.

        Raises:
            WrongStateError: this hub has no wallet, or no holder.
            FullError: it knows as many peers as it can.
            BadArgumentError: the name is this device's, or not 1 to 32 bytes.
        """
        self._check_open()
        tickets = self._wallet is not None if scheme is None else scheme == "interactive"
        kind = Interactive if tickets else Noninteractive
        for peer in self._peers.values():
            if peer.id == id.encode() and isinstance(peer.association, kind):
                return peer
        slot = self._free_slot()
        made: TicketPeer | CredentialPeer
        if tickets:
            made = TicketPeer.named(slot=slot, own_id=self._with_wallet().device, id=id, psk=psk)
        else:
            own_id, suite = self._with_holder().device, self._credential_suite()
            made = CredentialPeer.named(slot=slot, own_id=own_id, id=id, psk=psk, suite=suite)
        return await self._take_in(slot, made)

    def _with_wallet(self) -> Wallet:
        if self._wallet is None:
            raise iotkm.WrongStateError("for devices with tickets: this hub has no wallet, give it one")
        return self._wallet

    def _with_holder(self) -> Holder:
        if self._holder is None:
            raise iotkm.WrongStateError("for devices with credentials: this hub has no holder, give it one")
        return self._holder

    def _credential_suite(self) -> Suite:
        suite = getattr(iotkm, self._with_holder().operator.suite)
        assert isinstance(suite, Suite)
        return suite

    async def recheck(self) -> None:
        """The wallet or the holder has changed: that is stored; then peers get this device's new ticket, and those whose
        tickets or credentials are revoked are turned away.

        Raises:
            OSError: the storage refuses it; nobody was told.
        """
        self._check_open()
        await self._kept.store()
        for peer in self.peers:
            if isinstance(peer.association, Interactive | Noninteractive):
                peer.association.recheck()
                self._pump()

    async def install(self, credential: Credential, key: StaticKey) -> None:
        """This device's credential, and its private key, as `Holder.accept` or `Holder.check` has found them to belong
        together: both are stored, the key first and beside the one in use. Peers there is a session with get to know it in a
        handshake; until that is through, and where it fails, what there is goes on under the old one until that ends.

        Raises:
            WrongStateError: this hub has no holder, or was not told where to keep keys (`key_slots`).
            TicketRefusedError: ``reason`` says why the credential is not taken.
            OSError: the storage refuses it; nobody was told.
        """
        self._check_open()
        holder = self._with_holder()
        if self._private is None:
            raise iotkm.WrongStateError("there is no place for private keys: give the hub key_slots")
        await self._private.store(holder, credential, key, self._write_slot)
        holder.install(credential)
        await self.recheck()
        for peer in self.peers:
            association = peer.association
            if isinstance(association, Noninteractive) and association.is_established and association.peer_addr is not None:
                try:
                    association.connect(association.peer_addr)
                except IotkmError as error:
                    _log.info("%r is not told of the new credential yet: %s", peer, error)
                self._pump()

    async def _take_in(self, slot: int, made: iotkm.Peer | TicketPeer | CredentialPeer) -> Peer:
        blob, _ = made.seal(self.platform)
        self._reserved.add(slot)
        try:
            await self._in_writer(self.storage.write, slot, blob)
            return await self._know(made)
        finally:
            self._reserved.discard(slot)

    async def listen(self, secret: str, *, window: float = 120.0) -> Peer:
        """Opens the pairing window for so many seconds and waits for the device that knows the same secret.

        With this call the user states that both devices are off the network. One pairing at a time.

        Raises:
            FailedError: nobody came, or five attempts with another secret.
            LockedError: there were five failed attempts before: ask the user, then `unlock`.
            BadArgumentError: the secret cannot be used.
            FullError: it knows as many peers as it can.
        """
        sk = prepare_secret(secret)
        return await self._pair(lambda pairing: pairing.listen(sk, window_ms=int(window * 1000)))

    async def pair(self, address: Address, secret: str) -> Peer:
        """Pairs with the device at this address, whose window is open. Give it a limit with `asyncio.timeout`: by
        default the device is called for about three minutes, since a wrong answer may be anybody's (`Hint`).

        Raises as `listen`, and OSError for a name that cannot be resolved.
        """
        sk = prepare_secret(secret)
        to = await self._resolve(address)
        return await self._pair(lambda pairing: pairing.start(to, sk))

    async def unlock(self) -> None:
        """The user has acted: failed pairing attempts start anew."""
        self._check_open()
        pairing = await self._new_pairing(self._hub.capacity)
        pairing.unlock()
        self._pump()
        await self._written()

    async def forget(self, id: bytes) -> None:
        """Forgets a peer: its keys are erased here.

        Raises:
            KeyError: there is none with this id.
        """
        await self._forget(self.peer(id)._slot)

    async def _forget(self, slot: int) -> None:
        peer = self._peers.pop(slot)
        del self._by_association[id(peer.association)]
        self._hub.remove(peer.association)
        peer.association.wipe()
        peer._end()
        await self._in_writer(self.storage.erase, slot | _SESSIONS)
        await self._in_writer(self.storage.erase, slot)

    async def _pair(self, begin: Callable[[Pairing], None]) -> Peer:
        self._check_open()
        slot = self._free_slot()
        self._reserved.add(slot)
        try:
            return await self._pair_into(slot, begin)
        finally:
            self._reserved.discard(slot)

    async def _pair_into(self, slot: int, begin: Callable[[Pairing], None]) -> Peer:
        pairing = await self._new_pairing(slot)
        done = self._pairing_waiters.add(paired())
        try:
            begin(pairing)
            self._pump()
            await done
        except BaseException:
            pairing.cancel()
            self._pump()
            raise
        finally:
            done.cancel()
        made = pairing.take_peer()
        assert made is not None, "Paired comes once the peer is stored"
        return await self._know(made)

    async def _new_pairing(self, slot: int) -> Pairing:
        """A pairing in its place; the one before had stayed there to answer a peer that missed its last message."""
        pairing = Pairing(
            self.platform,
            own_id=self.own_id,
            peer_slot=slot,
            attempts_slot=_ATTEMPTS,
            suite=self._suite,
            mtu=self._mtu,
            tries=self._tries,
        )
        attempts = await self._in_writer(self.storage.read, _ATTEMPTS)
        if attempts is not None:
            pairing.restore_attempts(attempts)
        if self._pairing_waiters:
            raise iotkm.WrongStateError("a pairing is under way: wait for it, or cancel it")
        if self._pairing is not None:
            self._hub.remove(self._pairing)
        self._pairing = pairing
        self._hub.insert(pairing, place=_ATTEMPTS)
        return pairing

    def _free_slot(self) -> int:
        """Above all others where there is room, so that of two with one id the newer one has the higher slot."""
        end = self._hub.capacity
        taken = {*self._peers, *(slot for slot in self.unreadable if slot < end), *self._reserved}
        slot = max(taken, default=0) + 1
        if slot < end:
            return slot
        free = next((slot for slot in range(1, end) if slot not in taken), None)
        if free is None:
            raise iotkm.FullError(f"this hub knows {len(self._peers)} peers already: forget one, or give it more capacity")
        return free

    async def _know(self, made: iotkm.Peer | TicketPeer | CredentialPeer) -> Peer:
        """Puts a peer to work; an older one of the same id is forgotten."""
        slot = made.info.slot
        association: History | Interactive | Noninteractive
        key, next_key = self._keys
        if isinstance(made, TicketPeer):
            association = Interactive(
                self.platform, made, self._with_wallet(), suites=self._suites, mtu=self._mtu, tries=self._tries, key=key,
                next_key=next_key,
            )  # fmt: skip
        elif isinstance(made, CredentialPeer):
            interval, length = self._epochs
            association = Noninteractive(
                self.platform, made, self._with_holder(), interval=interval, length=length, mtu=self._mtu,
                tries=self._tries, key=key, next_key=next_key,
            )  # fmt: skip
        else:
            association = History(self.platform, made, log=self._log, mtu=self._mtu, tries=self._tries)
        self._hub.insert(association, place=slot)
        peer = Peer(self, association)
        older = [slot for slot, known in self._peers.items() if known.id == peer.id]
        self._peers[slot] = self._by_association[id(association)] = peer
        for slot in older:
            await self._forget(slot)
        return peer

    def _restored(self, slot: int, blob: bytes) -> iotkm.Peer | TicketPeer | CredentialPeer:
        match _kind(blob):
            case "stored interactive peer":
                self._with_wallet()
                return TicketPeer.restore(self.platform, slot=slot, blob=blob)
            case "stored noninteractive peer":
                return CredentialPeer.restore(self.platform, slot=slot, blob=blob, suite=self._credential_suite())
        return iotkm.Peer.restore(self.platform, slot=slot, blob=blob)

    async def _load(self) -> None:
        for slot in self._kept.slots:
            try:
                self._kept.load(slot, await self._in_writer(self.storage.read, slot))
            except IotkmError as error:
                _log.error("slot %d: %s", slot, error)
                self.unreadable[slot] = error
        await self._kept.store()
        if self._private is not None:
            for slot, why in (await self._private.load(self._with_holder(), self._read_slot)).items():
                _log.error("slot %d: %s", slot, why)
                self.unreadable[slot] = why
        for slot in await self._in_writer(self.storage.slots):
            if not 1 <= slot < self._hub.capacity:
                continue
            blob = await self._in_writer(self.storage.read, slot)
            try:
                made = self._restored(slot, blob or b"")
            except IotkmError as error:
                _log.error("slot %d: %s", slot, error)
                self.unreadable[slot] = error
                continue
            await self._know(made)
        for slot, peer in list(self._peers.items()):
            try:
                if isinstance(peer.association, Noninteractive):
                    # It goes on from its own slot, where there is something to go on from.
                    if peer.association.peer.epoch is None:
                        continue
                    peer.association.go_on()
                else:
                    session = await self._in_writer(self.storage.read, slot | _SESSIONS)
                    if session is None:
                        continue
                    peer.association.restore(session)
                self._resuming.add(slot)
            except IotkmError as error:
                _log.warning("%r: the stored session cannot go on: %s", peer, error)
        self._pump()

    async def _read_slot(self, slot: int) -> bytes | None:
        return await self._in_writer(self.storage.read, slot)

    async def _write_slot(self, slot: int, data: bytes) -> None:
        await self._in_writer(self.storage.write, slot, data)

    # ---- what comes ----

    def _before(self) -> None:
        self._kept.start()

    def _received(self, association: iotkm.Association, message: Received) -> None:
        peer = self._by_association.get(id(association))
        if peer is not None and not any(take(peer, message) for take in self._takers):
            peer._take(message)

    def _event(self, association: iotkm.Association | None, event: Event) -> None:
        peer = self._by_association.get(id(association))
        if peer is not None:
            self._keep_session(peer, event)
        if self._on_event is not None:
            try:
                self._on_event(peer, event)
            except Exception:
                _log.exception("on_event failed")
        if peer is not None:
            peer._waiters.tell(event)
            for listen in self._listeners:
                listen(peer, event)
        elif association is self._pairing:
            self._pairing_waiters.tell(event)

    def _keep_session(self, peer: Peer, event: Event) -> None:
        """Stores the session where it is new or moved, for the next start; erases it where it has ended."""
        slot = peer._slot
        match event:
            case Established() | Resumed() | Rekeyed() | PeerMoved():
                self._resuming.discard(slot)
                if isinstance(peer.association, Noninteractive):
                    return
                try:
                    self._start_write(None, slot | _SESSIONS, peer.association.export())
                except IotkmError as error:
                    _log.warning("%r: its session is not stored: %s", peer, error)
            case Terminated() | Failed(Stage.RESUME, _):
                self._resuming.discard(slot)
                task = asyncio.get_running_loop().create_task(self._in_writer(self.storage.erase, slot | _SESSIONS))
                self._writes.add(task)
                task.add_done_callback(self._writes.discard)


def _kind(blob: bytes) -> str:
    """What was stored."""
    try:
        return str(inspect(blob)["what"])
    except iotkm.BadArgumentError:
        return ""
