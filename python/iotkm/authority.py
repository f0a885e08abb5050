"""A ticket agent with its records in one SQLite file. Needs ``iotkm[ca]``.

>>> import tempfile, pathlib
>>> with tempfile.TemporaryDirectory() as folder:
...     with Authority.create(pathlib.Path(folder) / "ca.db", "acme", b"correct horse", cost=Cost(1, 64, 1)) as agent:
...         agent.request("lamp-7", "x25519", bytes([9]) * 32)
...         agent.unlock(b"correct horse")
...         agent.issue(days=365, now=1_800_000_000)
...         agent.newest("lamp-7")
1
<Ticket 1 of "acme" for "lamp-7" until 1831536000>
"""

import secrets
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from argon2.low_level import Type, hash_secret_raw
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from iotkm._errors import BadArgumentError, IotkmError
from iotkm._iotkm import RevocationList, SigningKey, Ticket, VerifyKey

DAY = 86_400
_SCHEMA = """
CREATE TABLE agent (
  name TEXT NOT NULL, algorithm TEXT NOT NULL, public BLOB NOT NULL,
  salt BLOB NOT NULL, passes INTEGER NOT NULL, kib INTEGER NOT NULL, lanes INTEGER NOT NULL,
  nonce BLOB NOT NULL, sealed BLOB NOT NULL
);
CREATE TABLE device (
  name TEXT PRIMARY KEY, kind TEXT NOT NULL, key BLOB NOT NULL, scope TEXT NOT NULL, wanted INTEGER NOT NULL
);
CREATE TABLE ticket (
  serial INTEGER PRIMARY KEY AUTOINCREMENT, device TEXT NOT NULL REFERENCES device, issued_at INTEGER NOT NULL,
  expires INTEGER NOT NULL, ticket BLOB NOT NULL, revoked_at INTEGER
);
CREATE INDEX ticket_of_device ON ticket (device, expires);
CREATE TABLE list (number INTEGER PRIMARY KEY AUTOINCREMENT, list BLOB NOT NULL);
"""


class Cost(NamedTuple):
    """What one guess at the passphrase costs: Argon2id's passes, memory in KiB, lanes. RFC 9106's second choice."""

    passes: int = 3
    kib: int = 65_536
    lanes: int = 4


class PassphraseError(IotkmError, PermissionError):
    """The passphrase does not open the agent's key, or the key is not unlocked."""

    code = -107


