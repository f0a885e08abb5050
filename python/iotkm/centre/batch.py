"""Batches: thousands of devices, written by a third party.

The centre *exports* invitations of many devices in one file, sealed to the third party's key; its digest goes there another way.
Who writes the chips opens it, enrols each, and sends the file of deposits back. The centre *imports* that: each deposit is stored
and confirmed; the file of confirmations goes back to the chips, whose first authentication does the same.

    batch = head, a line | 20 | HPKE (RFC 9180) single-shot of the list, info: the head
    list  = JSON, a line each: {"batch": hex, "centre": hex, "devices": n}, then {"device": hex, "invitation": hex}
    deposits, confirmations = likewise, {"batch": hex}, then {"device": hex, "deposit": hex} or {..., "confirmation": hex}

HPKE is DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, ChaCha20Poly1305, base mode: that it is the centre's batch, its digest tells. Keys
are PEM files as other tools make them (`openssl genpkey -algorithm X25519`).
"""

import hashlib
import json
import os
import secrets
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from iotkm._errors import BadArgumentError, IotkmError
from iotkm.centre._center import deposited
from iotkm.centre._control import Desk
from iotkm.centre._store import StoreFailedError
from iotkm.storage import replace_file

_HEAD = b"iotkm centre batch 1\n"
_STEP = 100
"""How many devices one commit is for."""
MOST = 100_000
"""How many devices a batch has, at most."""
Progress = Callable[[int, int], None]


def _suite() -> Any:
    try:
        from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
    except ImportError:
        raise BadArgumentError("batches need cryptography 47 or later, which has HPKE: pip install 'iotkm[batches]'") from None
    return Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305)


def make_key(private: Path, public: Path) -> None:
    """Makes a third party's pair of keys, in two PEM files.

    Raises:
        FileExistsError: there is one already.
    """
    for file in (private, public):
        if file.exists():
            raise FileExistsError(f"there is a {file} already")
    key = X25519PrivateKey.generate()
    replace_file(private, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    replace_file(public, key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))


def public_key(pem: bytes) -> X25519PublicKey:
    """A third party's public key.

    Raises:
        BadArgumentError: that is none.
    """
    try:
        key = load_pem_public_key(pem)
    except ValueError:
        key = None
    if not isinstance(key, X25519PublicKey):
        raise BadArgumentError("that is no public X25519 key (PEM)")
    return key


class Invited(NamedTuple):
    """A device of a batch."""

    id: bytes
    """Its id."""
    invitation: bytes
    """For its chip; holds its transport key."""


class Opened(NamedTuple):
    """What the third party has."""

    batch: bytes
    """Which one it is, 16 bytes."""
    devices: list[Invited]
    """Its devices."""


def digest_of(data: bytes) -> str:
    """SHA-256 of a batch's file, in hex: what is told another way."""
    return hashlib.sha256(data).hexdigest()


def open_batch(data: bytes, private: bytes, digest: str) -> Opened:
    """Opens a batch with the third party's private key (PEM).

    Args:
        data: the file.
        private: the key.
        digest: as the centre told it, another way than the file came.

    Raises:
        BadArgumentError: it is another file, or not for this key.
    """
    if not secrets.compare_digest(digest_of(data), digest.strip().lower()):
        raise BadArgumentError(f"this is another file than the centre made: its digest is {digest_of(data)}")
    if not data.startswith(_HEAD):
        raise BadArgumentError("this is no batch of a centre's")
    try:
        key = load_pem_private_key(private, None)
        if not isinstance(key, X25519PrivateKey):
            raise ValueError
    except (ValueError, TypeError):
        raise BadArgumentError("that is no private X25519 key (PEM, without a passphrase)") from None
    try:
        text = _suite().decrypt(data[len(_HEAD) :], key, info=_HEAD)
    except (InvalidTag, ValueError):
        raise BadArgumentError("the batch is not sealed for this key") from None
    head, *rest = map(json.loads, text.splitlines())
    devices = [Invited(bytes.fromhex(one["device"]), bytes.fromhex(one["invitation"])) for one in rest]
    return Opened(bytes.fromhex(head["batch"]), devices)


class Sent(NamedTuple):
    """A batch that has left."""

    batch: bytes
    """Which one."""
    digest: str
    """Of its file."""
    made: int
    """When, in seconds since 1970."""
    devices: int
    """How many devices are in it, but for those that left in another one since."""
    back: int
    """How many of them came back."""


