"""What `Association.poll` hands out: datagrams, writes, events. Plain values, without secrets, to be matched.

>>> from iotkm import Datagram
>>> match Datagram(to=b"addr", data=b"text"):
...     case Datagram(to, data):
...         print(to, data)
b'addr' b'text'
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from iotkm._errors import IotkmError
    from iotkm._iotkm import Accepted, Credential, Ticket


class Stage(StrEnum):
    """Which part of a protocol an event speaks of."""

    PAIRING = "pairing"
    EXCHANGE = "exchange"
    UPDATE = "update"
    RESUME = "resume"
    AUTHENTICATION = "authentication"
    PING = "ping"
    OTHER = "other"


class Reason(StrEnum):
    """Why a run ended or an update failed."""

    NO_ANSWER = "no_answer"
    """No answer within all tries: the peer is away, or no longer knows this key. If it stays so, pair again."""
    PAIR_AGAIN = "pair_again"
    """The peer proved that it has moved past this side's key (this side was rolled back): pair again."""
    UNKNOWN = "unknown"
    """The peer does not have the record, key or state that was named."""
    SUPERSEDED = "superseded"
    """The other side's run went first."""
    WRONG_SECRET = "wrong_secret"
    """The secret that the user entered is not the same on both sides."""
    LOCKED = "locked"
    """Too many failed attempts: the user has to open the window again."""
    NO_RECORD = "no_record"
    """The log holds no record that can be used."""
    CANCELLED = "cancelled"
    """The user or the application ended it."""
    RESOURCE = "resource"
    """Randomness or storage failed."""
    NO_SUITE = "no_suite"
    """No suite in common."""
    CREDENTIAL = "credential"
    """A ticket or a credential is not accepted, or is over: expired or revoked."""
    PSK = "psk"
    """One side has a psk for the other, which has none."""
    REVOKED = "revoked"
    """The centre has revoked this device, whose key seed is killed: enrol it anew."""
    SEED_EXPIRED = "seed_expired"
    """The key seed is not for this year: enrol the device anew."""
    OTHER = "other"
    """A reason that this version of the package has no name for."""


@dataclass(frozen=True, slots=True)
class Datagram:
    """Send these bytes to this address."""

    to: bytes
    """Where to: the caller's own form of an address, at most 22 bytes."""
    data: bytes
    """The datagram."""


@dataclass(frozen=True, slots=True)
class Persist:
    """Store these bytes in this slot, whole or not at all, then call `Association.persisted`.

    Datagrams that depend on them wait until then.
    """

    slot: int
    """The slot's number, 0 to 65535."""
    version: int
    """Counts the writes to this slot: a monotonic counter, where there is one, is set to it after the write."""
    data: bytes
    """The sealed blob."""


@dataclass(frozen=True, slots=True)
class Idle:
    """Nothing to do before `wake_at` (then call `Association.handle_timeout`), or before the next input."""

    wake_at: int | None
    """A time of the platform's clock in ms; ``None``: only input wakes it.

    Whoever stops its clock to sleep does so where this is far off: the other side forgets an unfinished run after 200 s, and
    this one asks it in vain until its tries are over.
    """


@dataclass(frozen=True, slots=True)
class Event:
    """Something that the application may want to know; the subclasses say what."""


@dataclass(frozen=True, slots=True)
class Established(Event):
    """The peer is authenticated and both directions have keys."""

    fingerprint: str
    """The session's fingerprint, the same on both sides."""
    initiator: bool
    """Whether this side started the run."""


@dataclass(frozen=True, slots=True)
class Resumed(Event):
    """The session went on from stored state under new keys."""

    generation: int
    """Generation of the new keys."""


@dataclass(frozen=True, slots=True)
class Rekeyed(Event):
    """Both directions moved to the next generation of record keys, or to an epoch."""

    generation: int
    """The new generation; with credentials the epoch."""


@dataclass(frozen=True, slots=True)
class RekeyNeeded(Event):
    """The keys are near the end of their use, or the last epoch has begun: start a key update or a new exchange."""


@dataclass(frozen=True, slots=True)
class Paired(Event):
    """Pairing is done and stored: both sides have the triple."""

    fingerprint: str
    """To be compared by people where there is doubt; the same on both sides."""


