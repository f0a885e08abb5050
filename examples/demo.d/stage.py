"""The stage of examples/demo: starts a device and a hub, puts a bad link between them, has them go through what a device's
life brings, and draws what passes.

    python stage.py --device PROGRAM --folder FOLDER [--seed N] [--loss PERCENT] [--plain]

Whatever goes wrong says what, and how to mend it; the status is then 1. Both programs end with this one: their input ends.
"""

import argparse
import asyncio
import contextlib
import random
import secrets
import signal
import sys
from collections import Counter
from pathlib import Path

from diagram import Diagram
from link import Link

HERE = Path(__file__).parent
WORDS = "amber birch cedar delta ember fjord grove heron indigo juniper koala lotus maple nectar onyx pebble quartz raven".split()


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
        self.may_end = True
        if self.process.stdin is not None:
            self.process.stdin.close()
        await self.listening


class Stage:
    """What happens, from the first meeting to the end."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.loop = asyncio.get_running_loop()
        self.diagram = Diagram(self.loop.time(), options.plain)
        self.folder = Path(options.folder)
        notes = {
            "paired": "paired      {}",
            "session": "session     {}",
            "resumed": "the session goes on, under new keys",
            "keys": "long-term keys of generation {}",
        }
        self.device = Party("device", self.diagram, {**notes, "heard": "the hub: {}"}, False, self.folder / "device.log")
        self.hub = Party("hub", self.diagram, {**notes, "heard": "{}"}, True, self.folder / "hub.log")
        self.command = [options.device, str(self.folder / "device"), "127.0.0.1"]
        self.secret = "-".join(secrets.choice(WORDS) for _ in range(4))
        self.dots = self.diagram.glyph("•", "*") * 12

    def phase(self, title: str, text: str) -> None:
        self.diagram.phase(title, text, self.loop.time())

    async def both(self, word: str) -> str:
        """What both sides say of it, which must be the same."""
        mine, its = await asyncio.gather(self.device.expect(word), self.hub.expect(word))
        if mine != its:
            raise Trouble(f"the two sides disagree ({word}): the device says {mine}, the hub {its}; please report this")
        return mine

    async def readings(self, count: int) -> None:
        """Has the device read and send until the hub has so many more, and the device an answer."""
        heard, answered = len(self.hub.said("heard")) + count, len(self.device.said("heard")) + 1
        while True:
            self.device.press("read")
            for _ in range(10):
                await asyncio.sleep(0.06)
                if len(self.hub.said("heard")) >= heard and len(self.device.said("heard")) >= answered:
                    await asyncio.sleep(0.2)  # let what is on the way arrive
                    return

    async def play(self, tasks: asyncio.TaskGroup) -> None:
        device, hub = self.device, self.hub
        await hub.start(tasks, sys.executable, str(HERE / "hub.py"), str(self.folder / "hub"), "0")
        port = int(await hub.expect("ready"))
        link = Link(("127.0.0.1", port), self.options.seed, self.options.loss / 100, self.diagram.passed)
        await link.open()
        self.command.append(str(link.address[1]))
        await device.start(tasks, *self.command)
        await device.expect("ready")
        self.diagram.start = self.loop.time()
        self.diagram.head("device (C)", "hub (Python)")
        self.diagram.head(f"process {device.process.pid}", f"process {hub.process.pid}")

        self.phase(
            "Pairing",
            f"A person enters the same secret on both: {self.dots}. P1 to P6 show each side that the other knows it, and "
            "give nobody on the way anything to guess it by.",
        )
        hub.press(f"listen {self.secret}")
        device.press(f"pair {self.secret}")
        await self.both("paired")

        self.phase(
            "Exchange",
            "C1 to C5 and ACK: each proves that it has the keys of the pairing, and both draw a session's keys.",
        )
        device.press("connect")
        await self.both("session")

        self.phase("Data", "What this machine measures goes to the hub in sealed records, which both sides log. The hub answers.")
        await self.readings(3)

        self.phase(
            "New keys, asked for by the device",
            "Of a message in the log, time, place and data become the new long-term keys: two of them are named in a sealed "
            "control record, and who has that message knows the third. The next exchange runs under them.",
        )
        device.press("update")
        await self.both("keys")
        await self.both("session")
        await self.readings(2)

        self.phase("New keys, asked for by the hub", "Either side may ask. The log has begun anew, with the messages since.")
        hub.press("update")
        generation = await self.both("keys")
        await self.both("session")
        await self.readings(2)

        self.phase(
            "A power cut",
            "The device is killed (SIGKILL) and started again with what it had stored. R1 to R3 bring the session back, under "
            "keys that were never used before.",
        )
        await device.kill()
        self.diagram.alive = False
        self.diagram.note("killed", "red")
        await asyncio.sleep(0.6)
        self.diagram.alive = True
        await device.start(tasks, *self.command)
        stored = await device.expect("ready")
        self.diagram.note(f"started: process {device.process.pid}", "green")
        self.diagram.note(f"it finds long-term keys of generation {stored}", "green")
        await self.both("resumed")
        if stored != generation:
            raise Trouble(f"the device came back with generation {stored}, not {generation}; please report this")

        self.phase("More data", "As if nothing had happened.")
        await self.readings(3)
        hub.press("close")
        device.press("close")
        refused = int(await device.expect("refused")) + int(await hub.expect("refused"))
        await asyncio.sleep(0.2)
        now = self.loop.time()
        await device.end()
        await hub.end()
        link.close()
        self.finish(now, int(generation), refused)

    def finish(self, now: float, generation: int, refused: int) -> None:
        sent = Counter(self.device.said("sent"))
        heard = Counter(line.partition(": ")[2] for line in self.hub.said("heard"))
        if heard - sent:
            raise Trouble(f"the hub heard what the device never said: {dict(heard - sent)}; please report this")
        for file in self.folder.rglob("*"):
            if file.is_file() and self.secret.encode() in file.read_bytes():
                raise Trouble(f"the secret is in {file}; please report this")
        total = self.diagram.summary(now)
        counts = total.counts
        rows = [
            ("readings", f"{heard.total()} of {sent.total()} arrived, none twice, none altered"),
            (
                "losses survived",
                f"{counts['lost']} of {counts['datagrams']} datagrams ({100 * counts['lost'] // counts['datagrams']} %), "
                f"{counts['again']} sent again",
            ),
            ("copies", f"{counts['twice']} made by the link; {refused} records refused as seen before"),
            ("out of order", f"{counts['overtaking']} overtook earlier ones"),
            ("keys", f"generation {generation} on both sides, each made from what was said under the one before"),
            ("the link", f"--seed {self.options.seed} --loss {self.options.loss:g} plays the same losses again"),
        ]
        self.diagram.out()
        for what, how in rows:
            self.diagram.out("   " + self.diagram.paint(f"{what:17}", "bold") + how)
        self.diagram.out()


async def main(options: argparse.Namespace) -> int:
    task = asyncio.current_task()
    assert task is not None
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    stage = Stage(options)
    limit = 120 if options.loss <= 25 else 600
    try:
        async with asyncio.timeout(limit), asyncio.TaskGroup() as tasks:
            await stage.play(tasks)
    except TimeoutError:
        part = stage.diagram.phases[-1].title if stage.diagram.phases else "the start"
        return fail(
            f"not done after {limit} s, during: {part}. With much loss that can happen: try again with --loss 10; "
            "else something keeps UDP on 127.0.0.1 from passing",
            options,
        )
    except ExceptionGroup as group:
        trouble = group.subgroup(Trouble)
        if trouble is None:
            raise
        return fail(str(trouble.exceptions[0]), options)
    except asyncio.CancelledError:
        return 130
    finally:
        for party in (stage.device, stage.hub):
            with contextlib.suppress(AttributeError, ProcessLookupError):
                party.process.kill()
    return 0


def fail(text: str, options: argparse.Namespace) -> int:
    sys.stdout.flush()
    print(f"\ndemo: failed: {text}", file=sys.stderr)
    print(f"      the same losses again: examples/demo --seed {options.seed} --loss {options.loss:g}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--device", required=True)
    parser.add_argument("--folder", required=True)
    parser.add_argument("--seed", type=int, default=random.randrange(10_000))
    parser.add_argument("--loss", type=float, default=20)
    parser.add_argument("--plain", action="store_true")
    sys.exit(asyncio.run(main(parser.parse_args())))