class Ledger:
    """Which devices are in which batch, and which of them came back; beside the key database, and no secret.

    It keeps an id from going to two third parties, and a deposit from being taken that no batch was for.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._db = sqlite3.connect(path, isolation_level=None, timeout=30)
            os.chmod(path, 0o600)
            self._db.execute("PRAGMA synchronous = FULL")
            for statement in (
                "CREATE TABLE IF NOT EXISTS batch (batch BLOB PRIMARY KEY, digest TEXT NOT NULL, made INTEGER NOT NULL) STRICT",
                "CREATE TABLE IF NOT EXISTS device (id BLOB PRIMARY KEY, batch BLOB NOT NULL, back INTEGER NOT NULL) STRICT",
            ):
                self._db.execute(statement)
        except sqlite3.Error as error:
            raise _failed(path, error) from error
        self._path = path

    def close(self) -> None:
        """Closes it."""
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise
        except sqlite3.Error as error:
            raise _failed(self._path, error) from error

    def out(self, ids: Sequence[bytes]) -> list[bytes]:
        """Those of these devices that are in a batch and have not come back."""
        found = []
        for id in ids:
            if self._db.execute("SELECT 1 FROM device WHERE id = ? AND back = 0", (id,)).fetchone():
                found.append(id)
        return found

    def add(self, batch: bytes, digest: str, ids: Sequence[bytes]) -> None:
        """A batch leaves."""
        with self._writing():
            self._db.execute("INSERT INTO batch VALUES (?, ?, ?)", (batch, digest, int(time.time())))
            self._db.executemany("INSERT OR REPLACE INTO device VALUES (?, ?, 0)", [(id, batch) for id in ids])

    def has(self, batch: bytes) -> bool:
        """Whether that is one of ours."""
        return self._db.execute("SELECT 1 FROM batch WHERE batch = ?", (batch,)).fetchone() is not None

    def back(self, batch: bytes, ids: Iterable[bytes]) -> None:
        """The deposits of these came back, and were taken."""
        with self._writing():
            self._db.executemany("UPDATE device SET back = 1 WHERE id = ? AND batch = ?", [(id, batch) for id in ids])

    def batch_of(self, id: bytes) -> bytes | None:
        """In which batch a device left."""
        found = self._db.execute("SELECT batch FROM device WHERE id = ?", (id,)).fetchone()
        return found[0] if found else None

    def is_back(self, id: bytes) -> bool:
        """Whether a device's deposit came back, and was taken."""
        return self._db.execute("SELECT 1 FROM device WHERE id = ? AND back = 1", (id,)).fetchone() is not None

    def batches(self) -> "list[Sent]":
        """All that have left."""
        found = self._db.execute(
            "SELECT batch, digest, made, count(id), coalesce(sum(back), 0) FROM batch LEFT JOIN device USING (batch) "
            "GROUP BY batch ORDER BY made"
        )
        return [Sent._make(one) for one in found]


def _failed(path: Path, error: sqlite3.Error) -> StoreFailedError:
    return StoreFailedError(f"{path} cannot be written ({error}); nothing was changed")


def export_batch(
    desk: Desk,
    ledger: Ledger,
    centre: bytes,
    ids: Sequence[bytes],
    to: X25519PublicKey,
    out: Path,
    *,
    suite: str = "SUITE_0_SYMMETRIC",
    clockless: bool = False,
    again: bool = False,
    progress: Progress | None = None,
) -> str:
    """Writes a batch; its digest.

    Args:
        desk: the centre.
        ledger: its ledger.
        centre: its id.
        ids: the devices', each once.
        to: the third party's key.
        out: the file.
        suite: of these devices.
        clockless: whether they have no clock.
        again: also those that left in a batch that has not come back, and was lost.
        progress: is told (done, of how many).

    Raises:
        BadArgumentError: an id comes twice, is enrolled, or is in a batch that has not come back: nothing was exported.
        StoreFailedError: it cannot be written: nothing was exported.
    """
    if not ids or len(ids) > MOST:
        raise BadArgumentError(f"a batch has 1 to {MOST} devices")
    if len({*ids}) != len(ids):
        twice = next(id for id, count in Counter(ids).items() if count > 1)
        raise BadArgumentError(f"{twice!r} is there twice")
    if (left := ledger.out(ids)) and not again:
        raise BadArgumentError(
            f"{len(left)} of them are in a batch that has not come back ({left[0]!r} for one): import its deposits, or, if it was "
            "lost, export them again (--again)"
        )
    suite_of_hpke = _suite()
    batch = secrets.token_bytes(16)
    lines = [json.dumps({"batch": batch.hex(), "centre": centre.hex(), "devices": len(ids)})]
    for at in range(0, len(ids), _STEP):
        some = ids[at : at + _STEP]
        for id, invitation in zip(some, desk.invite(some, suite, clockless), strict=True):
            if isinstance(invitation, IotkmError):
                raise BadArgumentError(f"{id!r}: {invitation}") from invitation
            lines.append(json.dumps({"device": id.hex(), "invitation": invitation.hex()}))
        if progress is not None:
            progress(at + len(some), len(ids))
    data = _HEAD + suite_of_hpke.encrypt("\n".join(lines).encode(), to, info=_HEAD)
    # The ledger first: what left without being in it could leave twice.
    ledger.add(batch, digest_of(data), ids)
    replace_file(out, data)
    return digest_of(data)


