"""``iotkm centre serve``."""

import asyncio
import contextlib
import json
import signal
import sys
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer

from iotkm import IotkmError, Received
from iotkm.cli._ca import Passphrase
from iotkm.cli._centre_open import Folder, Open, opened
from iotkm.cli._common import Json, address_of, fail, friendly, text_of

if TYPE_CHECKING:
    from iotkm.centre import CentreEvent, Server

_SNAPSHOT_SECONDS = 600.0
_TROUBLE_SECONDS = 10.0
_ALARMS = ("clone_suspected", "tampered")


class _Said:
    """What is told of the work, in words, as JSON or as lines of a log: of each secret, nothing. That it cannot be written, on a
    disk that is full, stops no work."""

    def __init__(self, as_json: bool, log: bool, quiet: bool) -> None:
        self._json, self._log, self._quiet = as_json, log, quiet
        self._last, self._again, self._times = "", 0.0, 0

    def event(self, id: bytes, event: "CentreEvent") -> None:
        name = event.value
        if self._last:
            self._last, self._times = "", 0
            if not self.log("info", "goes_on"):
                _print("iotkm: it goes on", sys.stderr)
        alarm = name in _ALARMS
        if self._quiet and name == "authenticated":
            return
        self.log("warning" if alarm else "info", name, device=text_of(id))
        if self._json:
            self._line({"device": text_of(id), "event": name})
        elif not self._log:
            _print(f"{text_of(id)}: {name.replace('_', ' ')}")

    def message(self, id: bytes, message: Received) -> None:
        # What devices say is theirs: of no log.
        self.log("info", "message", device=text_of(id), bytes=len(message.payload))
        text = message.payload.decode(errors="replace")
        if self._json:
            said = {"time": message.time, "place": message.place.decode(errors="replace"), "text": text}
            self._line({"device": text_of(id), "event": "message", **said, "hex": message.payload.hex()})
        elif not self._log:
            _print(f"{text_of(id)}> {text}")

    def trouble(self, error: Exception) -> None:
        """Each datagram meets the same one while it lasts: that is a line now and then, with how often it was."""
        text, now = str(error), time.monotonic()
        self._times += 1
        if text == self._last and now < self._again:
            return
        more = {"times": self._times} if self._times > 1 else {}
        self._last, self._again, self._times = text, now + _TROUBLE_SECONDS, 0
        if not self.log("error", "trouble", error=type(error).__name__, text=text, **more):
            _print(f"iotkm: {text}" + (f" ({more['times']} times)" if more else ""), sys.stderr)

    def control(self, call: str, id: bytes) -> None:
        self.log("info", "control", call=call, device=text_of(id))

    def started(self, host: str, port: int) -> None:
        if not self.log("info", "serving", address=f"{host}:{port}"):
            _print(f"serving on {host}:{port}", sys.stderr)

    def log(self, level: str, event: str, **more: Any) -> bool:
        """A line of the log, where there is one."""
        if self._log:
            at = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%f}Z"
            _print(json.dumps({"time": at, "level": level, "event": event, **more}), sys.stderr)
        return self._log

    def _line(self, values: dict[str, Any]) -> None:
        _print(json.dumps(values))


def _print(line: str, to: TextIO | None = None) -> None:
    with contextlib.suppress(OSError):
        print(line, file=to or sys.stdout, flush=True)


@friendly
def serve(
    folder: Folder,
    bind: Annotated[str, typer.Option(help="Address and port to receive on.")] = "0.0.0.0:5683",
    batch: Annotated[int, typer.Option(min=1, help="How many datagrams one commit is for, at most.")] = 256,
    sessions: Annotated[int, typer.Option(min=1, help="How many sessions are held, at most.")] = 10_000,
    answers: Annotated[
        int, typer.Option(min=1, help="How many answers are kept for devices that did not get them; 90 bytes each.")
    ] = 16_384,
    metrics: Annotated[str | None, typer.Option(help="Address and port for Prometheus to ask at.")] = None,
    log_json: Annotated[bool, typer.Option("--log-json", help="Log to standard error, a JSON object a line.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Do not tell each authentication.")] = False,
    passphrase_file: Passphrase = None,
    as_json: Json = False,
) -> None:
    """Authenticate devices over UDP, and print what happens, until Ctrl-C or SIGTERM. Beside it `invite`, `enrol`, `update` and
    their like are done by it, through a socket in the folder."""
    address = address_of(bind)
    scraped = address_of(metrics) if metrics is not None else None
    said = _Said(as_json, log_json, quiet)

    async def run(at: Open) -> None:
        from iotkm.centre import Control, OpenDesk, Server

        done = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            with contextlib.suppress(NotImplementedError):
                asyncio.get_running_loop().add_signal_handler(number, done.set)
        server = Server(
            at.centre,
            at.platform,
            bind=address,
            on_event=said.event,
            on_message=said.message,
            on_trouble=said.trouble,
            batch=batch,
            sessions=sessions,
        )
        with _metrics(server, at, scraped):
            async with server, Control(at.files.control, OpenDesk(at.centre), server.work, on_call=said.control):
                said.started(*server.address)
                copying = asyncio.create_task(_snapshots(at, said))
                await done.wait()
                copying.cancel()
                await asyncio.gather(copying, return_exceptions=True)
        said.log("info", "stopped")

    with opened(folder, passphrase_file, answers=answers) as at:
        asyncio.run(run(at))


@contextlib.contextmanager
def _metrics(server: "Server", at: Open, address: tuple[str, int] | None) -> Any:
    if address is None:
        yield
        return
    try:
        from prometheus_client import CollectorRegistry, ProcessCollector, start_http_server

        from iotkm.centre.metrics import CentreCollector
    except ModuleNotFoundError as error:
        if error.name != "prometheus_client":
            raise
        fail("--metrics needs prometheus-client, which is not installed: pip install 'iotkm[metrics]'")
    registry = CollectorRegistry()
    registry.register(CentreCollector(server, at.store, at.backups))
    ProcessCollector(registry=registry)
    try:
        http, thread = start_http_server(address[1], address[0], registry=registry)
    except OSError as error:
        fail(f"{error.strerror}: {address[0]}:{address[1]}, for --metrics")
    try:
        yield
    finally:
        http.shutdown()
        http.server_close()
        thread.join()


async def _snapshots(at: Open, said: _Said) -> None:
    while True:
        try:
            if at.backups.snapshot_due():
                await asyncio.to_thread(at.backups.snapshot, at.files.rows)
                said.log("info", "snapshot")
        except (IotkmError, OSError) as error:
            said.trouble(error)
        await asyncio.sleep(_SNAPSHOT_SECONDS)
