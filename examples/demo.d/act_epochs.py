"""The third part: a fleet whose radio is dear. After one handshake both sides compute every key by themselves."""

import asyncio
from typing import TYPE_CHECKING

from party import Party, Trouble, agreed, only_what_was_said, readings

if TYPE_CHECKING:
    from stage import Stage

NOTES = {
    "session": "session     {}",
    "resumed": "goes on in epoch {}",
    "has": "stored: credential {}",
    "epoch": "epoch {}",
}
EPOCHS = 3
"""How many go by in silence."""
EPOCH = 2.0
"""Seconds, as device_epochs.c has it."""


async def enrol(stage: "Stage", party: Party) -> None:
    """A credential by split issue, on a factory's bench: what passes is not secret."""
    message = await stage.ask(f"credential {await party.expect('request')}")
    party.press(f"answer {message}")
    await party.expect("has")


async def reach(party: Party, epoch: int) -> None:
    """Until it is in that epoch, or a later one."""
    while max((int(said) for said in party.said("epoch")), default=0) < epoch:
        await party.expect("epoch")


def newest(*parties: Party) -> int:
    return max((int(said) for party in parties for said in party.said("epoch")), default=1)


async def play(stage: "Stage") -> tuple[list[tuple[str, str]], int]:
    """What there is to say of it in the summary; how many records were refused as seen before."""
    diagram = stage.diagram
    meter = stage.party("meter", "meter", {**NOTES, "heard": "the hub: {}"})
    hub = stage.party("hub", "meters-hub", {**NOTES, "heard": "{}"}, at_hub=True)
    await stage.python(hub, "hub_epochs.py", str(stage.folder / "meters-hub"), "0")
    operator = stage.office.said("operator")[-1]
    await hub.expect("ready")
    diagram.act("a fleet with credentials: noninteractive")
    stage.phase(
        "Credentials, by split issue",
        "In the factory. Half of a private key is drawn by the device, half by the operator (Python), who never learns the "
        "whole; from the credential and the operator's key anybody computes the public key.",
    )
    hub.press(f"provision hub {operator}")
    await enrol(stage, hub)
    link = await stage.link(int(await hub.expect("bound")), "meter", f"{stage.options.seed} meter")
    await stage.c(meter, "device-epochs", "meter", link)
    await meter.expect("ready")
    meter.press(f"provision meter hub {operator}")
    await enrol(stage, meter)
    hub.press("expect meter")
    await hub.expect("expects")

    stage.phase(
        "One handshake",
        "M1 to M4, with the credentials themselves. From here on a new epoch begins every two seconds (every hour in real life), "
        "and with it new keys.",
    )
    diagram.cast(meter, hub)
    meter.press("connect")
    await agreed("session", meter, hub)
    handshake = diagram.phases[-1].sum("M1", "M2", "M3", "M4")
    await readings(meter, hub, 2)

    stage.phase(
        "Epochs go by, and nothing is sent",
        "Each side computes the next keys by its own clock: three group operations, no message, and those of before are gone.",
    )
    begun = newest(meter, hub)
    await asyncio.gather(reach(meter, begun + EPOCHS), reach(hub, begun + EPOCHS))
    silent = diagram.phases[-1].counts["bytes"]
    if silent:
        raise Trouble(f"{silent} bytes were sent while nobody had anything to say; please report this")

    stage.phase("Data", "Under the keys of the epoch that both are in.")
    await readings(meter, hub, 2)

    stage.phase(
        "The meter sleeps, its clock too",
        "When it wakes up it is some epochs late, so that the hub cannot open what it says, and answers LAG. The meter hashes "
        "its way to the hub's epoch; a jump costs what one epoch costs.",
    )
    diagram.alive = False
    meter.press(f"sleep {int(EPOCHS * EPOCH * 1000)}")
    await meter.expect("awake")
    diagram.alive = True
    await readings(meter, hub, 2)
    if not diagram.phases[-1].sizes.get("LAG"):
        raise Trouble("the meter was late, and nobody told it; please report this")

    stage.phase(
        "A power cut",
        "The meter is killed (SIGKILL) and goes on from the epoch that it had stored, by R1 to R3, without a handshake.",
    )
    await meter.kill()
    stage.kill("meter")
    await asyncio.sleep(EPOCH)
    diagram.alive = True
    await stage.c(meter, "device-epochs", "meter", link)
    stored = await meter.expect("ready")
    diagram.note(f"started: process {meter.process.pid}", "green")
    diagram.note(f"it finds the chain of epoch {stored}", "green")
    await asyncio.gather(meter.expect("resumed"), hub.expect("resumed"))
    await readings(meter, hub, 1)
    for party in (meter, hub):
        party.press("close")
    refused = int(await meter.expect("refused")) + int(await hub.expect("refused"))
    await asyncio.sleep(0.2)
    for party in (meter, hub):
        await party.end()

    heard, sent = only_what_was_said([meter], hub)
    return [
        ("readings", f"noninteractive: {heard} of {sent} arrived, none twice, none altered"),
        ("epochs", f"noninteractive: {newest(meter, hub)}, after one handshake of {handshake} bytes; 0 bytes an epoch"),
    ], refused