class Imported(NamedTuple):
    """What came of a file of deposits."""

    taken: int
    """Stored, and confirmed."""
    before: int
    """Were confirmed by an earlier run."""
    refused: list[tuple[bytes, str]]
    """Were not taken, and why."""


def import_deposits(
    desk: Desk, ledger: Ledger, deposits: Path, confirmations: Path, *, progress: Progress | None = None
) -> Imported:
    """Takes the deposits of a batch, and writes the confirmations, each line when its device is stored. Interrupted at any
    moment, it goes on where it was when it is called again with the same files.

    Args:
        desk: the centre.
        ledger: its ledger.
        deposits: what the third party sent back.
        confirmations: for the chips; what is in it stays.
        progress: is told (done, of how many).

    Raises:
        BadArgumentError: it is no file of deposits for a batch of this centre's.
        StoreError, StoreFailedError: a disk is full or read-only; call again when it is not.
    """
    batch, lines = _lines(deposits, "deposit")
    if not ledger.has(batch):
        raise BadArgumentError(f"{deposits} is for no batch of this centre's")
    done = _confirmed(confirmations, batch)
    refused: list[tuple[bytes, str]] = []
    taken = before = 0
    with open(confirmations, "ab") as out:
        for at in range(0, len(lines), _STEP):
            new = []
            for id, deposit in lines[at : at + _STEP]:
                if id in done:
                    before += 1
                elif ledger.batch_of(id) != batch:
                    refused.append((id, "it is not in this batch"))
                elif deposited(deposit) != id:
                    refused.append((id, "this is another device's deposit"))
                elif ledger.is_back(id) and desk.device(id) is None:
                    refused.append((id, "it was taken before, and the device forgotten since: export it anew"))
                else:
                    new.append((id, deposit))
            enrolled = []
            for (id, _), one in zip(new, desk.enrol([deposit for _, deposit in new]), strict=True):
                if isinstance(one, IotkmError):
                    refused.append((id, str(one)))
                elif id not in done:
                    enrolled.append(id)
                    done.add(id)
                    out.write(json.dumps({"device": id.hex(), "confirmation": one[1].hex()}).encode() + b"\n")
            out.flush()
            os.fsync(out.fileno())
            ledger.back(batch, enrolled)
            taken += len(enrolled)
            if progress is not None:
                progress(min(at + _STEP, len(lines)), len(lines))
    return Imported(taken, before, refused)


def _confirmed(file: Path, batch: bytes) -> set[bytes]:
    """Whom the file confirms already; without the line in which a run ended."""
    if not file.exists():
        replace_file(file, json.dumps({"batch": batch.hex()}).encode() + b"\n")
        return set()
    data = file.read_bytes()
    whole = data[: data.rfind(b"\n") + 1]
    if whole != data:
        replace_file(file, whole)
    there, lines = _lines(file, "confirmation")
    if there != batch:
        raise BadArgumentError(f"{file} is another batch's")
    return {id for id, _ in lines}


def _lines(file: Path, what: str) -> tuple[bytes, list[tuple[bytes, bytes]]]:
    try:
        head, *lines = map(json.loads, file.read_bytes().splitlines())
        return bytes.fromhex(head["batch"]), [(bytes.fromhex(one["device"]), bytes.fromhex(one[what])) for one in lines]
    except (ValueError, KeyError, TypeError):
        raise BadArgumentError(f"{file} is no file of {what}s") from None


def write_lines(file: Path, batch: bytes, what: str, lines: Iterable[tuple[bytes, bytes]]) -> None:
    """A file of deposits or confirmations, whole."""
    texts = [json.dumps({"batch": batch.hex()})]
    texts += [json.dumps({"device": id.hex(), what: data.hex()}) for id, data in lines]
    replace_file(file, "\n".join(texts).encode() + b"\n")


def read_confirmations(file: Path) -> dict[bytes, bytes]:
    """The confirmations of a file, by device.

    Raises:
        BadArgumentError: it is none.
    """
    return dict(_lines(file, "confirmation")[1])
