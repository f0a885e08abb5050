"""What an operator and its devices say to each other, as it comes in."""

from typing import TYPE_CHECKING

from iotkm import Received, TicketRefusedError, read_ticket_message

if TYPE_CHECKING:
    from iotkm.aio._peer import Peer


def name(peer: "Peer") -> str:
    """The device's name."""
    return peer.id.decode(errors="replace")


def read(received: Received) -> object:
    """What a payload is of the tickets' messages; ``None``: none of them."""
    try:
        return read_ticket_message(received.payload)
    except TicketRefusedError:
        return None
