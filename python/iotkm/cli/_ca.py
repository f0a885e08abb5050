"""``iotkm ca``: a ticket agent on the command line."""

import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from iotkm import (
    Credential,
    RevocationList,
    Suite,
    Ticket,
    TicketRefusedError,
    TicketRequest,
    inspect,
    read_ticket_message,
    write_ticket_message,
)
from iotkm.cli import _enrol
from iotkm.cli._common import Json, console, fail, for_people, friendly, show, suite_of

if TYPE_CHECKING:
    from iotkm.authority import Authority, Issued

_R = TypeVar("_R")

app = typer.Typer(
    help="A ticket agent: issue, renew and revoke tickets and credentials. A device: request and accept credentials.",
    no_args_is_help=True,
)

File = Annotated[Path, typer.Argument(help="The agent's SQLite file.")]
Device = Annotated[str | None, typer.Argument(help="The device's name.")]
Passphrase = Annotated[
    Path | None, typer.Option("--passphrase-file", help="Its first line; - is standard input. Else it is asked for.")
]
Days = Annotated[
    float | None, typer.Option(min=0.001, help="How long the tickets are valid, in days; else as long as was asked for.")
]


Scheme = Annotated[
    Literal["interactive", "noninteractive"], typer.Option(help="interactive: tickets; noninteractive: credentials.")
]


Known = Annotated[
    Path | None, typer.Option("--operator", help="What the device knows of its operator: as ca suite --json prints it.")
]


def _suite(text: str) -> Suite:
    """As `suite_of`, and the groups modulo a prime by their numbers, with or without the sign."""
    names = {"-21": "FFC2048", "21": "FFC2048", "-22": "FFC3072", "22": "FFC3072"}
    name = names.get(text, text.upper())
    if name not in ("0", "1", "2", "3", "4", "5", "FFC2048", "FFC3072"):
        fail(f"there is no suite {text} for credentials: 0 to 5, FFC2048, FFC3072")
    return suite_of(name)


def _passphrase(file: Path | None, confirm: bool = False) -> bytes:
    if file is None:
        if not sys.stdin.isatty():
            fail("there is nobody to ask for the passphrase: --passphrase-file")
        text: str = typer.prompt("passphrase", hide_input=True, confirmation_prompt=confirm, err=True)
        return text.encode()
    data = sys.stdin.buffer.readline() if str(file) == "-" else file.read_bytes().partition(b"\n")[0]
    return data.rstrip(b"\r\n")


def _wanting(call: Callable[..., _R], *arguments: Any, **named: Any) -> _R:
    """Calls what may need the library for tokens."""
    try:
        return call(*arguments, **named)
    except ModuleNotFoundError as error:
        if error.name != "pkcs11":
            raise
        fail("a key in a token needs python-pkcs11, which is not installed: pip install 'iotkm[pkcs11]'")


def _library() -> "type[Authority]":
    try:
        from iotkm.authority import Authority
    except ModuleNotFoundError as error:
        if error.name not in ("argon2", "cryptography"):
            raise
        fail(f"iotkm ca needs {error.name}, which is not installed: pip install 'iotkm[ca]'")
    return Authority


def _now() -> int:
    return int(time.time())


