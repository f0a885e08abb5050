"""The hub of the demo's first part: knows its devices, notes what they measure, answers each.

    python hub_history.py FOLDER PORT

FOLDER keeps what has to survive; port 0 is any. What a person does at the hub comes as lines on standard input:
``listen SECRET``, ``update``, ``close``; at the end of input it ends. What happens goes out as lines, for people and for
stage.py.
"""

import asyncio
import sys

from lines import run, say, typed

from iotkm import Established, Event, Failed, KeyReplaced, Paired, Resumed, UpdateAgreed, UpdateFailed, aio


def happened(_: aio.Peer | None, event: Event) -> None:
    match event:
        case Paired(fingerprint):
            say("paired", fingerprint)
        case Established(fingerprint):
            say("session", fingerprint)
        case Resumed(generation):
            say("resumed", generation)
        case UpdateAgreed(generation):
            say("agreed", generation)
        case KeyReplaced(generation):
            say("keys", generation)
        case Failed(stage, reason):
            say("failed", f"{stage}: {reason}")
        case UpdateFailed(reason):
            say("failed", f"update: {reason}")


async def answer(device: aio.Peer) -> None:
    """Notes each reading, and tells the device so."""
    count = 0
    async for message in device:
        count += 1
        say("heard", f"{message.place.decode()}: {message.payload.decode()}")
        if device.is_established:
            await device.send(b"noted %d" % count)


async def main(folder: str, port: int) -> None:
    lines = await typed()
    storage = aio.Directory(folder)
    async with (
        aio.Hub(storage, own_id=b"hub", bind=("127.0.0.1", port), place=b"hall", on_event=happened) as hub,
        asyncio.TaskGroup() as tasks,
    ):
        say("ready", hub.address[1])
        work = [tasks.create_task(answer(device)) for device in hub]
        while line := (await lines.readline()).decode().rstrip("\n"):
            match line.split(" ", 1):
                case ["listen", secret]:
                    work.append(tasks.create_task(answer(await hub.listen(secret))))
                case ["update"]:
                    await hub.peers[0].update()
                case ["close"]:
                    say("refused", hub.peers[0].history.drops.get("replayed", 0))
        for task in work:
            task.cancel()


if __name__ == "__main__":
    run(main(sys.argv[1], int(sys.argv[2])))
