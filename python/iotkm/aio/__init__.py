"""Associations over UDP with asyncio: one socket, many peers, their state in a storage.

Two devices that were paired before::

    async with aio.Hub("state", own_id=b"gateway", bind=("0.0.0.0", 5683)) as hub:
        sensor = hub.peer(b"sensor-7")
        await sensor.connect(("192.0.2.7", 5683))
        await sensor.send(b"how warm is it?")
        async for message in sensor:
            print(message.payload)

and how they came to know each other, off the network: ``await hub.listen("our secret")`` on one of them,
``await hub.pair(address, "our secret")`` on the other.

Two devices with tickets of one agent need no pairing: ``aio.Hub(..., wallet=wallet)``, then ``await hub.expect("sensor-7")``
on each side, and `Peer.connect` as above. With credentials it is ``aio.Hub(..., holder=holder)``. The hub stores wallet and holder.

An operator keeps its devices in tickets or credentials over the same associations: `Distributor` there, `Receiver` on the
devices.

State is stored before what depends on it is sent. A session survives a restart: the next `Hub` on the same storage goes on
with it (`Resumed`). Whatever arrives that is not for us is dropped and counted; it raises nothing.
"""

from iotkm.aio._distributor import Distributor
from iotkm.aio._hub import Hub
from iotkm.aio._peer import Address, FailedError, Peer
from iotkm.aio._receiver import Receiver
from iotkm.storage import Directory, Storage, StorageInUseError

KEY_SLOTS = (32_000, 32_001)
"""Where ``iotkm ca accept`` keeps a device's private keys: `Hub`'s ``key_slots``."""

__all__ = [
    "KEY_SLOTS",
    "Address",
    "Directory",
    "Distributor",
    "FailedError",
    "Hub",
    "Peer",
    "Receiver",
    "Storage",
    "StorageInUseError",
]