@app.command()
@friendly
def init(
    file: File,
    name: Annotated[str, typer.Option(help="The agent's name, as tickets will give it.")],
    algorithm: Annotated[str, typer.Option(help="EdDSA (Ed25519) or ES256.")] = "EdDSA",
    pkcs11: Annotated[
        Path | None, typer.Option(help="The PKCS#11 library of a token that makes the key and keeps it.")
    ] = None,
    token: Annotated[str | None, typer.Option(help="The token's label.")] = None,
    key_label: Annotated[str | None, typer.Option(help="The key's label in the token; else the agent's name.")] = None,
    suite: Annotated[
        list[str] | None,
        typer.Option(help="Issue credentials of this suite too: 0 to 5, FFC2048, FFC3072; may be given many times."),
    ] = None,
    passphrase_file: Passphrase = None,
    as_json: Json = False,
) -> None:
    """Make a new ticket agent. Its key lies in the file, sealed under the passphrase, or in a token, which the PIN opens; the
    operator's keys for credentials always in the file."""
    suites = [_suite(text) for text in suite or []]
    library = _library()
    place = None
    if pkcs11 is not None:
        from iotkm.authority import InToken

        if token is None:
            fail("--pkcs11 wants --token too: the token's label")
        place = InToken(str(pkcs11.absolute()), token, key_label or name)
    if place is not None and suites:
        fail("a token cannot issue credentials: make another agent for them, whose key lies in the file")
    word = _passphrase(passphrase_file, place is None)
    with _wanting(library.create, file, name, word, algorithm=algorithm, token=place) as agent:
        public = agent.public_key
        if suites:
            agent.unlock(word)
        keys = {f"credentials_{one.name.lower()}": agent.add_suite(one).key.hex() for one in suites}
        shown = {"agent": agent.name, "algorithm": public.algorithm, "public_key": bytes(public).hex()}
        show(shown | ({"token": place.token, "key": place.key} if place else {}) | keys, as_json)


@app.command("suite")
@friendly
def suite_(
    file: File,
    suite: Annotated[str, typer.Argument(help="0 to 5, FFC2048, FFC3072.")],
    passphrase_file: Passphrase = None,
    as_json: Json = False,
) -> None:
    """Issue credentials of one more suite from now on; print what devices have to know of the operator."""
    with _library()(file) as agent:
        if _suite(suite).name not in {known.name for known in agent.suites}:
            agent.unlock(_passphrase(passphrase_file))
        made = agent.add_suite(_suite(suite))
        lists = made.lists
        about = {"operator": made.name, "suite": made.suite, "key": made.key.hex()}
        show(about | {"lists_algorithm": lists.algorithm, "lists_key": bytes(lists).hex()}, as_json)


@app.command()
@friendly
def request(
    file: Annotated[Path, typer.Argument(help="The agent's SQLite file; the folder of a device that makes its request.")],
    device: Device = None,
    group: Annotated[Literal["x25519", "p256", "ffc2048", "ffc3072"], typer.Option(help="Of the key.")] = "x25519",
    key: Annotated[str, typer.Option(help="The device's public key in hex digits.")] = "",
    scope: Annotated[str, typer.Option(help="What the device may do.")] = "",
    days: Annotated[float, typer.Option(min=0.001, help="How long it shall be valid, in days.")] = 365,
    fleet: Annotated[
        Path | None, typer.Option(help="Many devices: JSON, one object a line, with device, group, key, scope and days.")
    ] = None,
    message: Annotated[
        list[Path] | None, typer.Option(help="A request as an operator sent it; may be given many times.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Do not ask: write the request to this file, as an operator sends it.")
    ] = None,
    scheme: Scheme = "interactive",
    suite: Annotated[str, typer.Option(help="Of the credential: 0 to 5, FFC2048, FFC3072.")] = "0",
    operator: Known = None,
    as_json: Json = False,
) -> None:
    """Ask for tickets: that each key is the device's, the operator answers for. `issue` makes them.

    With --scheme noninteractive for credentials. On the device: FILE is its folder, made where missing, --operator says whose
    credential, and --out where the request goes; its part of the key stays in the folder until `accept`. At the agent: the
    request that came, as --message.
    """
    if scheme == "noninteractive":
        if key or scope or fleet is not None:
            fail("a device makes its key and its request itself: --key, --scope and --fleet are for tickets")
        if operator is not None:
            if device is None or out is None or message:
                fail("on the device: iotkm ca request FOLDER DEVICE --scheme noninteractive --operator FILE --out FILE")
            show(_enrol.request(file, device, _enrol.operator(operator), out), as_json)
            return
        if device is not None or out is not None or not message:
            fail("at the agent --message FILE takes a device's request in; on the device --operator FILE --out FILE make it")
        with _library()(file) as agent:
            for path in message:
                agent.request_credential(path.read_bytes(), suite=_suite(suite), hours=max(1, round(days * 24)))
        return
    if operator is not None:
        fail("--operator is for credentials: --scheme noninteractive")
    wanted: list[dict[str, Any]] = []
    if device is not None:
        wanted.append({"device": device, "key": key})
    if fleet is not None:
        wanted += list(_fleet(fleet))
    asked = [_asked({"group": group, "scope": scope, "days": days} | one) for one in wanted]
    for path in message or []:
        read = read_ticket_message(path.read_bytes())
        if not isinstance(read, TicketRequest):
            fail(f"{path} is no request")
        asked.append(read)
    if not asked:
        fail("name a device, or give --fleet or --message")
    if out is not None:
        if len(asked) != 1:
            fail("--out writes one request")
        out.write_bytes(write_ticket_message(asked[0]))
        return
    with _library()(file) as agent:
        agent.request_all(asked)


