"""The second part: a fleet. An agent vouches for devices' keys by tickets; who has one talks to the hub, until it is revoked."""

import asyncio
from typing import TYPE_CHECKING

from party import Party, Trouble, agreed, only_what_was_said, readings

if TYPE_CHECKING:
    from stage import Stage

NOTES = {
    "session": "session     {}",
    "resumed": "the session goes on, under new keys",
    "keys": "master key of generation {}",
    "has": "stored: ticket {}",
}
PHASE_1 = ("M1", "M2", "M3", "M4")


class Fleet:
    """The hub, a lamp, and a switch that will be stolen."""

    def __init__(self, stage: "Stage") -> None:
        self.stage = stage
        notes = {**NOTES, "heard": "the hub: {}", "list": "stored: revocation list {}", "hint": "hub hints: {}"}
        at_hub = {"heard": "{}", "ended": "session with the {} ended", "refuses": "{}", "delivered": "shown: ticket {}"}
        self.hub = stage.party("hub", "fleet-hub", {**NOTES, **at_hub}, at_hub=True)
        self.lamp = stage.party("lamp", "lamp", notes)
        self.switch = stage.party("switch", "switch", {**notes, "ended": "the hub has ended the session"})
        self.port = 0
        self.issued: dict[str, str] = {}

    async def enrol(self, party: Party) -> str:
        """A ticket for what this party asks, on a factory's bench."""
        message = await self.stage.ask(f"request {await party.expect('request')}")
        party.press(f"ticket {message}")
        await party.expect("has")
        return message

    async def set_up(self) -> None:
        """The hub at work, each device with a ticket, no datagram sent."""
        stage = self.stage
        agent = stage.office.said("ready")[-1]
        await stage.python(self.hub, "hub_tickets.py", str(stage.folder / "fleet-hub"), "0")
        await self.hub.expect("ready")
        self.hub.press(f"provision hub {agent}")
        self.port = int(await self.hub.expect("bound"))
        self.links = {}
        for device in (self.lamp, self.switch):
            seed = f"{stage.options.seed} {device.title}"
            self.links[device.title] = await stage.link(self.port, device.title, seed)
            await self.start(device)
        stage.diagram.act("a fleet with tickets: interactive")
        stage.diagram.cast(self.lamp, self.hub)
        stage.phase(
            "Tickets",
            "In the factory. Each device makes its static key, which never leaves it; the operator's agent (Python, its key sealed "
            "under a passphrase) signs whose key that is.",
        )
        await self.enrol(self.hub)
        for device in (self.lamp, self.switch):
            device.press(f"provision {device.title} hub {agent}")
            self.hub.press(f"expect {device.title} {await self.enrol(device)}")
            await self.hub.expect("expects")

    async def start(self, device: Party) -> str:
        await self.stage.c(device, "device-tickets", f"fleet-{device.title}", self.links[device.title])
        return await device.expect("ready")


async def play(stage: "Stage") -> tuple[list[tuple[str, str]], int]:
    """What there is to say of it in the summary; how many records were refused as seen before."""
    fleet = Fleet(stage)
    diagram, lamp, hub, switch = stage.diagram, fleet.lamp, fleet.hub, fleet.switch
    await fleet.set_up()

    stage.phase(
        "First contact, tickets by value",
        "M1 to M4 carry both tickets and agree on a pairwise master key; nobody was paired. K1 to K4 draw a session's keys "
        "and the next master key from it.",
    )
    lamp.press("connect")
    await agreed("session", lamp, hub)
    by_value = diagram.phases[-1].sum(*PHASE_1)
    await readings(lamp, hub, 1)

    stage.phase(
        "New keys, and data with them",
        "Phase 2 alone, as often as one likes: whoever steals the master key now reads nothing of before. The lamp's reading "
        "goes with K3 in one datagram, the hub's answer with K4.",
    )
    count = len(hub.said("heard"))
    while len(hub.said("heard")) == count:  # what is lost on its way is the application's to say again
        lamp.press("report")
        await agreed("session", lamp, hub)

    stage.phase(
        "Phase 1 again, tickets by reference",
        "Both know the other's ticket by now, so that eight bytes stand for it.",
    )
    lamp.press("authenticate")
    await agreed("session", lamp, hub)
    by_reference = diagram.phases[-1].sum(*PHASE_1)
    await readings(lamp, hub, 1)

    stage.phase(
        "A power cut",
        "The lamp is killed (SIGKILL) and started again: its static key, ticket, master key and session are where it had "
        "stored them.",
    )
    await lamp.kill()
    stage.kill("lamp")
    await asyncio.sleep(0.6)
    diagram.alive = True
    stored = await fleet.start(lamp)
    diagram.note(f"started: process {lamp.process.pid}", "green")
    diagram.note(f"it finds a master key of generation {stored}", "green")
    await agreed("resumed", lamp, hub)

    stage.phase(
        "A new ticket while they talk",
        "The operator's hub brings the next ticket to the lamp in a record, until it is acknowledged; the lamp then shows it "
        "to its peers. Session and keys stay.",
    )
    message = await stage.ask("renew lamp")
    hub.press(f"give {message}")
    await lamp.expect("has")
    await hub.expect("delivered")
    await readings(lamp, hub, 1)

    stage.phase("A second device", "The switch comes to a session in the same way.")
    diagram.cast(switch, hub)
    switch.press("connect")
    await agreed("session", switch, hub)
    await readings(switch, hub, 1)

    stage.phase(
        "The switch is stolen",
        "The agent revokes its ticket. The hub ends their session, which one last record says, and tells every device that is left.",
    )
    message = await stage.ask("revoke switch")
    hub.press(f"give {message}")
    why = await hub.expect("refuses")
    diagram.who = "lamp"
    await lamp.expect("list")

    stage.phase(
        "The switch is turned away",
        "It has its key and its ticket still, and begins anew. The hub answers with a hint, and with nothing else.",
    )
    diagram.who = "switch"
    switch.press("authenticate")
    hint = await switch.expect("hint")
    await asyncio.sleep(0.3)
    if len(switch.said("session")) != 1:
        raise Trouble("a device with a revoked ticket came to a session; please report this")
    await switch.kill()

    stage.phase("The lamp goes on", "Its ticket was renewed, its keys are new, it knows whom not to talk to.")
    diagram.cast(lamp, hub)
    await readings(lamp, hub, 2)
    for party in (hub, lamp):
        party.press("close")
    refused = int(await lamp.expect("refused")) + int(await hub.expect("refused"))
    await asyncio.sleep(0.2)
    for party in (lamp, hub):
        await party.end()

    heard, sent = only_what_was_said([lamp, switch], hub)
    return [
        ("readings", f"interactive: {heard} of {sent} arrived, none twice, none altered"),
        ("phase 1", f"interactive: {by_value} bytes with the tickets themselves, {by_reference} by reference"),
        ("turned away", f"{why}; what it was told: {hint}"),
    ], refused
