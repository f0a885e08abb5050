"""The first part: a household. A device and a hub are paired by a user's secret, and renew their keys from what was said."""

import asyncio
import secrets
from typing import TYPE_CHECKING

from party import Trouble, agreed, only_what_was_said, readings

if TYPE_CHECKING:
    from stage import Stage

WORDS = "amber birch cedar delta ember fjord grove heron indigo juniper koala lotus maple nectar onyx pebble quartz raven".split()

NOTES = {
    "paired": "paired      {}",
    "session": "session     {}",
    "resumed": "the session goes on, under new keys",
    "keys": "long-term keys of generation {}",
}


async def play(stage: "Stage") -> tuple[list[tuple[str, str]], int]:
    """What there is to say of it in the summary; how many records were refused as seen before."""
    secret = "-".join(secrets.choice(WORDS) for _ in range(4))
    diagram = stage.diagram
    device = stage.party("device", "device", {**NOTES, "heard": "the hub: {}"})
    hub = stage.party("hub", "hub", {**NOTES, "heard": "{}"}, at_hub=True)
    await stage.python(hub, "hub_history.py", str(stage.folder / "hub"), "0")
    link = await stage.link(int(await hub.expect("ready")), "device", str(stage.options.seed))
    await stage.c(device, "device-history", "device", link)
    await device.expect("ready")
    diagram.start = stage.loop.time()
    diagram.act("a household: history")
    diagram.cast(device, hub)

    stage.phase(
        "Pairing",
        f"A person enters the same secret on both: {diagram.glyph('•', '*') * 12}. P1 to P6 show each side that the other "
        "knows it, and give nobody on the way anything to guess it by.",
    )
    hub.press(f"listen {secret}")
    device.press(f"pair {secret}")
    await agreed("paired", device, hub)

    stage.phase(
        "Exchange",
        "C1 to C5 and ACK: each proves that it has the keys of the pairing, and both draw a session's keys.",
    )
    device.press("connect")
    await agreed("session", device, hub)

    stage.phase("Data", "What this machine measures goes to the hub in sealed records, which both sides log. The hub answers.")
    await readings(device, hub, 3)

    stage.phase(
        "New keys, asked for by the device",
        "Of a message in the log, time, place and data become the new long-term keys: two of them are named in a sealed "
        "control record, and who has that message knows the third. The next exchange runs under them.",
    )
    device.press("update")
    await agreed("keys", device, hub)
    await agreed("session", device, hub)
    await readings(device, hub, 2)

    stage.phase("New keys, asked for by the hub", "Either side may ask. The log has begun anew, with the messages since.")
    hub.press("update")
    generation = await agreed("keys", device, hub)
    await agreed("session", device, hub)
    await readings(device, hub, 2)

    stage.phase(
        "A power cut",
        "The device is killed (SIGKILL) and started again with what it had stored. R1 to R3 bring the session back, under "
        "keys that were never used before.",
    )
    await device.kill()
    stage.kill("device")
    await asyncio.sleep(0.6)
    diagram.alive = True
    await stage.c(device, "device-history", "device", link)
    stored = await device.expect("ready")
    diagram.note(f"started: process {device.process.pid}", "green")
    diagram.note(f"it finds long-term keys of generation {stored}", "green")
    await agreed("resumed", device, hub)
    if stored != generation:
        raise Trouble(f"the device came back with generation {stored}, not {generation}; please report this")

    stage.phase("More data", "As if nothing had happened.")
    await readings(device, hub, 3)
    hub.press("close")
    device.press("close")
    refused = int(await device.expect("refused")) + int(await hub.expect("refused"))
    await asyncio.sleep(0.2)
    await device.end()
    await hub.end()

    heard, sent = only_what_was_said([device], hub)
    for file in stage.folder.rglob("*"):
        if file.is_file() and secret.encode() in file.read_bytes():
            raise Trouble(f"the secret is in {file}; please report this")
    return [
        ("readings", f"history: {heard} of {sent} arrived, none twice, none altered"),
        ("keys", f"history: generation {generation} on both sides, each made from what was said under the one before"),
    ], refused