def _fleet(file: Path) -> Iterator[dict[str, Any]]:
    """The devices of a file, one a line."""
    for number, line in enumerate(file.read_text().splitlines(), 1):
        if not line.strip():
            continue
        try:
            one = json.loads(line)
        except ValueError as error:
            fail(f"{file}, line {number} is no JSON: {error}")
        if not isinstance(one, dict):
            fail(f'{file}, line {number}: an object is wanted, as {{"device": "lamp-7", "key": "5a5a..."}}')
        yield one


_KEY_BYTES = {"x25519": 32, "p256": 32, "ffc2048": 256, "ffc3072": 384}


def _asked(one: dict[str, Any]) -> TicketRequest:
    """A request from what was said, or a word on what is wrong with it."""
    device, group = one.get("device", "?"), one.get("group")
    try:
        key = bytes.fromhex(one["key"])
        lifetime = round(float(one["days"]) * 86_400)
    except (KeyError, TypeError, ValueError, OverflowError):
        fail(f"request for {device}: device and key (in hex digits) are wanted, and days as a number")
    if group not in _KEY_BYTES:
        fail(f"request for {device}: there is no group {group}: {', '.join(_KEY_BYTES)}")
    if len(key) != _KEY_BYTES[group]:
        fail(f"request for {device}: a key of {group} has {_KEY_BYTES[group]} bytes, not {len(key)}")
    try:
        request = TicketRequest(str(device), group, key, lifetime, one["scope"])
        write_ticket_message(request)
    except (TicketRefusedError, TypeError, OverflowError):
        fail(f"request for {device}: names and scopes are 1 to 32 bytes of text without control characters, days above 0")
    return request


class _Bar:
    """A progress bar on standard error, where people are."""

    def __init__(self, what: str) -> None:
        columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self._bar = Progress(*columns, console=console(True), transient=True)
        self._task = self._bar.add_task(what, total=None)

    def __enter__(self) -> "_Bar":
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def __call__(self, done: int, total: int) -> None:
        self._bar.update(self._task, completed=done, total=total)


@app.command()
@friendly
def issue(file: File, days: Days = None, passphrase_file: Passphrase = None, as_json: Json = False) -> None:
    """Issue a ticket or a credential for every open request."""
    with _library()(file) as agent, _Bar("issuing") as bar:
        _wanting(agent.unlock, _passphrase(passphrase_file))
        count = agent.issue(days=days, now=_now(), progress=bar)
        count += agent.issue_credentials(hours=_hours(days), now=_now(), progress=bar)
    show({"issued": count}, as_json)


