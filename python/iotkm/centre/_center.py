"""The authentication centre itself: the core's, over a key database and a keystore."""

import secrets
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import TypeVar

from iotkm import _iotkm
from iotkm._errors import BadArgumentError, IotkmError, StoreError, WrongStateError
from iotkm._iotkm import Platform, Suite, read_row
from iotkm._outputs import DeviceInfo, Handled, Signed
from iotkm.centre._batch import Batch
from iotkm.centre._keystore import FileKeyStore, KeyStore
from iotkm.centre._store import Change, SeedStore

T = TypeVar("T")
Enrolled = tuple[bytes, bytes]
"""A device's id, and the confirmation for its chip."""

_CID = 4
_TRIES = 4
_HEADER, _COOKIE = 2, 8
_DEPOSITED = 5
"""Where in a deposit the length of its id is."""
_ENGINE, _MICROCERT = 0x10, 0x15


def named(datagram: bytes) -> bytes | None:
    """The id that a device's message names, where it names one."""
    if datagram[:1] == bytes([_ENGINE]):
        datagram = datagram[_HEADER + _COOKIE :]
    if len(datagram) < _HEADER or datagram[0] != _MICROCERT:
        return None
    return datagram[_HEADER : _HEADER + 1 + (datagram[1] & 15)]


def deposited(deposit: bytes) -> bytes:
    """The id that a chip's deposit names."""
    return deposit[_DEPOSITED + 1 :][: deposit[_DEPOSITED]] if len(deposit) > _DEPOSITED else b""


