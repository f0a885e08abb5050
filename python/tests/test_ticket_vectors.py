"""The vectors of tickets, by this package and, for every value on the way, by other libraries."""

import dataclasses
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import iotkm
from iotkm import (
    Acknowledged,
    Operator,
    Platform,
    Refusal,
    RevocationList,
    SigningKey,
    StaticKey,
    Ticket,
    TicketAgent,
    TicketRefusedError,
    TicketRequest,
    VerifyKey,
    Wallet,
    read_ticket_message,
    write_ticket_message,
)

FILE = Path(__file__).parents[2] / "tests" / "vectors" / "primitives" / "tickets.json"
VECTORS: dict[str, Any] = json.loads(FILE.read_text())
RENEWAL: dict[str, Any] = json.loads((FILE.parent / "renewal.json").read_text())
AGENTS = VECTORS["agents"]


def signer(vector: dict[str, Any]) -> SigningKey:
    about = AGENTS[vector["agent"]]
    key = SigningKey(about["algorithm"], bytes.fromhex(about["secret"]))
    assert bytes(key.public_key).hex() == about["public"]
    return key


def claims_of(vector: dict[str, Any]) -> dict[int, Any]:
    """What the payload says, in the order that it has there."""
    agent, key = AGENTS[vector["agent"]]["name"], bytes.fromhex(vector["key"])
    cose: dict[int, Any] = {
        "x25519": {1: 1, -1: 4, -2: key},
        "p256": {1: 2, -1: 1, -2: key, -3: False},
        "ffc2048": {1: -65558, -1: -21, -2: key},
        "ffc3072": {1: -65558, -1: -22, -2: key},
    }[vector["group"]]
    begins = {} if vector["not_before"] is None else {5: vector["not_before"]}
    scope = {9: vector["scope"]} if vector["scope"] else {}
    serial = vector["serial"].to_bytes(4, "big")
    times = {4: vector["expires"], **begins, 6: vector["issued_at"]}
    return {1: agent, 2: vector["device"], **times, 7: serial, 8: {1: cose}, **scope}


