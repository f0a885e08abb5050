"""An operator's devices get their next credentials over associations: one has a clock and asks, one has none and is told to.

    python credential_service.py

The counterpart of `operator_service.py` in the noninteractive scheme. A part of the next private key is the device's own, so the
device asks; the operator answers each request once, whatever is lost, and here its power goes at the worst moment. Time is played.
"""

import asyncio
import tempfile
from pathlib import Path

from iotkm import (
    SUITE_2,
    Credential,
    CredentialOperator,
    CredentialRequest,
    Holder,
    Operator,
    OperatorKey,
    Platform,
    SigningKey,
    TicketAgent,
)
from iotkm.aio import KEY_SLOTS, Address, Directory, Distributor, Hub, Receiver

LOCAL = ("127.0.0.1", 0)
DAY = 86_400


class Office:
    """The operator's key and records: in real life `iotkm.authority.Authority`, whose `answer` keeps them in a file."""

    def __init__(self) -> None:
        self.now = 1_800_000_000
        self.platform = Platform(bytes(32))
        self.key = OperatorKey.generate(self.platform, suite=SUITE_2)
        self.numbers = TicketAgent("acme")
        self.numbers.seal(self.platform)
        self.numbers.persisted()
        lists = SigningKey("EdDSA", bytes(32)).public_key
        self.known = CredentialOperator("acme", key=self.key.public_key, lists=lists, suite=SUITE_2)
        self.records: dict[tuple[str, bytes], bytes] = {}
        self.power = True

    def issue(self, device: str, request: bytes) -> bytes:
        """The same answer to the same request."""
        if (device, request) not in self.records:
            answer = self.key.issue(self.platform, self.numbers, request, now=self.now, life=30 * 24)
            self.records[device, request] = answer  # stored, before it leaves
        return self.records[device, request]

    async def answer(self, device: str, request: bytes) -> tuple[Credential, bytes]:
        answer = self.issue(device, request)
        if not self.power:
            self.power = True
            raise OSError("the power went")
        return Credential(answer[:-32], suite=SUITE_2), answer


class Device:
    """A lamp, a switch, or the operator's own server: a holder, a folder, a socket."""

    def __init__(self, office: Office, name: str, folder: Path) -> None:
        self.name, self.office, self.storage = name, office, Directory(folder / name)
        self.platform = Platform(self.storage.device_secret(), wall=lambda: office.now * 1000)
        self.holder = Holder(self.platform, device=name, operator=office.known)
        self.hub = Hub(
            self.storage, own_id=name.encode(), bind=LOCAL, platform=self.platform, holder=self.holder, keys=(0, 1),
            key_slots=KEY_SLOTS,
        )  # fmt: skip

    async def enrol(self) -> Credential:
        """The first credential, at the factory's bench."""
        asked = CredentialRequest(self.platform, self.name, suite=SUITE_2)
        credential, key = self.holder.accept(asked, self.office.issue(self.name, asked.request))
        await self.hub.install(credential, key)
        return credential

    async def run(self, operator: Operator, at: Address, clock: bool, stop: asyncio.Event) -> None:
        """Comes up, says hello to the operator, and keeps its credential new until told to stop."""
        now = (lambda: self.office.now) if clock else None
        async with self.hub as hub, Receiver(hub, self.holder, "operator", now=now, lead=10 * DAY) as self.receiver:
            operator.knows(await self.enrol())
            await (await hub.expect("operator")).connect(at)
            await stop.wait()

    async def renewed(self) -> int:
        """The serial of its second credential."""
        while (own := self.holder.credential) is None or own.serial <= 3 or self.holder.needs_store:
            await asyncio.sleep(0.01)
        return own.serial


async def main(folder: Path) -> None:
    office, stop = Office(), asyncio.Event()
    here, lamp, switch = (Device(office, name, folder) for name in ("operator", "lamp", "switch"))
    operator = Operator(capacity=10_000, lead=3 * DAY, retry=DAY)
    with here.storage, lamp.storage, switch.storage:
        async with here.hub as hub:
            await here.enrol()
            for device in (lamp, switch):
                await hub.expect(device.name)
            async with (
                Distributor(hub, operator, now=lambda: office.now, answer=office.answer, again=0.2) as distributor,
                asyncio.TaskGroup() as running,
            ):
                for device in (lamp, switch):
                    running.create_task(device.run(operator, hub.address, device is lamp, stop))
                    await hub.peer(device.name).established()
                print("lamp   asks by its clock; the operator's power goes once the answer is in the records")
                office.now, office.power = office.now + 22 * DAY, False
                lamp.receiver.wake()
                print("lamp   has credential", await lamp.renewed())
                print("lamp   was issued", sum(name == "lamp" for name, _ in office.records), "in all")
                print("switch has no clock: it is told")
                office.now += 6 * DAY
                distributor.wake()
                print("switch has credential", await switch.renewed())
                stop.set()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as path:
        asyncio.run(main(Path(path)))