@dataclass(frozen=True, slots=True)
class UpdateAgreed(Event):
    """A key update was agreed; the next exchange runs under the new triple."""

    generation: int
    """Generation that the new triple will have."""


@dataclass(frozen=True, slots=True)
class UpdateFailed(Event):
    """A key update failed; the session lives on under its keys. `Reason.UNKNOWN`, perhaps several times, is normal after the
    peer's restart: its log is gone, and this side remembers records that it does not."""

    reason: Reason
    """Why."""


@dataclass(frozen=True, slots=True)
class KeyReplaced(Event):
    """The new triple replaced the old one, which is erased."""

    generation: int
    """Generation of the triple now in use."""


@dataclass(frozen=True, slots=True)
class Authenticated(Event):
    """Device and centre have authenticated each other; no session was asked for."""


@dataclass(frozen=True, slots=True)
class PeerAlive(Event):
    """The peer has answered a ping: it is there and has the common key."""


@dataclass(frozen=True, slots=True)
class Terminated(Event):
    """The session has ended, by this side or the peer; connect again to go on."""


@dataclass(frozen=True, slots=True)
class PeerMoved(Event):
    """The peer's newest record came from a new address, and the address answered a challenge."""

    to: bytes
    """The new address."""


@dataclass(frozen=True, slots=True)
class Hint(Event):
    """Something that nobody vouches for hints at this, and nothing has changed: to be shown to a user who waits."""

    reason: Reason
    """What it seems to be."""


@dataclass(frozen=True, slots=True)
class Failed(Event):
    """A run ended without its goal. While pairing, `Reason.WRONG_SECRET` on the side whose window is open means that one
    attempt failed; the window stays open.
    """

    stage: Stage
    """Which."""
    reason: Reason
    """Why."""


@dataclass(frozen=True, slots=True)
class StoreFailed(Event):
    """The store refused a write: what depends on it waits and is tried again."""

    slot: int
    """Where."""


@dataclass(frozen=True, slots=True)
class OtherEvent(Event):
    """An event that this version of the package has no class for."""

    text: str
    """What it says."""


@dataclass(frozen=True, slots=True)
class Received:
    """A message of the peer's application."""

    payload: bytes
    """What it sent."""
    time: int | None
    """The sender's wall-clock time in ms since 1970, where it had one."""
    place: bytes
    """The sender's location information, at most 32 bytes in the application's own format."""


@dataclass(frozen=True, slots=True)
class Assurance:
    """Who was authenticated by what, and what would survive which theft: for the application's policy."""

    authenticated: str
    """What the peer proved to know: ``paired_peer``, ``holder`` (the key of a ticket or a credential), ``enrolled``
    (the key seed of an enrolment), or ``nobody``."""
    forward_secrecy_since: int | None
    """Records before this time (platform clock, ms) stay secret if all that this device holds now is stolen."""
    healing_since: int | None
    """A passive thief of all that was held before this time reads nothing sent after it."""
    clock: bool
    """Whether wall-clock time was available in the newest call."""
    budget: int
    """Records that may still be sent under the current key generation."""


@dataclass(frozen=True, slots=True)
class PeerInfo:
    """What may be shown of a paired peer."""

    slot: int
    """The slot that it is stored in."""
    id: bytes
    """The peer's id, 1 to 16 bytes."""
    own_id: bytes
    """This device's own id towards that peer."""
    generation: int
    """How many key updates were completed."""
    pending: str
    """What is known of the triple that is to replace the current one: ``none``, ``answered`` or ``confirmed``."""
    suite: str
    """The suite that it was paired with, by its name."""
    fingerprint: str
    """80 bits for people, the same on both sides while both have the same triple."""


@dataclass(frozen=True, slots=True)
class TicketPeerInfo:
    """What may be shown of a peer with a ticket."""

    slot: int
    """The slot that it is stored in."""
    id: str | None
    """The peer's name; ``None``: nobody has come yet."""
    own_id: str
    """This device's name."""
    generation: int
    """How often the common key was replaced."""
    pending: str
    """What is known of the key that is to replace the current one: ``none``, ``answered`` or ``confirmed``."""
    suite: str | None
    """The suite that was agreed, by its name."""
    ticket: "Ticket | None"
    """The peer's ticket, where it is kept."""


