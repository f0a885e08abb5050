"""The hub of the demo's second fleet: knows its devices by their credentials, and computes every epoch's key as they do.

    python hub_epochs.py FOLDER PORT

What its operator does comes as lines on standard input: ``provision NAME OPERATOR KEY LISTS``, ``answer MESSAGE``, then
``expect DEVICE`` and ``close``; keys and messages are in hexadecimal digits. At the end of input it ends.
"""

import asyncio
import sys

from lines import run, say, typed

from iotkm import (
    SUITE_4,
    CredentialOperator,
    CredentialRequest,
    Established,
    Event,
    Failed,
    Holder,
    Platform,
    Rekeyed,
    Resumed,
    VerifyKey,
    aio,
)

KEY = 20_000
"""Slot of the private key: above those of the peers."""


def happened(_: aio.Peer | None, event: Event) -> None:
    match event:
        case Established(fingerprint):
            say("session", fingerprint)
        case Resumed(generation):
            say("resumed", generation)
        case Rekeyed(generation):
            say("epoch", generation)
        case Failed(stage, reason):
            say("failed", f"{stage}: {reason}")


async def answer(device: aio.Peer) -> None:
    """Notes each reading, and tells the device so."""
    count = 0
    async for message in device:
        count += 1
        say("heard", f"{device.id.decode()}: {message.payload.decode()}")
        if device.is_established:
            await device.send(b"noted %d" % count)


async def main(folder: str, port: int) -> None:
    lines = await typed()

    async def words() -> list[str]:
        return (await lines.readline()).decode().split()

    with aio.Directory(folder) as storage:
        platform = Platform(storage.device_secret())
        say("ready")
        _, name, operator, key, lists = await words()
        holder = Holder(
            platform, device=name,
            operator=CredentialOperator(
                operator, key=bytes.fromhex(key), lists=VerifyKey("EdDSA", bytes.fromhex(lists)), suite=SUITE_4
            ),
        )  # fmt: skip
        asked = CredentialRequest(platform, name, suite=SUITE_4)
        say("request", asked.request.hex())
        _, message = await words()
        credential, private = holder.accept(asked, bytes.fromhex(message))
        storage.write(KEY, private.seal(platform))  # before the credential: without it that is nothing
        platform.set_key(0, private)
        holder.install(credential)
        say("has", f"{credential.serial} for {credential.device}, {len(bytes(credential))} bytes")
        hub = aio.Hub(
            storage, own_id=name.encode(), bind=("127.0.0.1", port), platform=platform, holder=holder, on_event=happened
        )
        async with hub, asyncio.TaskGroup() as tasks:
            say("bound", hub.address[1])
            answering = []
            while line := await words():
                match line:
                    case ["expect", device]:
                        answering.append(tasks.create_task(answer(await hub.expect(device))))
                        say("expects", device)
                    case ["close"]:
                        say("refused", sum(peer.association.drops.get("replayed", 0) for peer in hub))
            for task in answering:
                task.cancel()


if __name__ == "__main__":
    run(main(sys.argv[1], int(sys.argv[2])))
