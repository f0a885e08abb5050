"""tests/vectors/primitives/credentials.json: the same draws give the same requests, answers and keys; the same is refused."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import iotkm
from iotkm import (
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
