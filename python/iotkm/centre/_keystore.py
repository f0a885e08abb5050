"""The centre's keys: K_trans, K_store, and K_mac, which ties to its row what K_store seals.

    TK     = CMAC(K_trans, 00000001 | "iotkm1 microcert transport" | 00 | id | 00000080)      SP 800-108, counter mode
    sealed = AES-128-KW(TK, seed)                                                               RFC 3394
    blob   = CBC(K_store, CMAC(K_mac, 01 | bind), plain) | CMAC(K_mac, 02 | bind | ciphertext)   16 bytes more than plain
    mac    = CMAC(K_mac, 03 | data)

The three are AES-256 keys. Each row of a seed is one block: of a sealed seed only a day's rows need be opened.
"""

import json
import os
import secrets
import struct
from abc import ABC, abstractmethod
from hmac import compare_digest
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.cmac import CMAC
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap

from iotkm._errors import BadArgumentError, BadBlobError
from iotkm._iotkm import SoftKeys
from iotkm._sealed import Cost, seal, unseal
from iotkm.storage import replace_file

ROW = 16
SEED = 61 * ROW
_FIXED = 48  # the first of the rows that every key is made from
_TAG = 16


class Anchor(NamedTuple):
    """What the keystore remembers of the records, so that older ones are recognised."""

    version: int
    """How often the records were changed."""
    root: bytes
    """The Merkle root of them all, 32 bytes."""


class KeyStore(ABC):
    """The authentication centre's keys. They do not come out; calls may come from any thread."""

    def transport_key(self, id: bytes) -> bytes:
        """What seals the seed of this device on its way here, 16 bytes: for its chip alone, at provisioning."""
        return self._cmac("trans", b"\0\0\0\1iotkm1 microcert transport\0" + id + b"\0\0\0\x80")

    def transcrypt(self, id: bytes, bind: bytes, sealed: bytes) -> bytes:
        """Turns a seed as its device sealed it, under K_trans, into what is kept, under K_store.

        Args:
            id: the device's.
            bind: 16 bytes that stand for the row: with others it does not open.
            sealed: 984 bytes.

        Raises:
            BadBlobError: it is not what this device sealed.
        """
        if len(sealed) != SEED + 8:
            raise BadBlobError(f"a sealed seed has {SEED + 8} bytes, not {len(sealed)}")
        return self._tagged(bind, self._rewrap(self.transport_key(id), self._iv(bind), sealed))

    def rows(self, bind: bytes, stored: bytes, day: tuple[int, int, int]) -> bytes:
        """A day's rows of a seed, 256 bytes: those three, of year, month and day, and the fixed ones.

        Raises:
            BadBlobError: it was changed, or is another row's.
        """
        text = self._checked(bind, stored)
        if len(text) != SEED or not all(0 <= row < _FIXED for row in day):
            raise BadArgumentError("a seed has 61 rows, of which 48 are for dates")
        chain = self._iv(bind) + text  # block n is at n + 1, before it what it was chained to
        pieces = b"".join(chain[row * ROW : (row + 2) * ROW] for row in day) + chain[_FIXED * ROW :]
        plain = self._cbc(bytes(ROW), pieces, False)
        # Every second block of the three, and of the fixed rows all but the one before them.
        return plain[16:32] + plain[48:64] + plain[80:96] + plain[112:]

    def seal(self, bind: bytes, plain: bytes) -> bytes:
        """Seals a secret that is made here, of whole blocks of 16 bytes, under K_store; 16 bytes longer. One bind, one
        secret."""
        if not plain or len(plain) % ROW:
            raise BadArgumentError("what is sealed has whole blocks of 16 bytes")
        return self._tagged(bind, self._cbc(self._iv(bind), plain, True))

    def open(self, bind: bytes, stored: bytes) -> bytes:
        """What `seal` or `transcrypt` sealed.

        Raises:
            BadBlobError: it was changed, or is another row's.
        """
        text = self._checked(bind, stored)
        return self._cbc(self._iv(bind), text, False)

    def mac(self, data: bytes) -> bytes:
        """A code of 16 bytes that only who has these keys can make."""
        return self._cmac("mac", b"\3" + data)

    def fingerprint(self) -> bytes:
        """16 bytes that are the same for copies of the same keys, and tell nothing of them."""
        name = b"iotkm key check."
        return self.mac(name + self.transport_key(name) + self.seal(name, name))

    @abstractmethod
    def anchor(self) -> Anchor | None:
        """What `set_anchor` remembered last."""

    @abstractmethod
    def set_anchor(self, anchor: Anchor) -> None:
        """Remembers it; it is durable when this returns.

        Raises:
            BadArgumentError: its version is below the last one's.
            OSError: it cannot be written; the last one stays.
        """

    @abstractmethod
    def close(self) -> None:
        """Lets go of the keys."""

    @abstractmethod
    def _cmac(self, key: str, data: bytes) -> bytes:
        """AES-CMAC under the key "trans" or "mac"."""

    @abstractmethod
    def _cbc(self, iv: bytes, data: bytes, encrypt: bool) -> bytes:
        """AES-CBC under K_store, of whole blocks."""

    @abstractmethod
    def _rewrap(self, transport: bytes, iv: bytes, sealed: bytes) -> bytes:
        """From AES-KW under the transport key to AES-CBC under K_store."""

    def _iv(self, bind: bytes) -> bytes:
        if len(bind) != 16:
            raise BadArgumentError("bind has 16 bytes")
        return self._cmac("mac", b"\1" + bind)

    def _tagged(self, bind: bytes, text: bytes) -> bytes:
        return text + self._cmac("mac", b"\2" + bind + text)

    def _checked(self, bind: bytes, stored: bytes) -> bytes:
        text, tag = stored[:-_TAG], stored[-_TAG:]
        whole = len(text) % ROW == 0 and len(text) > 0
        if not whole or len(bind) != 16 or not compare_digest(tag, self._cmac("mac", b"\2" + bind + text)):
            raise BadBlobError("the sealed secret does not open: it was changed, is another row's or another keystore's")
        return text

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def above(anchor: Anchor, last: Anchor | None) -> Anchor:
    """The anchor, if it may follow the last one.

    Raises:
        BadArgumentError: it may not.
    """
    if len(anchor.root) != 32 or not 0 <= anchor.version < 2**63:
        raise BadArgumentError("a root has 32 bytes, a version 63 bits")
    if last is not None and anchor.version < last.version:
        raise BadArgumentError(f"the anchor is at version {last.version}: {anchor.version} is older")
    return anchor