@dataclass(frozen=True, slots=True)
class CredentialPeerInfo:
    """What may be shown of a peer with a credential."""

    slot: int
    """The slot that it is stored in."""
    id: str | None
    """The peer's name; ``None``: nobody has come yet."""
    own_id: str
    """This device's name."""
    epoch: int | None
    """The epoch that it has come to; ``None``: there was no handshake yet, or what came of it is over."""
    credential: "Credential | None"
    """The peer's credential, where it is kept."""


@dataclass(frozen=True, slots=True)
class ChipInfo:
    """What may be shown of a device's enrolment with a centre."""

    id: bytes
    """The device's id, 1 to 16 bytes."""
    centre: bytes
    """The centre's."""
    suite: str
    """The suite that it was enrolled with, by its name."""
    clockless: bool
    """Whether it was enrolled as a device without a clock."""
    generation: int
    """How often the key seed was replaced."""
    pending: str
    """What is known of the seed that is to replace it: ``none``, ``answered`` or ``confirmed``."""
    years: tuple[int, int]
    """The first year that the seed is still for, and the last one."""
    floor: int
    """The newest time that the centre gave, in seconds since 1970: it is at least that late."""
    confirmed: bool
    """Whether the centre has confirmed the enrolment."""
    revoked: bool
    """Whether the centre has revoked it: the seed is killed."""


@dataclass(frozen=True, slots=True)
class DeviceInfo:
    """What may be shown of a device's row in a centre's key database."""

    id: bytes
    """The device's id, 1 to 16 bytes."""
    version: int
    """How often the row was written."""
    standing: str
    """``enrolled``, ``revoked`` (it is told so when it comes next) or ``killed`` (it has said that its seed is)."""
    suite: str
    """The suite that it was enrolled with, by its name."""
    clockless: bool
    """Whether it was enrolled as a device without a clock."""
    generation: int
    """How often the key seed was replaced."""
    pending: str
    """What is known of the seed that is to replace it: ``none``, ``answered`` or ``confirmed``."""
    updating: bool
    """Whether a new seed is wanted and not there yet."""
    years: tuple[int, int]
    """The first year whose row is there, and the last one that the seed is for."""
    counter: int
    """The lowest counter that is taken from this device."""
    seen: int | None
    """When the device was authenticated last, in seconds since 1970; ``None``: never."""


@dataclass(frozen=True, slots=True)
class Signed:
    """Who signed, and when."""

    id: bytes
    """The device."""
    time: int
    """When, by its own clock, in seconds since 1970."""
    counter: int
    """How many micro-certificates and signatures it had made before."""


class CentreEvent(StrEnum):
    """What a device's datagram led to at its authentication centre."""

    AUTHENTICATED = "authenticated"
    """The device is authenticated."""
    UPDATE_AGREED = "update_agreed"
    """It is, and a new seed has been agreed on: it will come with that next."""
    KEY_REPLACED = "key_replaced"
    """It is, with its new seed: the old one is erased."""
    CHALLENGED = "challenged"
    """It is genuine, but was not fresh, and got a challenge: no clock, a wrong one, or a counter that is behind."""
    CLONE_SUSPECTED = "clone_suspected"
    """As before, and it used a counter that another one with the same seed has used: one of the two is a clone."""
    REVOKED = "revoked"
    """It is revoked, and has been told so."""
    KILLED = "killed"
    """It has killed its seed."""
    SEED_EXPIRED = "seed_expired"
    """Its seed is not for this year: enrol it anew. Nobody vouches for this."""
    TAMPERED = "tampered"
    """What is sealed in its row is not what was sealed there: restore it from the back-up."""
    OTHER = "other"
    """An event that this version of the package has no name for."""


@dataclass(frozen=True, slots=True)
class Handled:
    """What came of a datagram at a centre."""

    reply: bytes | None = None
    """What goes back to where it came from."""
    id: bytes | None = None
    """Whose it was, where something happened."""
    event: CentreEvent | None = None
    """What happened."""
    session: "Accepted | None" = None
    """A session that was granted, and takes the place of any that this device had: see `iotkm.centre.Served`."""
    error: "IotkmError | None" = None
    """Why nothing was answered, where database, keystore or randomness failed: the device asks again."""


Output = Datagram | Persist | Event | Idle
"""What `Association.poll` returns."""