class Authority:
    """A ticket agent's records, and, once unlocked, its key. What it returned is on the disk."""

    def __init__(self, path: str | PathLike[str]) -> None:
        """Opens the records.

        Raises:
            BadArgumentError: the file holds no agent.
        """
        self._signer: SigningKey | None = None
        if not Path(path).is_file():
            raise BadArgumentError(f"there is no {path}: iotkm ca init makes it")
        self._db = sqlite3.connect(path, isolation_level=None, timeout=30)
        try:
            self._db.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;")
            found = self._db.execute("SELECT name, algorithm, public FROM agent").fetchone()
        except sqlite3.DatabaseError:
            self.close()
            raise BadArgumentError(f"{path} holds no ticket agent: iotkm ca init makes one") from None
        if found is None:
            self.close()
            raise BadArgumentError(f"{path} holds no ticket agent: iotkm ca init makes one")
        self.name: str = found[0]
        self.public_key = VerifyKey(found[1], found[2])

    @classmethod
    def create(
        cls,
        path: str | PathLike[str],
        name: str,
        passphrase: bytes,
        *,
        algorithm: str = "EdDSA",
        cost: Cost = Cost(),  # noqa: B008
    ) -> Self:
        """Makes a new agent with a new key, sealed under the passphrase.

        Raises:
            BadArgumentError: the passphrase is empty.
            FileExistsError: there is a file of that name.
        """
        if not passphrase:
            raise BadArgumentError("the passphrase is empty")
        # A scalar that P-256 refuses comes once in 2^32 draws.
        secret = secrets.token_bytes(32)
        public = SigningKey(algorithm, secret).public_key
        # A name that no ticket can have is refused here, not at the first ticket.
        RevocationList.issue(SigningKey(algorithm, secret), agent=name, number=0, issued_at=0, serials=[])
        salt, nonce = secrets.token_bytes(16), secrets.token_bytes(12)
        key = _stretch(passphrase, salt, cost)
        sealed = ChaCha20Poly1305(key).encrypt(nonce, secret, _context(name, public))
        with open(path, "xb"):
            pass
        db = sqlite3.connect(path, isolation_level=None)
        try:
            db.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; BEGIN;" + _SCHEMA)
            row = (name, algorithm, bytes(public), salt, *cost, nonce, sealed)
            db.execute("INSERT INTO agent VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
            db.execute("COMMIT")
        finally:
            db.close()
        return cls(path)

    def unlock(self, passphrase: bytes) -> None:
        """Opens the agent's key.

        Raises:
            PassphraseError: it is another one.
        """
        query = "SELECT salt, passes, kib, lanes, nonce, sealed FROM agent"
        salt, *cost, nonce, sealed = self._db.execute(query).fetchone()
        key = _stretch(passphrase, salt, Cost(*cost))
        try:
            secret = ChaCha20Poly1305(key).decrypt(nonce, sealed, _context(self.name, self.public_key))
        except InvalidTag:
            raise PassphraseError("the passphrase is not the agent's") from None
        self._signer = SigningKey(self.public_key.algorithm, secret)

    def close(self) -> None:
        """Closes the records and drops the key."""
        self._signer = None
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Authority {self.name!r} {self.public_key!r}>"

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def _key(self) -> SigningKey:
        if self._signer is None:
            raise PassphraseError("the agent's key is not unlocked")
        return self._signer

    def request(self, device: str, kind: str, key: bytes, scope: str = "") -> None:
        """Asks for a ticket for a device with this public key, of kind x25519, p256, ffc2048 or ffc3072.

        `issue` makes it. That the key is the device's, the caller answers for.

        Raises:
            TicketRefusedError: no ticket can say so.
        """
        self.request_all([(device, kind, key, scope)])

    def request_all(self, wanted: Iterable[tuple[str, str, bytes, str]]) -> None:
        """As `request` for many (device, kind, key, scope), all or none."""
        probe = SigningKey("EdDSA", bytes(32))
        with self._transaction():
            for device, kind, key, scope in wanted:
                # Refused here, not when it is issued.
                Ticket.issue(
                    probe, agent=self.name, device=device, group=kind, key=key, serial=0, issued_at=0, expires=1,
                    scope=scope,
                )  # fmt: skip
                self._db.execute(
                    "INSERT INTO device VALUES (?, ?, ?, ?, 1) ON CONFLICT (name) DO UPDATE SET kind = excluded.kind, "
                    "key = excluded.key, scope = excluded.scope, wanted = 1",
                    (device, kind, key, scope),
                )

    def issue(self, *, days: float, now: int, progress: Callable[[int, int], None] | None = None) -> int:
        """Issues a ticket for every request that is open; how many. `progress` is told (done, of how many)."""
        return self._issue("wanted = 1", (), days, now, progress)

    def renew(
        self, *, within: float, days: float, now: int, progress: Callable[[int, int], None] | None = None
    ) -> int:
        """Issues the next ticket for each device whose last one ends within so many days and is not revoked; how many.

        Interrupted wherever it be, the next call goes on where this one was.
        """
        where = (
            "EXISTS (SELECT 1 FROM ticket t WHERE t.device = d.name AND t.revoked_at IS NULL AND t.expires = "
            "(SELECT max(expires) FROM ticket u WHERE u.device = d.name) AND t.expires <= ?)"
        )
        return self._issue(where, (now + round(within * DAY),), days, now, progress)

    def _issue(
        self,
        where: str,
        values: tuple[int, ...],
        days: float,
        now: int,
        progress: Callable[[int, int], None] | None,
    ) -> int:
        signer = self._key()
        expires = now + round(days * DAY)
        if values and expires <= values[0]:
            raise BadArgumentError("the new tickets would be due at once: let them be valid for longer")
        (total,) = self._db.execute(f"SELECT count(*) FROM device d WHERE {where}", values).fetchone()
        done, last = 0, ""
        while True:
            # Who is due is asked inside the transaction that serves them: whatever else runs, nobody is served twice.
            with self._transaction():
                batch = self._db.execute(
                    f"SELECT name, kind, key, scope FROM device d WHERE {where} AND name > ? ORDER BY name LIMIT 64",
                    (*values, last),
                ).fetchall()
                for device, kind, key, scope in batch:
                    row = (device, now, expires)
                    insert = "INSERT INTO ticket (device, issued_at, expires, ticket) VALUES (?, ?, ?, x'')"
                    serial = self._db.execute(insert, row).lastrowid or 0
                    ticket = Ticket.issue(
                        signer, agent=self.name, device=device, group=kind, key=key, serial=serial, issued_at=now,
                        expires=expires, scope=scope,
                    )  # fmt: skip
                    self._db.execute("UPDATE ticket SET ticket = ? WHERE serial = ?", (bytes(ticket), serial))
                    self._db.execute("UPDATE device SET wanted = 0 WHERE name = ?", (device,))
            done += len(batch)
            last = batch[-1][0] if batch else last
            if progress is not None:
                progress(done, max(total, done))
            if not batch:
                return done

    def revoke(self, serials: list[int], *, now: int) -> RevocationList:
        """Revokes tickets and issues the next list, of all revoked tickets that are not over.

        Raises:
            BadArgumentError: there is no such ticket.
        """
        signer = self._key()
        with self._transaction():
            for serial in serials:
                update = "UPDATE ticket SET revoked_at = coalesce(revoked_at, ?) WHERE serial = ?"
                if self._db.execute(update, (now, serial)).rowcount == 0:
                    raise BadArgumentError(f"there is no ticket {serial}")
            number = self._db.execute("INSERT INTO list (list) VALUES (x'')").lastrowid or 0
            live = "SELECT serial FROM ticket WHERE revoked_at IS NOT NULL AND expires > ? ORDER BY serial"
            revoked = [serial for (serial,) in self._db.execute(live, (now,))]
            made = RevocationList.issue(signer, agent=self.name, number=number, issued_at=now, serials=revoked)
            self._db.execute("UPDATE list SET list = ? WHERE number = ?", (bytes(made), number))
        return made

    def tickets(self, device: str | None = None) -> Iterator[tuple[Ticket, bool]]:
        """All tickets, or a device's, by serial, and whether each is revoked."""
        where = "WHERE device = ?" if device is not None else ""
        rows = self._db.execute(
            f"SELECT ticket, revoked_at IS NOT NULL FROM ticket {where} ORDER BY serial",
            () if device is None else (device,),
        )
        for data, revoked in rows:
            yield Ticket.peek(data), bool(revoked)

    def newest(self, device: str) -> Ticket | None:
        """A device's ticket that ends last."""
        query = "SELECT ticket FROM ticket WHERE device = ? ORDER BY expires DESC, serial DESC LIMIT 1"
        found = self._db.execute(query, (device,)).fetchone()
        return Ticket.peek(found[0]) if found else None

    def ticket(self, serial: int) -> Ticket | None:
        """The ticket of that serial."""
        found = self._db.execute("SELECT ticket FROM ticket WHERE serial = ?", (serial,)).fetchone()
        return Ticket.peek(found[0]) if found else None

    def revocation_list(self) -> RevocationList | None:
        """The newest list."""
        found = self._db.execute("SELECT list FROM list ORDER BY number DESC LIMIT 1").fetchone()
        return RevocationList.peek(found[0]) if found else None


def _stretch(passphrase: bytes, salt: bytes, cost: Cost) -> bytes:
    return hash_secret_raw(passphrase, salt, cost.passes, cost.kib, cost.lanes, hash_len=32, type=Type.ID)


def _context(name: str, public: VerifyKey) -> bytes:
    return b"iotkm ticket agent\0" + name.encode() + b"\0" + public.algorithm.encode() + b"\0" + bytes(public)
