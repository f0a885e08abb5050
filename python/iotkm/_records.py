"""The file of a ticket agent's records, and its key: sealed under a passphrase, or in a token. Needs ``iotkm[ca]``."""

import json
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, NamedTuple, Self

from iotkm._errors import BadArgumentError, TicketRefusedError
from iotkm._iotkm import RevocationList, SigningKey, VerifyKey
from iotkm._sealed import Cost, PassphraseError, seal, unseal

if TYPE_CHECKING:
    from iotkm.pkcs11 import Token

_SCHEMA = """
CREATE TABLE agent (
  name TEXT NOT NULL, algorithm TEXT NOT NULL, public BLOB NOT NULL,
  key TEXT NOT NULL -- where the key is, in JSON: sealed under a passphrase, or in a token
);
CREATE TABLE device (
  name TEXT PRIMARY KEY, request BLOB NOT NULL, -- as the operator sent it, or would have
  wanted INTEGER NOT NULL
);
CREATE TABLE ticket (
  serial INTEGER PRIMARY KEY AUTOINCREMENT, device TEXT NOT NULL REFERENCES device, issued_at INTEGER NOT NULL,
  expires INTEGER NOT NULL, ticket BLOB NOT NULL, revoked_at INTEGER
);
CREATE INDEX ticket_of_device ON ticket (device, expires);
CREATE TABLE list (number INTEGER PRIMARY KEY AUTOINCREMENT, list BLOB NOT NULL);
"""
_CREDENTIALS = """
CREATE TABLE IF NOT EXISTS issuing (
  suite TEXT PRIMARY KEY, public BLOB NOT NULL, key TEXT NOT NULL -- sealed under the passphrase, in JSON
);
CREATE TABLE IF NOT EXISTS credential_request (
  device TEXT NOT NULL, suite TEXT NOT NULL REFERENCES issuing, request BLOB NOT NULL, hours INTEGER NOT NULL,
  wanted INTEGER NOT NULL, PRIMARY KEY (device, suite)
);
CREATE TABLE IF NOT EXISTS credential (
  serial INTEGER PRIMARY KEY, -- tickets and credentials are numbered together: one list revokes both
  device TEXT NOT NULL, suite TEXT NOT NULL REFERENCES issuing, issued_at INTEGER NOT NULL, expires INTEGER NOT NULL,
  answer BLOB NOT NULL, revoked_at INTEGER
);
CREATE INDEX IF NOT EXISTS credential_of_device ON credential (device, suite, expires);
CREATE TABLE IF NOT EXISTS answered ( -- the same request, the same answer
  device TEXT NOT NULL, suite TEXT NOT NULL, request BLOB NOT NULL, serial INTEGER NOT NULL REFERENCES credential,
  PRIMARY KEY (device, suite, request)
);
CREATE TABLE IF NOT EXISTS printed ( -- credentials whose keys were made here; their "answer" is the credential alone
  serial INTEGER PRIMARY KEY REFERENCES credential
);
"""


class InToken(NamedTuple):
    """Where an agent's key is in a PKCS#11 token; `iotkm.pkcs11` is what asks it."""

    module: str
    """The file of the token's PKCS#11 library."""
    token: str
    """The token's label."""
    key: str
    """The key's label."""


class Records:
    """A file, and, once unlocked, the key."""

    def __init__(self, path: str | PathLike[str]) -> None:
        """Opens the records.

        Raises:
            BadArgumentError: the file holds no agent.
        """
        self._signer: SigningKey | None = None
        self._token: Token | None = None
        self._stretched: bytes | None = None
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
        self._db.executescript(_CREDENTIALS)
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
        token: InToken | None = None,
    ) -> Self:
        """Makes a new agent with a new key: sealed under the passphrase, or in a PKCS#11 token, whose PIN it is then.

        Raises:
            BadArgumentError: the passphrase is empty, or no ticket can have the name.
            FileExistsError: there is a file of that name.
            TokenError: the token refuses it, or has a key of that label.
        """
        if not passphrase:
            raise BadArgumentError("the passphrase is empty")
        # A name that no ticket can have is refused here, not at the first ticket.
        try:
            RevocationList.issue(SigningKey("EdDSA", bytes(32)), agent=name, number=0, issued_at=0, serials=[])
        except TicketRefusedError as refused:
            raise BadArgumentError("an agent's name is 1 to 32 bytes of text without control characters") from refused
        with open(path, "xb"):
            pass
        try:
            public, key = (
                _seal(name, algorithm, passphrase, cost) if token is None else _make(token, algorithm, passphrase)
            )
        except BaseException:
            Path(path).unlink()
            raise
        db = sqlite3.connect(path, isolation_level=None)
        try:
            db.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; BEGIN;" + _SCHEMA)
            db.execute("INSERT INTO agent VALUES (?, ?, ?, ?)", (name, algorithm, bytes(public), json.dumps(key)))
            db.execute("COMMIT")
        finally:
            db.close()
        return cls(path)

    def unlock(self, passphrase: bytes) -> None:
        """Opens the agent's key, with its passphrase or its token's PIN.

        Raises:
            PassphraseError: it is another one.
            TokenError: the token is not there, refuses the PIN, or has lost the key.
        """
        (text,) = self._db.execute("SELECT key FROM agent").fetchone()
        key = json.loads(text)
        if "module" in key:
            from iotkm.pkcs11 import Token

            self.lock()
            place = InToken(**key)
            self._token = Token(place.module, place.token, passphrase.decode())
            self._signer = self._token.signing_key(place.key)
            if self._signer.public_key != self.public_key:
                self.lock()
                raise PassphraseError(f"the token's key {place.key!r} is not this agent's")
            return
        secret, self._stretched = unseal(passphrase, key, _context(self.name, self.public_key), "the agent's")
        self._signer = SigningKey(self.public_key.algorithm, secret)

    @property
    def token(self) -> InToken | None:
        """Where the key is, if in a token."""
        (text,) = self._db.execute("SELECT key FROM agent").fetchone()
        key = json.loads(text)
        return InToken(**key) if "module" in key else None

    def lock(self) -> None:
        """Drops the key."""
        self._signer = self._stretched = None
        if self._token is not None:
            self._token.close()
            self._token = None

    def close(self) -> None:
        """Closes the records and drops the key."""
        self.lock()
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


def _seal(name: str, algorithm: str, passphrase: bytes, cost: Cost) -> tuple[VerifyKey, dict[str, object]]:
    """A new key under a passphrase: what verifies, what is stored."""
    secret = secrets.token_bytes(32)  # P-256 refuses one in 2^32
    public = SigningKey(algorithm, secret).public_key
    return public, seal(passphrase, secret, _context(name, public), cost)


def _make(place: InToken, algorithm: str, pin: bytes) -> tuple[VerifyKey, dict[str, object]]:
    """A new key in a token."""
    from iotkm.pkcs11 import Token

    with Token(place.module, place.token, pin.decode()) as token:
        return token.signing_key(place.key, create=algorithm).public_key, dict(place._asdict())


def _context(name: str, public: VerifyKey) -> bytes:
    return b"iotkm ticket agent\0" + name.encode() + b"\0" + public.algorithm.encode() + b"\0" + bytes(public)
