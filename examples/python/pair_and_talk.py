"""Two devices in one program: pairing with a user's secret, messages, a new key from what was said, a restart.

    python pair_and_talk.py

In real life each half runs on a device of its own, with its own folder.
"""

import asyncio
import tempfile
from pathlib import Path

from iotkm.aio import Directory, Hub


async def lamp(hub: Hub) -> None:
    """Answers whatever the phone says."""
    async for message in hub.peer(b"phone"):
        print(f"  lamp   got {message.payload!r} from {message.place!r}")
        await hub.peer(b"phone").send(b"done: " + message.payload)


async def main(folder: Path) -> None:
    with Directory(folder / "lamp") as lamp_storage, Directory(folder / "phone") as phone_storage:
        async with Hub(lamp_storage, own_id=b"lamp", bind=("127.0.0.1", 0)) as lamp_hub:
            async with Hub(phone_storage, own_id=b"phone", bind=("127.0.0.1", 0), place=b"kitchen") as phone_hub:
                print("Pairing: the user enters the same secret on both, off the network.")
                window = asyncio.create_task(lamp_hub.listen("correct horse battery staple"))
                await asyncio.sleep(0.1)
                peer = await phone_hub.pair(lamp_hub.address, "correct horse battery staple")
                await window
                print(f"  both show {peer.info.fingerprint}")

                answering = asyncio.create_task(lamp(lamp_hub))
                print("Exchange:")
                print(f"  session {await peer.connect(lamp_hub.address)}")
                await peer.send(b"on")
                print(f"  phone  got {(await anext(peer)).payload!r}")
                print("Update: the next key comes from what was said.")
                print(f"  generation {await peer.update()}, both show {peer.info.fingerprint}")
                await peer.send(b"off")
                print(f"  phone  got {(await anext(peer)).payload!r}")

            print("The phone restarts: its session goes on from what it stored.")
            async with Hub(phone_storage, own_id=b"phone", bind=("127.0.0.1", 0), place=b"hall") as phone_hub:
                peer = phone_hub.peer(b"lamp")
                print(f"  session {await peer.connect()}")
                await peer.send(b"on again")
                print(f"  phone  got {(await anext(peer)).payload!r}")
                await peer.close()
            answering.cancel()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(main(Path(folder)))
