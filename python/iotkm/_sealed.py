"""Secrets at rest under a passphrase: Argon2id, then ChaCha20/Poly1305. Needs ``iotkm[ca]``."""

import secrets
from typing import NamedTuple

from argon2.exceptions import HashingError
from argon2.low_level import Type, hash_secret_raw
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from iotkm._errors import IotkmError


class Cost(NamedTuple):
    """What one guess at the passphrase costs: Argon2id's passes, memory in KiB, lanes. RFC 9106's second choice."""

    passes: int = 3
    kib: int = 65_536
    lanes: int = 4


class PassphraseError(IotkmError, PermissionError):
    """The passphrase does not open what is sealed under it, or it was not unlocked."""

    code = -113


def seal(passphrase: bytes, secret: bytes, context: bytes, cost: Cost) -> dict[str, object]:
    """What is stored of a secret, as JSON takes it. It opens with the same context only."""
    salt = secrets.token_bytes(16)
    under = seal_under(_stretch(passphrase, salt, cost), secret, context)
    return {"salt": salt.hex(), "cost": list(cost), **under}


def unseal(passphrase: bytes, stored: dict[str, object], context: bytes, whose: str) -> tuple[bytes, bytes]:
    """The secret, and the stretched passphrase, for `seal_under` and `unseal_under`. `whose` passphrase, for the error.

    Raises:
        PassphraseError: it is another passphrase, or what was stored has been changed.
        KeyError, TypeError, ValueError: it is not what `seal` made.
    """
    cost = stored["cost"]
    if not isinstance(cost, list):
        raise TypeError("the cost of the passphrase is no list")
    try:
        stretched = _stretch(passphrase, _bytes(stored["salt"]), Cost(*cost))
    except HashingError as error:
        raise ValueError(str(error)) from None
    return unseal_under(stretched, stored, context, f"the passphrase is not {whose}"), stretched


def seal_under(stretched: bytes, secret: bytes, context: bytes) -> dict[str, object]:
    """As `seal`, under a passphrase that is stretched already."""
    nonce = secrets.token_bytes(12)
    return {"nonce": nonce.hex(), "sealed": ChaCha20Poly1305(stretched).encrypt(nonce, secret, context).hex()}


def unseal_under(stretched: bytes, stored: dict[str, object], context: bytes, wrong: str) -> bytes:
    """As `unseal`; `wrong` is what the error says.

    Raises:
        PassphraseError: it does not open.
    """
    nonce, sealed = _bytes(stored["nonce"]), _bytes(stored["sealed"])
    try:
        return ChaCha20Poly1305(stretched).decrypt(nonce, sealed, context)
    except InvalidTag:
        raise PassphraseError(wrong) from None


def _bytes(text: object) -> bytes:
    if not isinstance(text, str):
        raise TypeError("hex digits are wanted")
    return bytes.fromhex(text)


def _stretch(passphrase: bytes, salt: bytes, cost: Cost) -> bytes:
    return hash_secret_raw(passphrase, salt, cost.passes, cost.kib, cost.lanes, hash_len=32, type=Type.ID)
