"""What ticket agent, operator and device say to each other, beside `Ticket` and `RevocationList`. Plain values.

>>> from iotkm import read_ticket_message
>>> match read_ticket_message(bytes.fromhex("820438cf")):
...     case Refusal(code):
...         print(code)
-208
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TicketRequest:
    """Operator to agent: a ticket for this device, please. That the key is the device's, the operator answers for."""

    device: str
    """The device's name, 1 to 32 bytes in UTF-8."""
    group: str
    """The group of its key: ``x25519``, ``p256``, ``ffc2048`` or ``ffc3072``."""
    key: bytes
    """Its public key: 32 (p256: x alone), 256 or 384 bytes."""
    lifetime: int
    """How long the ticket shall be valid, in seconds."""
    scope: str = ""
    """What the device may do: words, at most 32 bytes; or empty."""


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """Device to operator: what it now holds, in storage."""

    ticket: bytes
    """The reference of its newest ticket, or of its credential, 8 bytes."""
    list_number: int = 0
    """The number of its revocation list; 0: none."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """What came was not taken."""

    code: int
    """Why, as `TicketRefusedError.code`."""


@dataclass(frozen=True, slots=True)
class CredentialDue:
    """Operator to device: ask for your next credential (`Holder.ask`)."""


@dataclass(frozen=True, slots=True)
class CredentialAsked:
    """Device to operator: an answer to this request, please."""

    request: bytes
    """As `CredentialRequest.request`."""


@dataclass(frozen=True, slots=True)
class CredentialAnswer:
    """Operator to device: what answers its request."""

    answer: bytes
    """As `OperatorKey.issue` gave it."""


@dataclass(frozen=True, slots=True)
class Renewal:
    """A device in an `Operator`. Times are seconds since 1970."""

    device: str
    """Its name."""
    expires: int
    """When the ticket or the credential that it holds ends."""
    asked_at: int | None
    """When the agent (for a credential the device) was asked for the next one, where it has not answered."""
    waiting: bytes | None
    """The reference of what waits for the device."""