@app.command()
@friendly
def accept(
    folder: Annotated[Path, typer.Argument(help="The device's folder.")],
    device: Annotated[str, typer.Argument(help="The device's name.")],
    answer: Annotated[Path, typer.Argument(help="The answer (ca show --out), or what ca issue-printed wrote.")],
    operator: Annotated[Path, typer.Option(help="What the device knows of its operator: as ca suite --json prints it.")],
    passphrase_file: Passphrase = None,
    as_json: Json = False,
) -> None:
    """On the device: take its credential in, as the answer to its request or printed. The folder is then one for
    `iotkm.aio.Hub`, with key_slots=iotkm.aio.KEY_SLOTS. A passphrase opens a printed one."""
    word = _passphrase(passphrase_file) if _enrol.is_printed_under_a_passphrase(answer) else None
    seen = _enrol.accept(folder, device, _enrol.operator(operator), answer, word)
    show(seen if as_json else dict(for_people(seen)), as_json)


@app.command("issue-printed")
@friendly
def issue_printed(
    file: File,
    device: Annotated[str, typer.Argument(help="The device's name.")],
    out: Annotated[Path, typer.Option(help="Write credential and sealed key to this file, a new one.")],
    suite: Annotated[str, typer.Option(help="Of the credential: 0 to 5, FFC2048, FFC3072.")] = "0",
    days: Annotated[float, typer.Option(min=0.001, help="How long it is valid, in days.")] = 365,
    device_secret: Annotated[
        Path | None, typer.Option(help="Seal the key for the device whose own 32 secret bytes these are.")
    ] = None,
    seal_passphrase_file: Annotated[
        Path | None, typer.Option(help="Else: the passphrase that seals it, as --passphrase-file. Else it is asked for.")
    ] = None,
    passphrase_file: Passphrase = None,
    as_json: Json = False,
) -> None:
    """Issue a credential with its private key, for a device that cannot make a request. The agent then has known the key."""
    with _library()(file) as agent:
        _wanting(agent.unlock, _passphrase(passphrase_file))
        secret = None if device_secret is None else device_secret.read_bytes()
        word = _passphrase(seal_passphrase_file, seal_passphrase_file is None) if secret is None else b""
        if secret is None and not word:
            fail("the passphrase is empty")
        seen = _enrol.issue_printed(agent, device, _suite(suite), _hours(days) or 1, out, word, secret)
    console(True).print(
        f"warning: this agent has known the private key of {device}, and so does whoever opens {out}: bring it to the device "
        "where nobody reads it, then delete it. A request of the device's own has no such secret.",
        style="yellow", highlight=False, markup=False,
    )  # fmt: skip
    show(seen if as_json else dict(for_people(seen)), as_json)


def _hours(days: float | None) -> int | None:
    return None if days is None else max(1, round(days * 24))


@app.command()
@friendly
def renew(
    file: File,
    within: Annotated[float, typer.Option(min=0, help="Renew what ends within so many days.")] = 30,
    days: Days = None,
    scheme: Scheme = "interactive",
    passphrase_file: Passphrase = None,
    as_json: Json = False,
) -> None:
    """Issue the next ticket for each device whose last one ends soon. Interrupted, it goes on where it was.

    With --scheme noninteractive: the credentials whose devices have sent their next request, and the names of those that have
    to.
    """
    with _library()(file) as agent, _Bar("renewing") as bar:
        _wanting(agent.unlock, _passphrase(passphrase_file))
        if scheme == "interactive":
            result: dict[str, Any] = {"renewed": agent.renew(within=within, days=days, now=_now(), progress=bar)}
        else:
            count = agent.issue_credentials(hours=_hours(days), now=_now(), progress=bar)
            result = {"renewed": count, "to_send_requests": agent.credentials_due(within=within, now=_now())}
    show(result, as_json)


