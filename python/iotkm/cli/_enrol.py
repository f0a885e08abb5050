"""A device's part of ``iotkm ca``: it asks for a credential and takes what it was issued; and what is issued with its key."""

import asyncio
import json
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import iotkm
from iotkm import (
    Credential,
    CredentialAnswer,
    CredentialAsked,
    CredentialOperator,
    Holder,
    Platform,
    StaticKey,
    Suite,
    TicketRefusedError,
    VerifyKey,
    inspect,
    read_ticket_message,
    write_ticket_message,
)
from iotkm.aio import KEY_SLOTS
from iotkm.aio._hub import _HOLDER
from iotkm.aio._keys import Keys
from iotkm.cli._common import fail
from iotkm.storage import Directory

if TYPE_CHECKING:
    from iotkm.authority import Authority

_PRINTED = "printed credential"


def operator(path: Path) -> CredentialOperator:
    """Whose credentials a device goes by, as ``iotkm ca suite --json`` printed it."""
    try:
        about: dict[str, Any] = json.loads(path.read_text())
        suite = getattr(iotkm, about["suite"])
        lists = VerifyKey(about["lists_algorithm"], bytes.fromhex(about["lists_key"]))
        return CredentialOperator(about["operator"], key=bytes.fromhex(about["key"]), lists=lists, suite=suite)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        fail(f"{path} says nothing of an operator ({error}): make it with iotkm ca suite FILE SUITE --json")


class _Device:
    """A device's folder, as `iotkm.aio.Hub` has it."""

    def __init__(self, storage: Directory, name: str, of: CredentialOperator) -> None:
        self._storage = storage
        self.platform = Platform(storage.device_secret(), wall=lambda: int(time.time() * 1000))
        self.holder = Holder(self.platform, device=name, operator=of)
        if (blob := storage.read(_HOLDER)) is not None:
            self.holder.load(blob)

    def store(self) -> None:
        if self.holder.needs_store:
            blob, _ = self.holder.seal()
            self._storage.write(_HOLDER, blob)
            self.holder.persisted()

    def install(self, credential: Credential, key: StaticKey) -> None:
        """The key first, beside the one in use."""

        async def read(slot: int) -> bytes | None:
            return self._storage.read(slot)

        async def write(slot: int, data: bytes) -> None:
            self._storage.write(slot, data)

        async def work() -> None:
            keys = Keys(self.platform, (0, 1), KEY_SLOTS)
            await keys.load(self.holder, read)
            await keys.store(self.holder, credential, key, write)

        asyncio.run(work())
        self.holder.install(credential)
        self.store()


@contextmanager
def _device(state: Path, name: str, of: CredentialOperator) -> Iterator[_Device]:
    with Directory(state) as storage:
        yield _Device(storage, name, of)


def request(state: Path, name: str, of: CredentialOperator, out: Path) -> dict[str, Any]:
    """Writes a device's request to a file: the same one until it is answered."""
    with _device(state, name, of) as device:
        device.holder.ask()
        device.store()
        message = device.holder.request()
        assert message is not None, "it is stored"
        asked = read_ticket_message(message)
        assert isinstance(asked, CredentialAsked)
    out.write_bytes(asked.request)
    return {"device": name, "operator": of.name, "suite": of.suite, "request": str(out)}


def accept(state: Path, name: str, of: CredentialOperator, file: Path, passphrase: bytes | None) -> dict[str, Any]:
    """Takes an answer, or a printed credential, into a device's folder; the credential."""
    data = file.read_bytes()
    printed = _printed(data)
    with _device(state, name, of) as device:
        if printed is not None:
            credential, key = _opened(device.platform, printed, passphrase)
            device.holder.check(credential, key)
            device.install(credential, key)
        else:
            try:
                told = device.holder.handle(write_ticket_message(CredentialAnswer(data)))
            except TicketRefusedError as refused:
                if refused.reason not in ("signature", "claims", "key"):
                    raise
                fail(f"{file} is no answer of {of.name}'s to the request that {name} made in {state} ({refused.reason})")
            if isinstance(told, tuple):
                device.install(*told)
        own = device.holder.credential
        assert own is not None
        return inspect(bytes(own)) | {"suite": of.suite}


def issue_printed(
    agent: "Authority", name: str, suite: Suite, hours: int, out: Path, seal: bytes, device_secret: bytes | None
) -> dict[str, Any]:
    """Issues a credential with its key, into a file: sealed for the device that has this secret, or under a passphrase."""
    from iotkm._sealed import Cost
    from iotkm._sealed import seal as sealed_under

    to_device = device_secret is not None
    if device_secret is None:
        device_secret = secrets.token_bytes(32)
    elif len(device_secret) != 32:
        fail(f"a device secret has 32 bytes, not {len(device_secret)}")
    # Before anything is issued: where there is a file of that name, or no folder for it, nothing is.
    with os.fdopen(os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        try:
            now = int(time.time())
            credential, key = agent.issue_printed_knowing_the_private_key(name, suite=suite, now=now, hours=hours)
        except BaseException:
            out.unlink()
            raise
        sealed = key.seal(Platform(device_secret)).hex()
        about: dict[str, object] = {"what": _PRINTED, "suite": suite.name, "credential": bytes(credential).hex(), "key": sealed}
        if not to_device:
            about["under"] = sealed_under(seal, device_secret, _context(credential), Cost())
        json.dump(about, file)
    return inspect(bytes(credential)) | {"suite": suite.name, "file": str(out)}


def _printed(data: bytes) -> dict[str, Any] | None:
    try:
        about = json.loads(data)
    except ValueError:
        return None
    return about if isinstance(about, dict) and about.get("what") == _PRINTED else None


def about_printed(data: bytes) -> dict[str, Any] | None:
    """What anybody may see of a credential that was issued with its key; None: it is something else."""
    if (printed := _printed(data)) is None:
        return None
    try:
        credential = bytes.fromhex(printed["credential"])
        sealed = "under a passphrase" if "under" in printed else "for a device's secret"
        about: dict[str, Any] = {"what": _PRINTED, "suite": printed["suite"], "key": f"(sealed {sealed}, not shown)"}
        return about | {"credential": inspect(credential)}
    except (KeyError, TypeError, ValueError) as error:
        fail(f"the printed credential is damaged: {error}")


def is_printed_under_a_passphrase(file: Path) -> bool:
    """Whether it takes a passphrase to accept what is in a file."""
    printed = _printed(file.read_bytes())
    return printed is not None and "under" in printed


def _context(credential: Credential) -> bytes:
    return b"iotkm printed credential\0" + bytes(credential)


def _opened(here: Platform, printed: dict[str, Any], passphrase: bytes | None) -> tuple[Credential, StaticKey]:
    try:
        credential = Credential(bytes.fromhex(printed["credential"]), suite=getattr(iotkm, printed["suite"]))
        blob = bytes.fromhex(printed["key"])
        if "under" in printed:
            from iotkm._sealed import unseal

            here = Platform(unseal(passphrase or b"", printed["under"], _context(credential), "the one that sealed it")[0])
        return credential, StaticKey.restore(here, credential.group, blob)
    except iotkm.BadBlobError:
        fail("the key does not open: it was sealed for another device")
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        fail(f"the printed credential is damaged: {error}")