_ANCHOR = struct.Struct(">Q32s")


def write_anchor(anchor: Anchor) -> bytes:
    """40 bytes."""
    return _ANCHOR.pack(*anchor)


def read_anchor(data: bytes) -> Anchor:
    """Raises struct.error where it is none."""
    return Anchor(*_ANCHOR.unpack(data))


_CONTEXT = b"iotkm keystore\0"


class FileKeyStore(KeyStore):
    """Keys in a file, sealed under a passphrase (Argon2id). Unlocked, they are in this process's memory.

    The anchor is a file beside it, named ``.anchor``. Who can put back an old one with old records is noticed by the back-up alone:
    keep that on another medium, or the keys in a token.
    """

    def __init__(self, path: str | os.PathLike[str], passphrase: bytes) -> None:
        """Opens the file.

        Raises:
            PassphraseError: it is another passphrase, or the file was changed.
            BadArgumentError: it is no keystore.
            OSError: it cannot be read.
        """
        self.path = Path(path)
        try:
            stored = json.loads(self.path.read_bytes())
            keys, _ = unseal(passphrase, stored["keystore"], _CONTEXT, "the keystore's")
        except (ValueError, KeyError, TypeError):
            raise BadArgumentError(f"{self.path} is no keystore") from None
        self._load(keys)

    def _load(self, keys: bytes) -> None:
        # The same where the core works with them by itself.
        self.native = SoftKeys(keys)
        self._keys = {name: AES(keys[at : at + 32]) for name, at in (("trans", 0), ("store", 32), ("mac", 64))}
        self._anchor_file = self.path.with_name(self.path.name + ".anchor")
        self._anchor = self._read_anchor()

    @classmethod
    def create(cls, path: str | os.PathLike[str], passphrase: bytes, *, cost: Cost = Cost()) -> Self:  # noqa: B008
        """Makes new keys.

        Raises:
            BadArgumentError: the passphrase is empty.
            FileExistsError: there is a file of that name.
        """
        return cls._write(path, secrets.token_bytes(96), passphrase, cost)

    def copy(self, path: str | os.PathLike[str], passphrase: bytes, *, cost: Cost = Cost()) -> Self:  # noqa: B008
        """The same keys in another file under another passphrase, for another of the centre's servers.

        Raises:
            As `create`.
        """
        keys = b"".join(self._keys[name].key for name in ("trans", "store", "mac"))
        return self._write(path, keys, passphrase, cost)

    @classmethod
    def _write(cls, path: str | os.PathLike[str], keys: bytes, passphrase: bytes, cost: Cost) -> Self:
        if not passphrase:
            raise BadArgumentError("the passphrase is empty")
        file = Path(path)
        text = json.dumps({"keystore": seal(passphrase, keys, _CONTEXT, cost)})
        with open(file, "xb"):
            pass
        try:
            replace_file(file, text.encode() + b"\n")
        except BaseException:
            file.unlink()
            raise
        store = cls.__new__(cls)
        store.path = file
        store._load(keys)
        return store

    def close(self) -> None:
        """See `KeyStore.close`."""
        self._keys = {}
        self.native.close()

    def __repr__(self) -> str:
        return f"<FileKeyStore {str(self.path)!r}>"

    def anchor(self) -> Anchor | None:
        """See `KeyStore.anchor`."""
        return self._anchor

    def _read_anchor(self) -> Anchor | None:
        try:
            data = self._anchor_file.read_bytes()
        except FileNotFoundError:
            return None
        packed, tag = data[: _ANCHOR.size], data[_ANCHOR.size :]
        if not compare_digest(tag, self.mac(b"anchor" + packed)):
            raise BadBlobError(f"{self._anchor_file} was changed, or is another keystore's")
        return read_anchor(packed)

    def set_anchor(self, anchor: Anchor) -> None:
        """See `KeyStore.set_anchor`."""
        packed = write_anchor(above(anchor, self._anchor))
        replace_file(self._anchor_file, packed + self.mac(b"anchor" + packed))
        self._anchor = anchor

    def _key(self, name: str) -> AES:
        try:
            return self._keys[name]
        except KeyError:
            raise BadArgumentError("the keystore is closed") from None

    def _cmac(self, key: str, data: bytes) -> bytes:
        made = CMAC(self._key(key))
        made.update(data)
        return made.finalize()

    def _cbc(self, iv: bytes, data: bytes, encrypt: bool) -> bytes:
        cipher = Cipher(self._key("store"), CBC(iv))
        return (cipher.encryptor() if encrypt else cipher.decryptor()).update(data)

    def _rewrap(self, transport: bytes, iv: bytes, sealed: bytes) -> bytes:
        try:
            return self._cbc(iv, aes_key_unwrap(transport, sealed), True)
        except InvalidUnwrap:
            raise BadBlobError("the seed is not sealed by this device for this centre") from None
