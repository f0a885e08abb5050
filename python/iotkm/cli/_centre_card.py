"""``iotkm centre card``: a second token with the keys of the first."""

from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from iotkm.cli._ca import Passphrase, _passphrase, _wanting
from iotkm.cli._centre_open import Files, Folder, opened_keys
from iotkm.cli._common import Json, fail, friendly, show
from iotkm.storage import replace_file

if TYPE_CHECKING:
    from iotkm.pkcs11 import Token

app = typer.Typer(
    help="A second card (PKCS#11 token) with the centre's keys: order, trust, copy, install, use. They go wrapped from card to card.",
    no_args_is_help=True,
)

Module = Annotated[Path, typer.Option("--pkcs11", help="The PKCS#11 library of the second card.")]
Label = Annotated[str, typer.Option("--token", help="The second card's label.")]
Name = Annotated[str, typer.Option("--key-label", help="What the labels of the keys begin with.")]


def _card(module: Path, label: str, pin: bytes) -> "Token":
    def opened() -> "Token":
        from iotkm.pkcs11 import Token

        return Token(str(module.absolute()), label, pin.decode())

    return _wanting(opened)


def _of(folder: Path) -> tuple[Files, str, str, str]:
    files = Files.read(folder)
    if files.token is None:
        fail("this centre's keys are in a file, not in a card: iotkm centre init --pkcs11")
    return files, *files.token


@app.command()
@friendly
def order(
    out: Annotated[Path, typer.Argument(help="Where to write the order, for the main card.")],
    module: Module,
    label: Label,
    name: Name = "iotkm",
    passphrase_file: Passphrase = None,
    as_json: Json = False,
) -> None:
    """At the second card (initialised, its user's PIN set): make the key that the main one will wrap to."""
    with _card(module, label, _passphrase(passphrase_file)) as token:
        from iotkm.centre.token import request_card

        data = request_card(token, name)
    replace_file(out, data)
    show({"order": str(out), "digest": _digest(data)}, as_json)


@app.command()
@friendly
def trust(
    folder: Folder,
    order: Annotated[Path, typer.Argument(help="The second card's order.")],
    digest: Annotated[str, typer.Option(help="The order's digest, as it was told at the second card.")],
    passphrase_file: Passphrase = None,
    as_json: Json = False,
) -> None:
    """At the main card, its security officer with his own PIN: let the keys go to the card of this order."""
    _, module, label, name = _of(folder)
    data = order.read_bytes()
    if _digest(data) != digest.strip().lower():
        fail(f"this is another order: its digest is {_digest(data)}")
    pin = _passphrase(passphrase_file).decode()

    def trusted() -> None:
        from iotkm.centre.token import trust_card

        trust_card(module, label, pin, data, name)

    _wanting(trusted)
    show({"trusted": digest.strip().lower()}, as_json)


@app.command()
@friendly
def copy(
    folder: Folder,
    order: Annotated[Path, typer.Argument(help="The second card's order.")],
    out: Annotated[Path, typer.Option(help="Where to write the wrapped keys, for the second card.")],
    passphrase_file: Passphrase = None,
    as_json: Json = False,
) -> None:
    """At the main card: wrap the keys for the second one."""
    _of(folder)
    data = order.read_bytes()
    with opened_keys(folder, passphrase_file) as (_, keys, _):
        from iotkm.centre.token import TokenKeyStore

        assert isinstance(keys, TokenKeyStore)
        replace_file(out, keys.copy(data))
    show({"copy": str(out)}, as_json)


@app.command()
@friendly
def install(
    copy: Annotated[Path, typer.Argument(help="The keys that the main card wrapped.")],
    module: Module,
    label: Label,
    name: Name = "iotkm",
    passphrase_file: Passphrase = None,
    as_json: Json = False,
) -> None:
    """At the second card: put in the keys. It cannot give them on."""
    data = copy.read_bytes()
    with _card(module, label, _passphrase(passphrase_file)) as token:
        from iotkm.centre.token import install_card

        install_card(token, data, name)
    show({"token": label, "keys": "as the main card's"}, as_json)


@app.command()
@friendly
def use(
    folder: Folder,
    module: Module,
    label: Label,
    passphrase_file: Passphrase = None,
    as_json: Json = False,
) -> None:
    """Have the centre work with the second card from now on: the main one is lost, or rests. The card remembers the key database
    as it is now, so look at it first: iotkm centre audit."""
    files, _, _, name = _of(folder)
    with _card(module, label, _passphrase(passphrase_file)) as token:
        from iotkm.centre import audit
        from iotkm.centre._backup import Backups
        from iotkm.centre._sqlite import Rows
        from iotkm.centre.token import TokenKeyStore

        keys = TokenKeyStore(token, name)
        rows = Rows(files.rows, keys, read_only=True)
        head = rows.head()
        rows.close()
        if head is None:
            fail("the key database's version and root were changed: iotkm centre audit --repair, with the main card")
        known = keys.anchor()
        if known is None or known.version < head.version:
            keys.set_anchor(head)
        backups = Backups(files.backups, keys)
        try:
            report = audit(files.rows, keys, backups)
        finally:
            backups.close()
    files._replace(token=(str(module.absolute()), label, name)).write()
    said: dict[str, Any] = {"token": label, "rows": report.rows, "clean": report.clean}
    show(said, as_json)
    if not report.clean:
        raise typer.Exit(1)


def _digest(data: bytes) -> str:
    return sha256(data).hexdigest()
