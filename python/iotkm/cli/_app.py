"""The command and its parts; what is of the history scheme is in `_history`."""

import json
import sys
from pathlib import Path
from statistics import median, quantiles
from typing import Annotated, Any

import typer
from rich.progress import track

import iotkm
from iotkm import Platform, sim
from iotkm.cli import _ca, _centre, _chip, _enrol, _history, _stored
from iotkm.cli._common import Json, console, fail, for_people, friendly, show, suite_of
from iotkm.storage import Directory

app = typer.Typer(
    help="Key management for the Internet of Things.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(_history.app, name="history")
app.add_typer(_ca.app, name="ca")
app.add_typer(_centre.app, name="centre")
app.add_typer(_chip.app, name="chip")


def _version(value: bool) -> None:
    if value:
        print(iotkm.__version__)
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    pass


@app.command()
@friendly
def inspect(
    source: Annotated[str, typer.Argument(help="A file, - for standard input, or hex digits.")],
    cid_len: Annotated[int, typer.Option(min=0, max=8, help="Length of the receiver's connection id in bytes.")] = 0,
    state: Annotated[
        Path | None, typer.Option(help="The device's state folder: opens a stored peer of its, of any scheme.")
    ] = None,
    device: Annotated[
        str | None, typer.Option(help="With --state: the device's name, to open its wallet or its holder too.")
    ] = None,
    agent: Annotated[
        Path | None, typer.Option(help="With --device: the ticket agent of the wallet, as ca init --json printed it.")
    ] = None,
    operator: Annotated[
        Path | None, typer.Option(help="With --device: the operator of the holder, as ca suite --json prints it.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Say what a datagram, a ticket, a revocation list, a credential, a request or a stored blob is. Secrets are never shown.

    With --state it opens what that device stored: its peers, and with --device and --agent (or --operator) its wallet of tickets
    (or the holder of its credential).
    """
    data = _bytes(source)
    seen: dict[str, Any] = _enrol.about_printed(data) or dict(iotkm.inspect(data, cid_len=cid_len))
    if state is not None:
        with Directory(state) as storage:
            platform = Platform(storage.device_secret())
        seen |= _stored.about(seen["what"], data, platform, device, agent, operator)
    elif device is not None or agent is not None or operator is not None:
        fail("--device, --agent and --operator say what --state opens")
    show(seen if as_json else dict(for_people(seen)), as_json)


def _bytes(source: str) -> bytes:
    if source == "-":
        return _unhex(sys.stdin.buffer.read())
    try:
        return _unhex(Path(source).read_bytes())
    except OSError as error:  # also a name that is too long to be one
        try:
            return bytes.fromhex(source)
        except ValueError:
            if isinstance(error, FileNotFoundError):
                fail(f"there is no file {source}, and hex digits it is not")
            raise error from None


def _unhex(data: bytes) -> bytes:
    """Binary data as it is, hex digits as what they stand for."""
    try:
        return bytes.fromhex(data.decode("ascii"))
    except ValueError:
        return data


@app.command()
@friendly
def simulate(
    runs: Annotated[int, typer.Option(min=1, help="How many exchanges.")] = 100,
    seed: Annotated[int, typer.Option(help="Of the first run; the others count up. The same seed plays it again.")] = 0,
    loss: Annotated[float, typer.Option(min=0, max=100, help="Datagrams lost, each way, in %.")] = 30,
    duplicate: Annotated[float, typer.Option(min=0, max=100, help="Datagrams that come twice, in %.")] = 0,
    corrupt: Annotated[float, typer.Option(min=0, max=100, help="Datagrams with a bit flipped, in %.")] = 0,
    delay: Annotated[tuple[int, int], typer.Option(help="Shortest and longest delay in ms.")] = (10, 100),
    suite: Annotated[str, typer.Option(help="0 to 5, and s behind it: without Diffie-Hellman (4s).")] = "0",
    plot: Annotated[Path | None, typer.Option(help="Write a plot to this file (png, svg, pdf).")] = None,
    as_json: Json = False,
) -> None:
    """Run exchanges over a simulated lossy link, and say how long they took."""
    if delay[0] < 0 or delay[1] < delay[0]:
        fail("--delay takes the shorter time first, neither below 0")
    link = sim.Link(loss / 100, duplicate / 100, corrupt / 100, delay)
    chosen = suite_of(suite)
    seeds = track(range(seed, seed + runs), "exchanges", console=console(True), transient=True)
    outcomes = [sim.exchange(s, link, chosen) for s in seeds]
    good = [outcome for outcome in outcomes if outcome.established]
    times = [outcome.ms / 1000 for outcome in good]
    summary = {
        "runs": runs,
        "established": len(good),
        "failed_seeds": [outcome.seed for outcome in outcomes if not outcome.established],
        "seconds_median": median(times) if times else None,
        "seconds_95_percent": quantiles(times, n=20)[-1] if len(times) > 1 else None,
        "datagrams_mean": sum(o.datagrams for o in outcomes) / runs,
        "bytes_mean": sum(o.bytes for o in outcomes) / runs,
    }
    if plot is not None:
        _plot(plot, times, f"history, {chosen.name}: {runs} exchanges, {loss:g} % loss each way")
    if as_json:
        print(json.dumps(summary))
        return
    _histogram(times)
    show(summary, False)


def _histogram(times: list[float], rows: int = 10, width: int = 50) -> None:
    if not times:
        return
    step = max(max(times) / rows, 0.001)
    counts = [0] * rows
    for time in times:
        counts[min(int(time / step), rows - 1)] += 1
    for row, count in enumerate(counts):
        bar = "#" * round(count / max(counts) * width)
        console().print(f"{row * step:7.2f} to {(row + 1) * step:7.2f} s  {count:5}  {bar}", highlight=False)


def _plot(file: Path, times: list[float], title: str) -> None:
    try:
        import matplotlib
    except ModuleNotFoundError:
        fail("--plot needs matplotlib: pip install 'iotkm[plot]'")
    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 4))
    ordered = sorted(times)
    axes.step(ordered, [(i + 1) / len(ordered) * 100 for i in range(len(ordered))], where="post")
    axes.set(title=title, xlabel="seconds to a session on both sides", ylabel="exchanges done, %", ylim=(0, 100))
    axes.grid(alpha=0.3)
    figure.tight_layout()
    try:
        figure.savefig(file)
    except ValueError as error:
        fail(f"--plot {file}: {error}")