@app.command()
@friendly
def revoke(
    file: File,
    serial: Annotated[list[int], typer.Argument(help="Serials of the tickets and credentials.")],
    passphrase_file: Passphrase = None,
    out: Annotated[Path | None, typer.Option(help="Write the new revocation list to this file.")] = None,
    as_json: Json = False,
) -> None:
    """Revoke tickets and credentials, and issue the next revocation list."""
    with _library()(file) as agent:
        _wanting(agent.unlock, _passphrase(passphrase_file))
        made = agent.revoke(serial, now=_now())
        still = [line for one in serial for line in _still_valid(agent, one)]
    _give(made, {}, out, as_json)
    for line in dict.fromkeys(still):
        console(True).print(f"note: {line}", style="yellow", highlight=False, markup=False)


def _still_valid(agent: "Authority", serial: int) -> Iterator[str]:
    """Whoever is to be turned away has to lose all that it has."""
    device = agent.device_of(serial)
    for one, revoked in agent.tickets(device):
        if not revoked and one.expires > _now():
            yield f"{device} has ticket {one.serial} too, which is not revoked"
    for issued in agent.credentials(device):
        if not issued.revoked and issued.credential.expires > _now():
            yield f"{device} has credential {issued.credential.serial} too, which is not revoked"


def _give(thing: Ticket | RevocationList, more: dict[str, Any], out: Path | None, as_json: bool) -> None:
    if out is not None:
        out.write_bytes(bytes(thing))
    seen = inspect(bytes(thing)) | more
    show(seen if as_json else dict(for_people(seen)), as_json)


def _give_credential(issued: "Issued", out: Path | None, as_json: bool) -> None:
    if out is not None:
        if not issued.answer:
            fail("it was issued with its key (issue-printed): there is no answer to give")
        out.write_bytes(issued.answer)
    seen = inspect(bytes(issued.credential)) | {"suite": issued.suite, "revoked": issued.revoked}
    show(seen if as_json else dict(for_people(seen)), as_json)


@app.command("list")
@friendly
def list_(file: File, device: Device = None, as_json: Json = False) -> None:
    """List the tickets and the credentials, by serial."""
    with _library()(file) as agent:
        rows: list[tuple[Ticket | Credential, bool, dict[str, Any]]] = [
            *((ticket, revoked, {}) for ticket, revoked in agent.tickets(device)),
            *((one.credential, one.revoked, {"suite": one.suite}) for one in agent.credentials(device)),
        ]
        for ticket, revoked, more in sorted(rows, key=lambda row: row[0].serial):
            values = {"serial": ticket.serial, "device": ticket.device, "expires": ticket.expires, "revoked": revoked, **more}
            if as_json:
                print(json.dumps(values))
            else:
                ends = time.strftime("%Y-%m-%d", time.gmtime(ticket.expires))
                of = f"  {more['suite']}" if more else ""
                print(f"{ticket.serial:8}  {ends}  {'revoked' if revoked else '       '}  {ticket.device}{of}")


@app.command("show")
@friendly
def show_(
    file: File,
    what: Annotated[str, typer.Argument(help="A device's name, a serial, or revocations.")],
    out: Annotated[Path | None, typer.Option(help="Write it to this file; of a credential the device's answer.")] = None,
    scheme: Scheme = "interactive",
    as_json: Json = False,
) -> None:
    """Show a device's newest ticket, the ticket of a serial, or the newest revocation list; with --scheme noninteractive
    credentials in place of tickets."""
    with _library()(file) as agent:
        if scheme == "noninteractive" and what != "revocations":
            issued = agent.newest_credential(what)
            if issued is None and what.isdigit():
                issued = next((one for one in agent.credentials() if one.credential.serial == int(what)), None)
            if issued is None:
                fail(f"there is no credential {what}")
            _give_credential(issued, out, as_json)
            return
        found: Ticket | RevocationList | None = agent.newest(what)
        if found is None and what.isdigit():
            found = agent.ticket(int(what))
        if found is None and what == "revocations":
            found = agent.revocation_list()
        more = {"revoked": agent.is_revoked(found.serial)} if isinstance(found, Ticket) else {}
    if found is None:
        fail(f"there is no {what}")
    _give(found, more, out, as_json)
