"""What may be shown of a device's own blobs, opened with its secret."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import iotkm
from iotkm import BadBlobError, CredentialPeer, Holder, Peer, Platform, TicketPeer, VerifyKey, Wallet, inspect
from iotkm.cli import _enrol, _history
from iotkm.cli._common import fail

_T = TypeVar("_T")

_GROUPS = ("SUITE_0", "SUITE_2", "SUITE_FFC2048", "SUITE_FFC3072")


def about(
    what: str, blob: bytes, platform: Platform, device: str | None, agent: Path | None, operator: Path | None
) -> dict[str, Any]:
    """What is in a blob of this kind; nothing where it is one that is not opened."""
    match what:
        case "stored peer":
            seen = _history.about(Peer.restore(platform, slot=0, blob=blob).info)
            del seen["slot"]
            return seen | {"keys": "(3 x 32 bytes, not shown)"}
        case "stored interactive peer":
            return _interactive(TicketPeer.restore(platform, slot=0, blob=blob))
        case "stored noninteractive peer":
            return _noninteractive(blob, platform)
        case "stored ticket wallet" if device is not None and agent is not None:
            return _wallet(blob, platform, device, agent)
        case "stored holder of a credential" if device is not None and operator is not None:
            return _holder(blob, platform, device, operator)
        case "stored ticket wallet":
            fail("a wallet is opened with --device NAME and --agent FILE too: its agent, as iotkm ca init --json printed it")
        case "stored holder of a credential":
            fail("a holder is opened with --device NAME and --operator FILE too: its operator, as iotkm ca suite --json prints it")
    return {}


def _interactive(peer: TicketPeer) -> dict[str, Any]:
    info = peer.info
    return {
        "peer": info.id,
        "own_id": info.own_id,
        "generation": info.generation,
        "pending": info.pending,
        "suite": info.suite,
        "peers_ticket": info.ticket and inspect(bytes(info.ticket)),
        "keys": "(not shown)",
    }


def _noninteractive(blob: bytes, platform: Platform) -> dict[str, Any]:
    # Which group it is of, only its length tells.
    for name in _GROUPS:
        try:
            info = CredentialPeer.restore(platform, slot=0, blob=blob, suite=getattr(iotkm, name)).info
            break
        except BadBlobError:
            if name == _GROUPS[-1]:
                raise
    return {
        "peer": info.id,
        "own_id": info.own_id,
        "epoch": info.epoch,
        "peers_credential": info.credential and inspect(bytes(info.credential)),
        "keys": "(not shown)",
    }


def _wallet(blob: bytes, platform: Platform, device: str, agent: Path) -> dict[str, Any]:
    try:
        said = json.loads(agent.read_text())
        name, key = said["agent"], VerifyKey(said["algorithm"], bytes.fromhex(said["public_key"]))
    except (KeyError, TypeError, ValueError) as error:
        fail(f"{agent} says nothing of a ticket agent ({error}): it is what iotkm ca init --json printed")
    wallet = _named(lambda: Wallet.restore(platform, device=device, agent=name, key=key, blob=blob), device, name)
    return {
        "device": device,
        "agent": name,
        "list_number": wallet.list_number,
        "at_least": wallet.floor,
        **{f"ticket_{number}": inspect(bytes(ticket)) for number, ticket in enumerate(wallet.tickets, 1)},
    }


def _holder(blob: bytes, platform: Platform, device: str, path: Path) -> dict[str, Any]:
    operator = _enrol.operator(path)
    holder = _named(
        lambda: Holder.restore(platform, device=device, operator=operator, blob=blob), device, operator.name
    )
    return {
        "device": device,
        "operator": operator.name,
        "suite": operator.suite,
        "list_number": holder.list_number,
        "at_least": holder.floor,
        "asking": holder.is_asking,
        "credential": holder.credential and inspect(bytes(holder.credential)),
        "keys": "(not shown)",
    }


def _named(restore: Callable[[], _T], device: str, issuer: str) -> _T:
    try:
        return restore()
    except BadBlobError:
        fail(f"the blob does not open: it is damaged, of another folder's device, or not {device}'s of {issuer}")
