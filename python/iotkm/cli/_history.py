"""``iotkm history``: devices that belong to one user."""

import asyncio
import contextlib
import os
import socket
import sys
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from iotkm import Event, PeerInfo, Platform, Received
from iotkm import Peer as StoredPeer
from iotkm.aio import Directory, Hub, Peer
from iotkm.cli._common import Json, State, address_of, console, fail, friendly, id_of, show, suite_of, text_of

app = typer.Typer(help="Devices that belong to one user: pair them, let them talk.", no_args_is_help=True)

_Id = Annotated[str, typer.Option("--id", envvar="IOTKM_ID", help="This device's id, 1 to 16 bytes; 0x for hex.")]
_Bind = Annotated[str, typer.Option(help="Address and port to receive on.")]
_Place = Annotated[str, typer.Option(help="Where this device is, at most 32 bytes; goes with every message.")]
_HOST = socket.gethostname()[:16]
_STATE = Path("iotkm-state")


def about(info: PeerInfo) -> dict[str, Any]:
    """What may be shown of a peer."""
    return {
        "peer": text_of(info.id),
        "own_id": text_of(info.own_id),
        "slot": info.slot,
        "generation": info.generation,
        "pending": info.pending,
        "suite": info.suite,
        "fingerprint": info.fingerprint,
    }


def _told(as_json: bool) -> Callable[[Peer | None, Event], None]:
    def tell(peer: Peer | None, event: Event) -> None:
        if not as_json:
            who = "pairing" if peer is None else text_of(peer.id)
            console(True).print(f"{who}: {event}", markup=False, highlight=False)

    return tell


@contextlib.asynccontextmanager
async def _hub(
    state: Path, own_id: str, bind: str, as_json: bool, place: str = "", suite: str = "0"
) -> AsyncIterator[Hub]:
    address, chosen = address_of(bind), suite_of(suite)
    with Directory(state) as storage:
        async with Hub(
            storage,
            own_id=id_of(own_id),
            bind=address,
            suite=chosen,
            place=place.encode(),
            on_event=_told(as_json),
        ) as hub:
            yield hub


def _secret(file: Path | None) -> str:
    if file is not None:
        text = sys.stdin.readline() if str(file) == "-" else file.read_text()
        return text.rstrip("\r\n")
    if "IOTKM_SECRET" in os.environ:
        return os.environ["IOTKM_SECRET"]
    answer: str = typer.prompt("The secret that both devices are told", hide_input=True, err=True)
    return answer


def _known(hub: Hub, name: str) -> Peer:
    try:
        return hub.peer(id_of(name))
    except KeyError:
        known = ", ".join(text_of(peer.id) for peer in hub) or "nobody"
        fail(f"{name} was never paired with this device, which knows {known}")


@app.command()
@friendly
def pair(
    address: Annotated[str | None, typer.Argument(help="The other device, host:port; none: let it come.")] = None,
    state: State = _STATE,
    own_id: _Id = _HOST,
    bind: _Bind = "0.0.0.0:5683",
    window: Annotated[float, typer.Option(min=1, help="How long to wait for the other device, in seconds.")] = 120,
    secret_file: Annotated[Path | None, typer.Option(help="Read the secret from it, - for standard input.")] = None,
    suite: Annotated[str, typer.Option(help="0 to 5, and s behind it: without Diffie-Hellman.")] = "0",
    place: _Place = "",
    as_json: Json = False,
) -> None:
    """Make two devices know each other by one secret, off the network.

    Run it on both: without an address on the one that waits, with that one's address on the other. The secret is asked
    for, or taken from IOTKM_SECRET.
    """
    secret = _secret(secret_file)
    to = None if address is None else address_of(address)

    async def run() -> PeerInfo:
        async with _hub(state, own_id, bind if to is None else "0.0.0.0:0", as_json, place, suite) as hub:
            if to is None:
                console(True).print(f"waiting on {hub.address[0]}:{hub.address[1]} for {window:g} s", highlight=False)
                peer = await hub.listen(secret, window=window)
                # The other side may have missed the last message, and ask again.
                await asyncio.sleep(2)
            else:
                async with asyncio.timeout(window):
                    peer = await hub.pair(to, secret)
            return peer.info

    try:
        show(about(asyncio.run(run())), as_json)
    except TimeoutError:
        fail(f"no answer from {address} within {window:g} s: is its window open?")


def _print(peer: Peer, message: Received, as_json: bool) -> None:
    values = {
        "peer": text_of(peer.id),
        "time": message.time,
        "place": message.place.decode(errors="replace"),
        "text": message.payload.decode(errors="replace"),
    }
    if as_json:
        show(values | {"hex": message.payload.hex()}, True)
    else:
        console().print(f"{values['peer']}> {values['text']}", markup=False, highlight=False)


