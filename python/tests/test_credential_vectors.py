"""tests/vectors/primitives/credentials.json: the same draws give the same requests, answers and keys; the same is refused; a
device's next credential comes by the same messages, and is stored in the same blobs."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import iotkm
from iotkm import (
    Credential,
    CredentialAnswer,
    CredentialAsked,
    CredentialDue,
    CredentialOperator,
    CredentialRequest,
    Holder,
    OperatorKey,
    Platform,
    StaticKey,
    Suite,
    TicketAgent,
    TicketRefusedError,
    VerifyKey,
    requested_device,
)

VECTORS = json.loads((Path(__file__).parents[2] / "tests/vectors/primitives/credentials.json").read_text())
NAMES = {"-21": "SUITE_FFC2048", "-22": "SUITE_FFC3072"}
GROUPS = {2: "p256", -21: "ffc2048", -22: "ffc3072"}


class Office:
    """An operator of the vectors, whose randomness they give."""

    def __init__(self, about: dict[str, Any]) -> None:
        self.suite: Suite = getattr(iotkm, NAMES.get(about["suite"], f"SUITE_{about['suite']}"))
        self.key = OperatorKey(bytes.fromhex(about["x"]), suite=self.suite)
        assert self.key.public_key.hex() == about["key"]
        lists = VerifyKey("EdDSA", bytes.fromhex(about["lists_key"]))
        self.operator = CredentialOperator(about["name"], key=self.key.public_key, lists=lists, suite=self.suite)
        self.numbers = TicketAgent(about["name"])
        self.numbers.seal(Platform(bytes(32)))
        self.numbers.persisted()

    def holder(self, device: str, wall: int) -> Holder:
        return Holder(Platform(bytes(32), wall=lambda: wall * 1000), device=device, operator=self.operator)


def drawing(draws: list[str]) -> Platform:
    left = [bytes.fromhex(draw) for draw in draws]
    return Platform(bytes(32), rng=lambda n: left.pop(0))


def k1_of(k1: bytes) -> Callable[[int], bytes]:
    return lambda n: k1.rjust(n, b"\0")


@pytest.mark.parametrize("number", range(len(VECTORS["operators"])))
def test_issued(number: int) -> None:
    office = Office(VECTORS["operators"][number])
    for issued in [one for one in VECTORS["credentials"] if one["operator"] == number]:
        device, now, life = issued["device"], issued["issued_at"], issued["life"]
        holder, secret = office.holder(device, now), bytes.fromhex(issued["x"])
        operator = drawing(issued["operator_draws"])
        if issued["split"]:
            asked = CredentialRequest(drawing(issued["device_draws"]), device, suite=office.suite)
            assert asked.request.hex() == issued["request"]
            assert requested_device(asked.request, suite=office.suite) == device
            answer = office.key.issue(operator, office.numbers, asked.request, now=now, life=life)
            assert answer.hex() == issued["answer"]
            credential, key = holder.accept(asked, answer)
        else:
            credential, key = office.key.issue_printed_knowing_the_private_key(
                operator, office.numbers, device, now=now, life=life
            )
        assert bytes(credential).hex() == issued["credential"] and credential.serial == issued["serial"]
        assert credential.reference.hex() == issued["reference"] and credential.life == life
        group = GROUPS.get(office.suite.id, "ristretto255")
        assert key.public_key == StaticKey(group, secret).public_key == office.operator.public_key(credential)
        assert key.public_key.hex() == issued["key"]
        holder.check(credential, key)
        holder.install(credential)
        assert holder.credential == credential and iotkm.inspect(bytes(credential))["serial"] == issued["serial"]


@pytest.mark.parametrize("number", range(len(VECTORS["operators"])))
def test_refused(number: int) -> None:
    office, seen = Office(VECTORS["operators"][number]), 0
    for refused in [one for one in VECTORS["refused"] if one["operator"] == number]:
        assert refused["kind"] == "answer"
        # As if k1 had just been drawn: groups that draw more take it for a big-endian number.
        k1 = bytes.fromhex(refused["k1"])
        drawn = Platform(bytes(32), rng=k1_of(k1))
        asked = CredentialRequest(drawn, refused["device"], suite=office.suite)
        holder = office.holder(refused["device"], refused["wall"])
        with pytest.raises(TicketRefusedError) as raised:
            holder.accept(asked, bytes.fromhex(refused["bytes"]))
        assert (raised.value.reason, raised.value.code) == (refused["reason"], refused["code"])
        seen += 1
    assert seen


OBJECTS = {
    "credential_due": (CredentialDue, ""),
    "credential_request": (CredentialAsked, "request"),
    "credential_answer": (CredentialAnswer, "answer"),
}


@pytest.mark.parametrize("vector", VECTORS["messages"], ids=lambda vector: f"{vector['kind']} {len(vector['bytes']) // 2}")
def test_messages(vector: dict[str, Any]) -> None:
    kind, name = OBJECTS[vector["kind"]]
    read = iotkm.read_ticket_message(bytes.fromhex(vector["bytes"]))
    assert isinstance(read, kind) and (not name or getattr(read, name).hex() == vector["object"])
    made = kind(bytes.fromhex(vector["object"])) if name else kind()
    assert iotkm.write_ticket_message(made).hex() == vector["bytes"]


class Device:
    """A device of the vectors, with their clock and their randomness."""

    def __init__(self, office: Office, vector: dict[str, Any]) -> None:
        self.office, self.vector = office, vector
        self.wall: int | None = None
        self.left: list[bytes] = []
        self.platform = Platform(
            bytes.fromhex(vector["device_secret"]),
            wall=lambda: None if self.wall is None else self.wall * 1000,
            rng=lambda n: self.left.pop(0),
        )
        self.blob, self.holder = b"", self.new()

    def new(self) -> Holder:
        return Holder(self.platform, device=self.vector["device"], operator=self.office.operator)

    def handle(self, message: bytes) -> bool | dict[str, str]:
        told = self.holder.handle(message)
        if isinstance(told, bool):
            return told
        credential, key = told
        self.holder.check(credential, key)
        return {"credential": bytes(credential).hex(), "key": key.public_key.hex()}

    def do(self, step: dict[str, Any]) -> object:
        self.wall, self.left = step["wall"], [bytes.fromhex(draw) for draw in step.get("random", [])]
        match step["do"]:
            case "install":
                self.holder.install(Credential(bytes.fromhex(step["bytes"]), suite=self.office.suite))
                return True
            case "handle":
                return self.handle(bytes.fromhex(step["bytes"]))
            case "ask":
                self.holder.ask()
            case "store":
                self.blob, version = self.holder.seal()
                self.holder.persisted()
                return {"blob": self.blob.hex(), "version": version}
            case _:
                self.holder = self.new()
                self.holder.load(self.blob, floor=step["counter"])
        return None


@pytest.mark.parametrize("vector", VECTORS["holders"], ids=lambda vector: VECTORS["operators"][vector["operator"]]["suite"])
def test_held(vector: dict[str, Any]) -> None:
    office = Office(VECTORS["operators"][vector["operator"]])
    device = Device(office, vector)
    for number, step in enumerate(vector["steps"]):
        wanted = step["returns"]
        if step["do"] == "handle" and isinstance(wanted, str):
            wanted = wanted == "acknowledge"
        if isinstance(wanted, dict) and "x" in wanted:
            secret = StaticKey(GROUPS.get(office.suite.id, "ristretto255"), bytes.fromhex(wanted["x"]))
            wanted = {"credential": wanted["credential"], "key": secret.public_key.hex()}
        try:
            returns = device.do(step)
        except TicketRefusedError as refused:
            returns = refused.code
        holder = device.holder
        request, acknowledgement = holder.request(), holder.acknowledgement()
        state = {
            "floor": holder.floor,
            "list_number": holder.list_number,
            "serial": holder.credential and holder.credential.serial,
            "due_at": holder.due_at(vector["lead"]),
            "is_asking": holder.is_asking,
            "needs_store": holder.needs_store,
            "request": request and request.hex(),
            "acknowledgement": acknowledgement and acknowledgement.hex(),
        }
        assert not device.left and (returns, state) == (wanted, {name: step[name] for name in state}), f"step {number}"