class AuthCenter:
    """The authentication centre of devices with a key seed (`iotkm.Chip`). Calls may come from any thread.

    It does no network: hand in datagrams, send what comes back. Time is the platform's wall clock; devices depend on it.

    >>> import tempfile, pathlib
    >>> from iotkm import Authenticated, Chip, Datagram, Event, Idle, Microcert, Persist
    >>> from iotkm.authority import Cost
    >>> from iotkm.centre import FileKeyStore, SqliteSeedStore
    >>> platform = Platform(bytes(32))
    >>> def drain(lamp, city):
    ...     while not isinstance(out := lamp.poll(), Idle):
    ...         match out:
    ...             case Persist(slot, _, data): lamp.persisted(slot)  # store it first
    ...             case Event(): print(out)
    ...             case Datagram(_, data): reply = city.handle_input(b"lamp's address", data).reply
    ...     return reply
    >>> with tempfile.TemporaryDirectory() as name, \\
    ...         FileKeyStore.create(name + "/keys", b"correct horse", cost=Cost(1, 64, 1)) as keys, \\
    ...         SqliteSeedStore.create(name + "/centre.db", keys) as store:
    ...     city = AuthCenter(platform, b"city", store, keys)
    ...     chip = Chip.enrol(platform, seed_slot=1, state_slot=2, invitation=city.invite(b"lamp-7"))
    ...     id, confirmation = city.enrol(chip.deposit())
    ...     chip.confirm(confirmation)
    ...     lamp = Microcert(platform, chip)
    ...     lamp.authenticate(b"city's address")
    ...     reply = drain(lamp, city)
    ...     _ = lamp.handle_input(b"city's address", reply)
    ...     lamp.poll()
    ...     city.device(b"lamp-7").counter
    Authenticated()
    1
    """

    def __init__(
        self,
        platform: Platform,
        id: bytes,
        store: SeedStore,
        keys: KeyStore,
        *,
        window: int = 300,
        challenge: int = 60,
        grace: int = 31 * 86_400,
        shares: int = 65_536,
        answers: int = 4_096,
    ) -> None:
        """Makes it of what it keeps; nothing is stored.

        Args:
            platform: the surroundings. All servers of one centre behind one address have the same device secret: so one takes
                the proof to another's challenge. Sessions are each server's own.
            id: the centre's, 1 to 16 bytes: part of every key.
            store: the key database.
            keys: the centre's keys.
            window: how far a device's clock may be from the centre's, in seconds.
            challenge: how long a challenge is good for, in seconds.
            grace: how long after its end a year's row is kept, in seconds: as long, signatures of that year verify.
            shares: the size of the table that keeps the work for claims bounded, 8 bytes each: four for each device are
                plenty.
            answers: how many answers are kept for devices that did not get them, about 90 bytes each: as many as devices come
                at a time, and some more.

        Raises:
            BadArgumentError: an id of another length; shares or answers above 2**24; no shares.
        """
        self._core = _iotkm.AuthCenter(
            platform, id, window=window, challenge=challenge, grace=grace, shares=shares, answers=answers
        )
        self._store = store
        self._sealing = keys.native if isinstance(keys, FileKeyStore) else keys
        self._mutex = threading.RLock()
        self._cid = secrets.token_bytes(_CID)
        self._over: set[bytes] = set()

    def invite(self, id: bytes, *, suite: Suite | None = None, clockless: bool = False) -> bytes:
        """What makes a chip one of this centre's, at most 59 bytes: its id, suite, the first of its seed's five years, and its
        transport key - so it goes to that chip offline, and is erased. Nothing is stored; `enrol` does that.

        Args:
            id: the device's, 1 to 16 bytes.
            suite: a symmetric one; ``None``: `SUITE_0_SYMMETRIC`.
            clockless: the device has no clock: it is always challenged.

        Raises:
            WrongStateError: the id has a row; `forget` it first, if the device is to be enrolled anew.
            BadArgumentError: an id of another length, or the centre's own; a suite with Diffie-Hellman.
            StoreError: the key database cannot be read.
            KeyStoreError: the keystore cannot work now.
        """
        with self._mutex:
            return self._invite(Batch(self._store), id, suite, clockless)

    def _invite(self, rows: Batch, id: bytes, suite: Suite | None, clockless: bool) -> bytes:
        if id == self.id:
            raise BadArgumentError("this id is the centre's own")
        with _saying(WrongStateError, f"{id!r} is enrolled: forget it first, if it is to be enrolled anew"):
            return self._core.invite(rows, self._sealing, id, suite=suite, clockless=clockless)

    def enrol(self, deposit: bytes) -> Enrolled:
        """Takes a chip's deposit (`Chip.deposit`), and stores its seed: the device's id, and the confirmation for the chip, 20 bytes.
        The same deposit again gets a confirmation again, until the device has authenticated itself.

        Raises:
            BadArgumentError: it is no deposit of a chip that this centre invited.
            WrongStateError: the id has another seed: each invitation is used once.
            StoreError: the key database cannot be read or written.
            KeyStoreError: the keystore cannot work now.
        """
        return self._change(lambda rows: self._take(rows, deposit))

    def invite_all(
        self, ids: Sequence[bytes], *, suite: Suite | None = None, clockless: bool = False
    ) -> list[bytes | IotkmError]:
        """As `invite`, of many devices: for each its invitation, or why there is none.

        Raises:
            StoreError: the key database cannot be read.
            KeyStoreError: the keystore cannot work now.
        """
        invited: list[bytes | IotkmError] = []
        with self._mutex:
            rows = Batch(self._store)
            with _as_store_error():
                rows.load(ids)
            for id in ids:
                try:
                    invited.append(self._invite(rows, id, suite, clockless))
                except (WrongStateError, BadArgumentError) as error:
                    invited.append(error)
        return invited

    def enrol_all(self, deposits: Sequence[bytes]) -> list[Enrolled | IotkmError]:
        """As `enrol`, of many chips, stored in one commit: for each its device's id and confirmation, or why it was not taken.

        Raises:
            StoreError: the key database cannot be read or written: none was taken.
            KeyStoreError: the keystore cannot work now: likewise.
        """

        def work(rows: Batch) -> list[Enrolled | IotkmError]:
            taken: list[Enrolled | IotkmError] = []
            with _as_store_error():
                rows.load(deposited(deposit) for deposit in deposits)
            for deposit in deposits:
                try:
                    taken.append(self._take(rows, deposit))
                except (WrongStateError, BadArgumentError) as error:
                    taken.append(error)
            return taken

        return self._change(work)

    def _take(self, rows: Batch, deposit: bytes) -> Enrolled:
        other = (
            "the device is enrolled with another seed, or has authenticated itself since: each deposit is taken once; forget it "
            "first, and invite it anew"
        )
        with (
            _saying(WrongStateError, other),
            _saying(BadArgumentError, "this is no deposit of a chip that this centre invited"),
        ):
            return self._core.enrol(rows, self._sealing, deposit)

    def handle_input(self, source: bytes, datagram: bytes) -> Handled:
        """Takes in one datagram from that address (the caller's own form, at most 22 bytes). What does not parse or verify is
        dropped and counted (`drops`), never an error.

        Raises:
            StoreError: the key database could not be read or written: nothing is answered, the device asks again.
            KeyStoreError: likewise the keystore.
            RngError: likewise randomness.
            BadArgumentError: an address of more than 22 bytes; the platform has no wall clock.
        """
        [handled] = self.handle_inputs([(source, datagram)])
        if handled.error is not None:
            raise handled.error
        return handled

    def handle_inputs(self, datagrams: Sequence[tuple[bytes, bytes]]) -> list[Handled]:
        """Takes in many datagrams, each with its source, and stores what came of them in one commit: for each what came of it.
        One that fails (`Handled.error`) keeps no other from its answer. Where somebody else wrote a device's row in between,
        nothing came of its datagrams: it asks again.

        Raises:
            StoreError: the key database could not be written: nothing is answered, the devices ask again.
            BadArgumentError: an address of more than 22 bytes; the platform has no wall clock. Nothing came of any.
        """
        ids = [named(datagram) for _, datagram in datagrams]
        with self._mutex, self._forgetting():
            rows = Batch(self._store)
            with _as_store_error():
                rows.load(id for id in ids if id)
            handled, swapped, self._cid = self._core.handle_inputs(rows, self._sealing, rows.loaded, datagrams, self._cid)
            rows.swapped(swapped)
            with _as_store_error():
                lost = rows.commit()
            if not lost:
                return handled
            self._core.forget_answers()
            return [Handled() if id in lost else one for id, one in zip(ids, handled, strict=True)]

    @contextmanager
    def _forgetting(self) -> Iterator[None]:
        """No answer is kept of what was not stored."""
        try:
            yield
        except BaseException:
            self._core.forget_answers()
            raise

    def update(self, id: bytes) -> None:
        """Wants a new seed of this device: it is asked for when the device comes next.

        Raises:
            BadArgumentError: the id has no row.
            RevokedError: the device is revoked.
            StoreError: the key database cannot be read or written.
        """
        with _unknown(id):
            self._change(lambda rows: self._core.update(rows, self._sealing, id))

    def revoke(self, id: bytes) -> None:
        """Revokes this device: from now on it is not authenticated, and it is told to kill its seed when it comes next. Its
        sessions end where a `Server` holds them; whoever else does closes them.

        Raises:
            BadArgumentError: the id has no row.
            RevokedError: it has killed its seed already.
            StoreError: the key database cannot be read or written.
            KeyStoreError: the keystore cannot work now.
        """
        with _unknown(id):
            self._change(lambda rows: self._core.revoke(rows, self._sealing, id))
        with self._mutex:
            self._over.add(id)

    def verify(self, signature: bytes, data: bytes) -> Signed | None:
        """Whether this is a signature of data (`Microcert.sign`) by a device of this centre's: by whom and when. ``None`` where it
        is not, or no more: the device is revoked, has another seed, or the year's row is erased.

        Raises:
            StoreError: the key database cannot be read.
            KeyStoreError: the keystore cannot work now.
        """
        with self._mutex:
            return self._core.verify(Batch(self._store), self._sealing, signature, data)

    def device(self, id: bytes) -> DeviceInfo | None:
        """What may be shown of this device; ``None``: it has no row.

        Raises:
            StoreError: the key database cannot be read.
        """
        with _as_store_error():
            [row] = self._store.get([id])
            return read_row(row.state, row.seed) if row else None

    def devices(self) -> Iterator[DeviceInfo]:
        """All devices, by id.

        Raises:
            StoreError: the key database cannot be read.
        """
        after: bytes | None = None
        while shown := self.page(after):
            yield from shown
            after = shown[-1].id

    def page(self, after: bytes | None = None, limit: int = 1000) -> list[DeviceInfo]:
        """The devices behind that id, at most so many; empty: there are no more.

        Raises:
            StoreError: the key database cannot be read.
        """
        with _as_store_error():
            return [read_row(row.state, row.seed) for row in self._store.page(after, limit)]

    def forget(self, id: bytes) -> None:
        """Removes this device's row: it is nobody's any more, and its id may be invited again. Destroy the old deposit: the
        centre remembers nothing of it, and read once more it enrols the same chip with the same seed, its counter from zero.

        Raises:
            BadArgumentError: the id has no row.
            StoreError: the key database cannot be read or written.
        """
        with self._mutex, _as_store_error(), _unknown(id):
            for _ in range(_TRIES):
                [row] = self._store.get([id])
                if row is None:
                    raise BadArgumentError
                if any(self._store.commit([Change(id, row.version, remove=True)])):
                    self._over.add(id)
                    return
        raise _raced()

    def over(self) -> set[bytes]:
        """The devices that were revoked or forgotten since this was last asked: whose sessions are to end."""
        with self._mutex:
            over, self._over = self._over, set()
        return over

    def _change(self, work: Callable[[Batch], T]) -> T:
        with self._mutex:
            for _ in range(_TRIES):
                rows = Batch(self._store)
                done = work(rows)
                with _as_store_error():
                    if not rows.commit():
                        return done
        raise _raced()

    @property
    def id(self) -> bytes:
        """The centre's id."""
        return self._core.id

    @property
    def drops(self) -> dict[str, int]:
        """What was dropped, by reason; 65535 means that many or more."""
        return self._core.drops

    def __repr__(self) -> str:
        return f"<AuthCenter {self.id!r} over {self._store!r}>"


@contextmanager
def _saying(kind: type[IotkmError], message: str) -> Iterator[None]:
    """That error with a message that knows what was asked for."""
    try:
        yield
    except kind as error:
        raise kind(message) from error


def _unknown(id: bytes) -> AbstractContextManager[None]:
    return _saying(BadArgumentError, f"no device {id!r} is enrolled here")


def _raced() -> WrongStateError:
    return WrongStateError("others write this device's row all the time: call again")


@contextmanager
def _as_store_error() -> Iterator[None]:
    try:
        yield
    except BadArgumentError:
        raise
    except (IotkmError, OSError) as error:
        raise StoreError(f"{error}: nothing was answered") from error