@app.command()
@friendly
def listen(
    state: State = _STATE,
    own_id: _Id = _HOST,
    bind: _Bind = "0.0.0.0:5683",
    echo: Annotated[bool, typer.Option("--echo", help="Send every message back.")] = False,
    count: Annotated[int, typer.Option(min=0, help="End after so many messages; 0: never.")] = 0,
    place: _Place = "",
    as_json: Json = False,
) -> None:
    """Wait for paired devices and print what they say."""

    async def one(peer: Peer, left: asyncio.Semaphore, done: asyncio.Event) -> None:
        async for message in peer:
            _print(peer, message, as_json)
            if echo and peer.is_established:
                await peer.send(message.payload)
            if count:
                await left.acquire()
                if left.locked():
                    done.set()

    async def run() -> None:
        async with _hub(state, own_id, bind, as_json, place) as hub:
            if not hub.peers:
                fail("this device knows nobody yet: iotkm history pair")
            console(True).print(f"listening on {hub.address[0]}:{hub.address[1]}", highlight=False)
            done, left = asyncio.Event(), asyncio.Semaphore(count)
            tasks = [asyncio.create_task(one(peer, left, done)) for peer in hub]
            try:
                await done.wait()
            finally:
                for task in tasks:
                    task.cancel()

    asyncio.run(run())


@app.command()
@friendly
def connect(
    peer: Annotated[str, typer.Argument(help="The peer's id.")],
    address: Annotated[str | None, typer.Argument(help="Where it is, host:port; none: where it was last.")] = None,
    state: State = _STATE,
    own_id: _Id = _HOST,
    wait: Annotated[float, typer.Option(min=0, help="Seconds to wait for answers after the last line.")] = 1,
    limit: Annotated[float, typer.Option(min=1, help="Seconds to wait for the peer.")] = 30,
    update: Annotated[bool, typer.Option("--update", help="Then replace the key by one from what was said.")] = False,
    place: _Place = "",
    as_json: Json = False,
) -> None:
    """Come to a session with a paired device, send it the lines of standard input, print what it says."""
    to = None if address is None else address_of(address)

    async def run() -> None:
        async with _hub(state, own_id, "0.0.0.0:0", as_json, place) as hub:
            other = _known(hub, peer)
            async with asyncio.timeout(limit):
                fingerprint = await other.connect(to)
            if not as_json:
                console(True).print(f"session {fingerprint}", highlight=False)
            printing = asyncio.create_task(_print_all(other, as_json))
            lines = _lines()
            while line := await lines.get():
                await other.send(line.rstrip(b"\r\n"))
            await asyncio.sleep(wait)
            if update:
                async with asyncio.timeout(limit):
                    generation = await other.update()
                if not as_json:
                    console(True).print(f"the key is of generation {generation} now", highlight=False)
            printing.cancel()
            await asyncio.gather(printing, return_exceptions=True)

    try:
        asyncio.run(run())
    except TimeoutError:
        fail(f"no answer from {peer} within {limit:g} s: is it listening, and the address right?")


def _lines() -> "asyncio.Queue[bytes]":
    """The lines of standard input, an empty one at its end. A daemon reads them, so that Ctrl-C need not wait for it."""
    lines: asyncio.Queue[bytes] = asyncio.Queue()
    loop = asyncio.get_running_loop()
    stream = sys.stdin.buffer

    def read() -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended
            for line in iter(stream.readline, b""):
                loop.call_soon_threadsafe(lines.put_nowait, line)
            loop.call_soon_threadsafe(lines.put_nowait, b"")

    threading.Thread(target=read, daemon=True).start()
    return lines


async def _print_all(peer: Peer, as_json: bool) -> None:
    async for message in peer:
        _print(peer, message, as_json)


@app.command("show")
@friendly
def show_(state: State = _STATE, as_json: Json = False) -> None:
    """List the devices that this one knows. Keys are not shown."""
    if not state.is_dir():
        fail(f"there is no {state}: iotkm history pair makes it")
    with Directory(state) as storage:
        platform = Platform(storage.device_secret())
        for slot in storage.slots():
            if 0 < slot < 0x8000:
                peer = StoredPeer.restore(platform, slot=slot, blob=storage.read(slot) or b"")
                session = storage.read(slot | 0x8000) is not None
                show(about(peer.info) | {"session_stored": session}, as_json)


@app.command()
@friendly
def forget(peer: Annotated[str, typer.Argument(help="The peer's id.")], state: State = _STATE) -> None:
    """Erase what this device knows of a peer. The other side is not told."""

    async def run() -> None:
        async with _hub(state, _HOST, "127.0.0.1:0", True) as hub:
            await hub.forget(_known(hub, peer).id)

    asyncio.run(run())


@app.command()
@friendly
def unlock(state: State = _STATE) -> None:
    """Allow pairing again after too many failed attempts."""

    async def run() -> None:
        async with _hub(state, _HOST, "127.0.0.1:0", True) as hub:
            await hub.unlock()

    asyncio.run(run())


