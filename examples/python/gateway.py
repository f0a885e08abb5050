"""A gateway: it makes devices known by a secret, then listens to all of them and writes what they say as CSV.

    python gateway.py STATE PORT pair SECRET      once for each device, off the network
    python gateway.py STATE PORT listen [COUNT]   from then on; ends after COUNT messages

A device for it: ``iotkm history pair HOST:PORT``, then ``iotkm history connect gateway HOST:PORT``.
"""

import asyncio
import csv
import sys
from datetime import UTC, datetime

from iotkm import Event, IotkmError
from iotkm.aio import Directory, Hub, Peer


def tell(peer: Peer | None, event: Event) -> None:
    """What happens is of interest to whoever runs the gateway; it holds no secret."""
    print("pairing" if peer is None else peer.id.decode(errors="replace"), event, file=sys.stderr)


async def listen(hub: Hub, count: int | None) -> None:
    table = csv.writer(sys.stdout)
    table.writerow(["time", "device", "place", "reading"])
    left = asyncio.Semaphore(0)

    async def read(peer: Peer) -> None:
        async for message in peer:
            sent = datetime.fromtimestamp((message.time or 0) / 1000, UTC).isoformat(timespec="milliseconds")
            texts = (part.decode(errors="replace") for part in (peer.id, message.place, message.payload))
            table.writerow([sent, *texts])
            sys.stdout.flush()
            left.release()

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(read(peer)) for peer in hub]
        if count is not None:
            for _ in range(count):
                await left.acquire()
            for task in tasks:
                task.cancel()


async def main(state: str, port: int, verb: str, *arguments: str) -> None:
    with Directory(state) as storage:
        async with Hub(storage, own_id=b"gateway", bind=("0.0.0.0", port), on_event=tell) as hub:
            if verb == "pair":
                print("waiting for a device", file=sys.stderr, flush=True)
                peer = await hub.listen(arguments[0])
                print(f"{peer.id.decode(errors='replace')} is known now; it should show {peer.info.fingerprint}")
                await asyncio.sleep(2)  # its last message may have to be answered again
            else:
                print(f"listening to {len(hub.peers)} devices", file=sys.stderr, flush=True)
                await listen(hub, int(arguments[0]) if arguments else None)


if __name__ == "__main__":
    if len(sys.argv) < 4 or sys.argv[3] not in ("pair", "listen") or (sys.argv[3] == "pair" and len(sys.argv) < 5):
        sys.exit(__doc__)
    try:
        asyncio.run(main(sys.argv[1], int(sys.argv[2]), *sys.argv[3:]))
    except (IotkmError, OSError) as error:
        sys.exit(f"gateway: {error}")
    except KeyboardInterrupt:
        pass