def check_parts(vector: dict[str, Any], claims: dict[int, Any]) -> None:
    """The object's parts, from its claims, by cbor2 and cryptography."""
    cbor2 = pytest.importorskip("cbor2")
    ed25519 = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.ed25519")
    ec = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.ec")
    hashes = pytest.importorskip("cryptography.hazmat.primitives.hashes")
    encode = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.utils").encode_dss_signature
    about = AGENTS[vector["agent"]]
    protected = cbor2.dumps({1: -8 if about["algorithm"] == "EdDSA" else -7, 4: b""})
    payload = cbor2.dumps(claims)
    signed = cbor2.dumps(["Signature1", protected, b"", payload])
    signature = bytes.fromhex(vector["signature"])
    assert (protected.hex(), payload.hex()) == (vector["protected"], vector["payload"])
    assert signed.hex() == vector["signed"]
    assert cbor2.dumps(cbor2.CBORTag(18, [protected, {}, payload, signature])).hex() == vector["bytes"]
    secret = bytes.fromhex(about["secret"])
    if about["algorithm"] == "EdDSA":
        assert ed25519.Ed25519PrivateKey.from_private_bytes(secret).sign(signed) == signature
    else:
        public = ec.derive_private_key(int.from_bytes(secret, "big"), ec.SECP256R1()).public_key()
        pair = encode(int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big"))
        public.verify(pair, signed, ec.ECDSA(hashes.SHA256()))


@pytest.mark.parametrize("vector", VECTORS["tickets"], ids=lambda v: f"{v['group']}-{AGENTS[v['agent']]['algorithm']}")
def test_tickets(vector: dict[str, Any]) -> None:
    cbor2 = pytest.importorskip("cbor2")
    assert StaticKey(vector["group"], bytes.fromhex(vector["private"])).public_key.hex() == vector["key"]
    key, agent = signer(vector), AGENTS[vector["agent"]]["name"]
    ours = Ticket.issue(
        key, agent=agent, device=vector["device"], group=vector["group"], key=bytes.fromhex(vector["key"]),
        serial=vector["serial"], issued_at=vector["issued_at"], not_before=vector["not_before"],
        expires=vector["expires"], scope=vector["scope"],
    )  # fmt: skip
    assert bytes(ours).hex() == vector["bytes"] and ours.reference.hex() == vector["reference"]
    assert Ticket.verify(bytes.fromhex(vector["bytes"]), agent, key.public_key) == ours
    assert hashlib.sha256(bytes(ours)).hexdigest() == vector["hash"] and vector["hash"].startswith(vector["reference"])
    claims = claims_of(vector)
    assert cbor2.dumps(claims[8][1]).hex() == vector["cose_key"]
    check_parts(vector, claims)


@pytest.mark.parametrize("vector", VECTORS["lists"], ids=lambda v: str(v["number"]))
def test_lists(vector: dict[str, Any]) -> None:
    key, agent = signer(vector), AGENTS[vector["agent"]]["name"]
    number, issued_at, serials = vector["number"], vector["issued_at"], vector["serials"]
    ours = RevocationList.issue(key, agent=agent, number=number, issued_at=issued_at, serials=serials)
    assert bytes(ours).hex() == vector["bytes"]
    assert RevocationList.verify(bytes(ours), agent, key.public_key).serials == serials
    packed = b"".join(serial.to_bytes(4, "big") for serial in serials)
    check_parts(vector, {1: agent, 6: issued_at, 7: number.to_bytes(4, "big"), -65537: packed})


@pytest.mark.parametrize("vector", VECTORS["refused"], ids=lambda v: f"{v['kind']}-{v['reason']}")
def test_refused(vector: dict[str, Any]) -> None:
    about = AGENTS[vector["agent"]]
    read = {"ticket": Ticket.verify, "list": RevocationList.verify}[vector["kind"]]
    with pytest.raises(TicketRefusedError) as raised:
        read(
            bytes.fromhex(vector["bytes"]), about["name"], VerifyKey(about["algorithm"], bytes.fromhex(about["public"]))
        )
    assert (raised.value.reason, raised.value.code) == (vector["reason"], vector["code"])


@pytest.mark.parametrize("vector", VECTORS["messages"], ids=lambda v: v["kind"])
def test_messages(vector: dict[str, Any]) -> None:
    message: TicketRequest | RevocationList | Acknowledged | Refusal
    match vector["kind"]:
        case "request":
            key = bytes.fromhex(vector["key"])
            message = TicketRequest(vector["device"], vector["group"], key, vector["lifetime"], vector["scope"])
        case "list":
            message = RevocationList.peek(bytes.fromhex(vector["object"]))
        case "acknowledged":
            message = Acknowledged(bytes.fromhex(vector["ticket"]), vector["list"])
        case _:
            message = Refusal(vector["code"])
    assert write_ticket_message(message).hex() == vector["bytes"]
    assert read_ticket_message(bytes.fromhex(vector["bytes"])) == message


def test_wallet() -> None:
    vector = VECTORS["wallet"]
    wall: list[int | None] = [None]
    platform = Platform(
        bytes.fromhex(vector["device_secret"]), wall=lambda: None if wall[0] is None else wall[0] * 1000
    )
    about, key = AGENTS[vector["agent"]], signer(vector).public_key
    named = {"device": vector["device"], "agent": about["name"], "key": key}
    wallet = Wallet(platform, **named)
    for number, step in enumerate(vector["steps"]):
        wall[0] = step["wall"]
        data = bytes.fromhex(step["bytes"] or "")
        returned: Any
        try:
            match step["do"]:
                case "install":
                    returned = wallet.install(Ticket.peek(data))
                case "revoke":
                    returned = wallet.revoke(RevocationList.peek(data))
                case "handle":
                    returned = wallet.handle(data)
                case "check":
                    wallet.check(Ticket.peek(data))
                    returned = True
                case "saw":
                    wallet.saw(Ticket.peek(data))
                    returned = True
                case _:
                    blob, version = wallet.seal()
                    wallet.persisted()
                    returned = {"blob": blob.hex(), "version": version}
                    again = Wallet.restore(platform, blob=blob, floor=version, **named)
                    assert (again.tickets, again.floor) == (wallet.tickets, wallet.floor)
        except iotkm.IotkmError as error:
            returned = error.code
        shown, acknowledgement = wallet.ticket, wallet.acknowledgement()
        state = {
            "returns": returned,
            "floor": wallet.floor,
            "list_number": wallet.list_number,
            "tickets": [ticket.serial for ticket in wallet.tickets],
            "shown": shown and shown.serial,
            "needs_store": wallet.needs_store,
            "acknowledgement": acknowledgement and acknowledgement.hex(),
        }
        assert state == {name: step[name] for name in state}, f"step {number}: {step['do']}"


def returned(call: Callable[[], Any]) -> Any:
    """What a call gives, or the code of what it raises."""
    try:
        value = call()
    except iotkm.IotkmError as error:
        return error.code
    return bytes(value).hex() if isinstance(value, Ticket | RevocationList) else value


def test_ticket_agent() -> None:
    about, platform = RENEWAL["agent"], Platform(bytes.fromhex(RENEWAL["device_secret"]))
    key = SigningKey(about["algorithm"], bytes.fromhex(about["secret"]))
    agent, blob = TicketAgent(about["name"]), b""
    for number, step in enumerate(RENEWAL["ticket_agent"]):
        returns: Any = None
        match step["do"]:
            case "issue":
                request = read_ticket_message(bytes.fromhex(step["request"]))
                assert isinstance(request, TicketRequest)
                returns = returned(lambda: agent.issue(key, request, now=step["now"]))  # noqa: B023
            case "revoke":
                returns = returned(lambda: agent.revoke(key, step["serials"], now=step["now"]))  # noqa: B023
            case "seal":
                blob, version = agent.seal(platform)
                returns = {"blob": blob.hex(), "version": version}
            case "persisted":
                agent.persisted()
            case _:
                agent = TicketAgent.restore(platform, blob=blob, floor=step["floor"])
                returns = agent.name
        assert returns == step.get("returns"), f"step {number}: {step['do']}"


def step_of(operator: Operator, step: dict[str, Any]) -> Any:
    match step["do"]:
        case "knows":
            operator.knows(Ticket.peek(bytes.fromhex(step["ticket"])))
        case "ask":
            return operator.ask(step["now"])
        case "issued":
            operator.issued(Ticket.peek(bytes.fromhex(step["ticket"])))
        case "handle":
            return operator.handle(step["device"], bytes.fromhex(step["message"]))
        case _:
            operator.forget(step["device"])
            return None
    return True


def test_operator() -> None:
    vector = RENEWAL["operator"]
    operator = Operator(capacity=vector["capacity"], lead=vector["lead"], retry=vector["retry"])
    for number, step in enumerate(vector["steps"]):
        returns = returned(lambda: step_of(operator, step))  # noqa: B023
        devices = [dataclasses.asdict(known) for known in operator.devices]
        for device in devices:
            device["waiting"] = device["waiting"] and device["waiting"].hex()
        state = {"returns": returns, "wake_at": operator.wake_at, "devices": devices}
        assert state == {name: step[name] for name in state}, f"step {number}: {step['do']}"
