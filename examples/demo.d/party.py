"""What the parts of the demo stand on: its programs, and what goes wrong."""

import asyncio
from collections import Counter
from pathlib import Path

from diagram import Diagram

HERE = Path(__file__).parent


class Trouble(Exception):
    """What went wrong, and how to mend it."""


class Party:
    """A program on the stage: what a person does goes in as lines, what happens comes out."""

    def __init__(self, title: str, diagram: Diagram, notes: dict[str, str], at_hub: bool, log: Path) -> None:
        self.title = title
        self.notes = notes
        self.diagram = diagram
        self.at_hub = at_hub
        self.log = log
        self.lines: list[tuple[str, str]] = []
        self.read = 0
        self.news = asyncio.Event()
        self.process: asyncio.subprocess.Process
        self.may_end = False
        self.listening: asyncio.Task[None]

    async def start(self, tasks: asyncio.TaskGroup, *command: str) -> None:
        # A session of its own: an interrupt from the keyboard is for this program alone, which then ends the others.
        with self.log.open("a") as errors:
            self.process = await asyncio.create_subprocess_exec(
                *command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=errors, start_new_session=True
            )
        self.may_end = False
        self.listening = tasks.create_task(self.listen())

    async def listen(self) -> None:
        assert self.process.stdout is not None
        async for raw in self.process.stdout:
            word, _, rest = raw.decode(errors="replace").strip().partition(" ")
            with self.log.open("a") as log:
                print(word, rest, file=log)
            if word in ("error", "failed"):
                raise Trouble(f"the {self.title} says: {rest}")
            if word in self.notes:
                self.diagram.note(self.notes[word].format(rest), at_hub=self.at_hub)
            self.lines.append((word, rest))
            self.news.set()
        status = await self.process.wait()
        if not self.may_end:
            raise Trouble(f"the {self.title} ended by itself, status {status}; its last words are in {self.log}")

    def press(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line.encode() + b"\n")

    async def expect(self, word: str) -> str:
        """What comes after this word, where it is said next."""
        while True:
            while self.read < len(self.lines):
                said, rest = self.lines[self.read]
                self.read += 1
                if said == word:
                    return rest
            self.news.clear()
            await self.news.wait()

    def said(self, word: str) -> list[str]:
        return [rest for said, rest in self.lines if said == word]

    async def kill(self) -> None:
        """As a power cut does: it gets no chance to do anything."""
        self.may_end = True
        self.process.kill()
        await self.listening

    async def end(self) -> None:
        """Its input ends, and so does it."""
        self.may_end = True
        if self.process.stdin is not None:
            self.process.stdin.close()
        await self.listening


async def agreed(word: str, device: Party, hub: Party) -> str:
    """What both sides say of it, which must be the same."""
    mine, its = await asyncio.gather(device.expect(word), hub.expect(word))
    if mine != its:
        raise Trouble(f"the two sides disagree ({word}): the {device.title} says {mine}, the hub {its}; please report this")
    return mine


async def readings(device: Party, hub: Party, count: int) -> None:
    """Has the device read and send until the hub has so many more, and the device an answer."""
    heard, answered = len(hub.said("heard")) + count, len(device.said("heard")) + 1
    while True:
        device.press("read")
        for _ in range(10):
            await asyncio.sleep(0.06)
            if len(hub.said("heard")) >= heard and len(device.said("heard")) >= answered:
                await asyncio.sleep(0.2)  # let what is on the way arrive
                return


def only_what_was_said(devices: list[Party], hub: Party) -> tuple[int, int]:
    """How many readings the hub heard, of how many that were sent; none that was not."""
    sent = sum((Counter(device.said("sent")) for device in devices), Counter[str]())
    heard = Counter(line.partition(": ")[2] for line in hub.said("heard"))
    if heard - sent:
        raise Trouble(f"the hub heard what no device ever said: {dict(heard - sent)}; please report this")
    return heard.total(), sent.total()
