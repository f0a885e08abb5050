"""The errors. Each says what is wrong and how to mend it; nothing has changed when one is raised.

Codes from -1 to -99 are the core's, from -201 on why a ticket or credential is refused. Those between are the languages' own,
one table for all (C's are in ``iotkm.h``, `iotkm_status`), in which numbers are only ever added:

| code | C | Python | Kotlin, Swift |
|---|---|---|---|
| -101 to -103 | NULL, NOT_SET_UP, STRUCT_SIZE | | |
| -104, -105 | HOOK, INTERNAL | | `Store`, `Broken` |
| -106 | BUSY | `BusyError` | `Busy` |
| -107 to -109 | SCHEME, EMPTY, KEY_PENDING | | -108: `NotFound` |
| -110 | | `iotkm.pkcs11.TokenError` | |
| -111 | | `KeyFailedError` | `Vault` |
| -112 | | `iotkm.storage.StorageInUseError` | |
| -113 | | `iotkm.authority.PassphraseError` | |
| -114 | | `iotkm.aio.FailedError` | |
| -115 | | `iotkm.centre.TamperedError` | |
| -116 | | `iotkm.centre.StoreFailedError` | |
| -117 | | `iotkm.centre.BackupFailedError` | |
"""


class IotkmError(Exception):
    """The root of all errors of this package. What a peer sends never raises one: it is dropped and counted.

    ``code`` is stable and the same in every language; numbers are only ever added.

    >>> try:
    ...     raise NotEstablishedError("no session")
    ... except IotkmError as error:
    ...     error.code
    -2
    """

    code: int = 0


class BufferTooSmallError(IotkmError, ValueError):
    """A buffer that the caller gave is too small. Python's own calls never raise it."""

    code = -1
    needed: int = 0
    """Size in bytes that will do."""


class NotEstablishedError(IotkmError, ConnectionError):
    """There is no session yet, or it has ended: connect, and wait for `Established`."""

    code = -2


class WrongStateError(IotkmError, RuntimeError):
    """The call does not fit the state: a run of this kind is under way, or the object was given away."""

    code = -3


class UndrainedError(IotkmError, BlockingIOError):
    """Outputs are waiting: `poll` until `Idle`, then call again."""

    code = -4


class TooLongError(IotkmError, ValueError):
    """The payload is longer than a datagram of the configured size can hold."""

    code = -5
    max: int = 0
    """Longest payload in bytes."""


class BadArgumentError(IotkmError, ValueError):
    """An argument is out of range; the message says which."""

    code = -6


class RngError(IotkmError, OSError):
    """Randomness failed; where the caller's source raised, ``__cause__`` is what it raised."""

    code = -7


class KeyExhaustedError(IotkmError, RuntimeError):
    """The keys are used up and the peer has not followed to new ones: update or connect again."""

    code = -8


class BadBlobError(IotkmError, ValueError):
    """The blob does not open: damaged, another device's, or another kind of state."""

    code = -9


class BlobRolledBackError(IotkmError, ValueError):
    """The blob is older than the platform's monotonic counter says: an old copy was put back."""

    code = -10


class SuiteMismatchError(IotkmError, ValueError):
    """The suite, or its Diffie-Hellman, is not the one that this peer was paired with."""

    code = -11


class NoRecordError(IotkmError, LookupError):
    """The log holds no record that an update can use: exchange messages first."""

    code = -12


class LockedError(IotkmError, PermissionError):
    """Too many failed pairing attempts: ask the user, then unlock."""

    code = -13


class FullError(IotkmError, RuntimeError):
    """No room is left in the table that this needs."""

    code = -14


class NoCredentialError(IotkmError, RuntimeError):
    """This device has no ticket or credential that is valid now: install a new one."""

    code = -15


class SeedExpiredError(IotkmError, RuntimeError):
    """The key seed is not for this year: update it in time, or enrol the device anew."""

    code = -16


class RevokedError(IotkmError, PermissionError):
    """The centre has revoked this device: enrol it anew."""

    code = -17


class StoreError(IotkmError, OSError):
    """A centre's key database could not be read or written: nothing was answered; ``__cause__`` is what it raised."""

    code = -18


class KeyStoreError(IotkmError, OSError):
    """A centre's keystore cannot work now: unlock it, or put the token in; ``__cause__`` is what it raised."""

    code = -19


class TicketRefusedError(IotkmError, ValueError):
    """A ticket, a credential, a request for one or a revocation list is not accepted. ``code`` differs by ``reason``."""

    code = -201
    reason: str = ""
    """Why, in a word: ``"signature"``, ``"expired"``, ``"revoked"``, ``"not_canonical"`` and so on."""


class KeyFailedError(IotkmError, OSError):
    """A signature key or a static key did not do what it was asked; ``__cause__`` is what its callable raised."""

    code = -111


class BusyError(IotkmError, RuntimeError):
    """A callback (randomness, clock) called back into the object that had called it."""

    code = -106
