"""The hub of examples/demo: knows its devices, notes what they measure, answers each.

    python hub.py FOLDER PORT

FOLDER keeps what has to survive; port 0 is any. What a person does at the hub comes as lines on standard input:
``listen SECRET``, ``update``, ``close``; at the end of input it ends. What happens goes out as lines, for people and for
stage.py.
"""

import asyncio
import logging
import sys

from iotkm import Established, Event, Failed, IotkmError, KeyReplaced, Paired, Resumed, UpdateAgreed, UpdateFailed, aio


def say(*words: object) -> None:
    print(*words, flush=True)


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


async def typed() -> asyncio.StreamReader:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    return reader


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
    logging.basicConfig(level=logging.WARNING, format="warning %(message)s", stream=sys.stdout)
    try:
        asyncio.run(main(sys.argv[1], int(sys.argv[2])))
    except* (IotkmError, OSError) as trouble:
        say("error", trouble.exceptions[0])
        sys.exit(1)
