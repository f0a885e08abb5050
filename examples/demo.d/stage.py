"""The stage of examples/demo: starts devices, hubs and an operator's office, puts a bad link between them, has them go through what
their lives bring, and draws what passes.

    python stage.py --programs FOLDER --folder FOLDER [--seed N] [--loss PERCENT] [--plain]

Whatever goes wrong says what, and how to mend it; the status is then 1. All programs end with this one: their input ends.
"""

import argparse
import asyncio
import contextlib
import random
import signal
import sys
from functools import partial
from pathlib import Path

import act_centre
import act_epochs
import act_history
import act_tickets
from diagram import Diagram
from link import Link
from party import HERE, Party, Trouble

LIMIT = 240
"""Seconds that all may take; with more than a quarter lost five times as many."""


class Stage:
    """What the acts play on."""

    def __init__(self, options: argparse.Namespace, tasks: asyncio.TaskGroup) -> None:
        self.options = options
        self.tasks = tasks
        self.loop = asyncio.get_running_loop()
        self.folder = Path(options.folder)
        self.diagram = Diagram(self.loop.time(), options.plain)
        self.parties: list[Party] = []
        self.links: list[Link] = []
        self.office = self.party("operator's office", "office", {})

    def phase(self, title: str, text: str) -> None:
        self.diagram.phase(title, text, self.loop.time())

    def party(self, title: str, file: str, notes: dict[str, str], at_hub: bool = False) -> Party:
        """A program that keeps its log in this file, and what is drawn of what it says."""
        party = Party(title, self.diagram, notes, at_hub, self.folder / f"{file}.log")
        self.parties.append(party)
        return party

    async def python(self, party: Party, file: str, *arguments: str) -> None:
        await party.start(self.tasks, sys.executable, str(HERE / file), *arguments)

    async def c(self, party: Party, program: str, state: str, link: Link) -> None:
        device = Path(self.options.programs) / program
        await party.start(self.tasks, str(device), str(self.folder / state), "127.0.0.1", str(link.address[1]))

    async def link(self, hub_port: int, name: str, seed: str) -> Link:
        """A bad link between the device of this name and the hub."""
        link = Link(("127.0.0.1", hub_port), seed, self.options.loss / 100, partial(self.diagram.passed, name))
        await link.open()
        self.links.append(link)
        return link

    async def open_office(self) -> None:
        """The operator's office begins to work."""
        await self.python(self.office, "agent.py", str(self.folder / "office"))
        await self.office.expect("ready")

    async def ask(self, line: str) -> str:
        """What the office answers; it is not on the air."""
        self.office.press(line)
        answer = await self.office.expect("message")
        word = "revoked" if line.startswith("revoke ") else "issued"
        what = "credential " if line.startswith("credential ") else "" if word == "revoked" else "ticket "
        text = f"operator: {word} {what}{self.office.said(word)[-1]}"
        self.diagram.out(" " * 15 + self.diagram.paint(text, "magenta"))
        return answer

    def kill(self, device: str) -> None:
        self.diagram.alive = False
        self.diagram.note(f"{device} killed", "red")

    def close(self) -> None:
        for link in self.links:
            link.close()
        for party in self.parties:
            with contextlib.suppress(AttributeError, ProcessLookupError):
                party.process.kill()


def finish(stage: Stage, end: float, rows: list[tuple[str, str]], refused: int) -> None:
    """The table of the parts, and what there is to say of all of it."""
    diagram, options = stage.diagram, stage.options
    counts = diagram.summary(end).counts
    rows += [
        (
            "losses survived",
            f"{counts['lost']} of {counts['datagrams']} datagrams ({100 * counts['lost'] // counts['datagrams']} %), "
            f"{counts['again']} sent again",
        ),
        ("copies", f"{counts['twice']} made by the link; {refused} records refused as seen before"),
        ("out of order", f"{counts['overtaking']} overtook earlier ones"),
        ("the link", f"--seed {options.seed} --loss {options.loss:g} plays the same losses again"),
    ]
    diagram.out()
    before = ""
    for what, how in rows:
        diagram.out("   " + diagram.paint(f"{'' if what == before else what:17}", "bold") + how)
        before = what
    diagram.out()


async def play(stage: Stage) -> None:
    rows, refused = [], 0
    await stage.open_office()
    for act in (act_history.play, act_tickets.play, act_epochs.play, act_centre.play):
        more, twice = await act(stage)
        rows += more
        refused += twice
    order = [what for what, _ in rows]
    rows.sort(key=lambda row: order.index(row[0]))  # what is said of several acts stands together
    await stage.office.end()
    finish(stage, stage.loop.time(), rows, refused)


async def main(options: argparse.Namespace) -> int:
    task = asyncio.current_task()
    assert task is not None
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    limit = LIMIT if options.loss <= 25 else 5 * LIMIT
    stage: Stage | None = None
    try:
        async with asyncio.timeout(limit), asyncio.TaskGroup() as tasks:
            stage = Stage(options, tasks)
            await play(stage)
    except TimeoutError:
        part = stage.diagram.phases[-1].title if stage and stage.diagram.phases else "the start"
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
        if stage is not None:
            stage.close()
    return 0


def fail(text: str, options: argparse.Namespace) -> int:
    sys.stdout.flush()
    print(f"\ndemo: failed: {text}", file=sys.stderr)
    print(f"      the same losses again: examples/demo --seed {options.seed} --loss {options.loss:g}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--programs", required=True)
    parser.add_argument("--folder", required=True)
    parser.add_argument("--seed", type=int, default=random.randrange(10_000))
    parser.add_argument("--loss", type=float, default=15)
    parser.add_argument("--plain", action="store_true")
    sys.exit(asyncio.run(main(parser.parse_args())))
