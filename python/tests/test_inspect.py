"""What `inspect` says of whatever there is, and that it says no secret and survives garbage."""

import json
import random
import re
from pathlib import Path
from typing import Any

import pytest

from iotkm import (
    SUITE_0,
    SUITE_2,
    SUITE_FFC2048,
    SUITE_FFC3072,
    Acknowledged,
    BadArgumentError,
    CredentialAnswer,
    CredentialAsked,
    CredentialDue,
    CredentialRequest,
    Platform,
    Refusal,
    RevocationList,
    SigningKey,
    Ticket,
    TicketAgent,
    TicketRequest,
    Wallet,
    inspect,
    sim,
    write_ticket_message,
)

KEY = SigningKey("EdDSA", bytes([7]) * 32)
TICKET = Ticket.issue(
    KEY, agent="acme", device="lamp", group="x25519", key=bytes([9]) * 32, serial=5, issued_at=10, expires=20
)
VECTORS = sorted((Path(__file__).parents[2] / "tests" / "vectors").glob("history-*.json"))


def test_every_message_of_history() -> None:
    seen: dict[str, dict[str, Any]] = {}
    for file in VECTORS:
        vector = json.loads(file.read_text())
        for step in vector["steps"]:
            receiver = vector["b" if step["node"] == "a" else "a"]
            cid_len = len(receiver.get("cid", "")) // 2
            for output in step["outputs"]:
                if "datagram" in output:
                    shown = inspect(bytes.fromhex(output["bytes"]), cid_len=cid_len)
                    assert "malformed" not in shown, (file.name, shown)
                    seen[shown.get("message", shown["what"])] = shown
                if "persist" in output:
                    assert inspect(bytes.fromhex(output["bytes"]))["what"].startswith("stored")
    assert {"C1", "C2", "C3", "C4", "C5", "ACK", "GONE", "P1", "P2", "P3", "P4", "P5", "P6", "record"} <= {*seen}
    assert {"RESUME_1", "RESUME_2", "RESUME_3", "FRAGMENT"} <= {*seen}
    assert seen["C1"].keys() >= {"run", "hint", "nonce", "cid", "tag"}
    assert seen["FRAGMENT"]["piece"] <= seen["FRAGMENT"]["last_piece"]


def message(number: int, run: int, *parts: bytes) -> dict[str, Any]:
    return inspect(bytes([0x11, number << 4 | run]) + b"".join(parts))


def test_every_message_of_interactive() -> None:
    nonce, reference = bytes(7) + b"\x05", bytes(range(8))
    m1 = message(1, 5, b"\x00", nonce, b"\x02\x02\xeb", b"\x01\xaa", reference)
    assert (m1["scheme"], m1["message"], m1["suites"], m1["cid"]) == ("interactive", "M1", [2, -21], "aa")
    assert m1["reference"] == reference.hex() and not m1["psk"]
    ticket = bytes(TICKET)
    by_value = (b"\x0f", nonce, b"\x01\x00", b"\x00", len(ticket).to_bytes(2, "big"), ticket, reference, b"hint")
    m1 = message(1, 5, *by_value, b"\x00\x07", bytes(16))
    assert m1["ticket"]["serial"] == 5 and m1["attempt"] == 7 and m1["known"] == reference.hex() and m1["psk"]
    m2 = message(2, 5, b"\x01\x02", b"\x00", len(ticket).to_bytes(2, "big"), ticket, bytes(40))
    assert m2["suite"] == 2 and m2["ticket"]["device"] == "lamp" and m2["share_and_tag_bytes"] == 40
    assert message(3, 5, b"\x00\x00\x0e\x10", bytes(44))["life"] == 3600
    assert message(4, 5, bytes(8))["tag"] == "00" * 8
    k1 = message(5, 3, b"\x01", b"\x01\x02\x03\x04", b"\x00\x13", b"\x00", bytes(48))
    assert k1["hint"] == "01020304" and k1["attempt"] == 0x13 and k1["long_tags"] and not k1["holds_pending"]
    assert message(6, 3, b"\x01\xbb", bytes(40))["cid"] == "bb"
    k3 = message(7, 3, bytes(16), bytes.fromhex("1a0001"), bytes(10))
    assert k3["record"]["number_low"] == 1 and "record" not in message(8, 3, bytes(16))
    assert message(9, 5, b"\x01", bytes(8))["reason"] == "send your ticket"
    assert message(10, 3, bytes(16))["message"] == "GONE"
    assert message(11, 3, b"\x00\x09", bytes(16))["answered"] == 9
    assert message(12, 5, b"hint", nonce, bytes(8))["nonce"] == nonce.hex()
    assert message(13, 5, bytes(8))["message"] == "PONG"
    for short in (message(1, 5), message(5, 0, b"\x00"), message(11, 3, bytes(3)), message(9, 5)):
        assert short["malformed"]


def test_messages_of_noninteractive() -> None:
    def said(number: int, run: int, *parts: bytes) -> dict[str, Any]:
        return inspect(bytes([0x12, number << 4 | run]) + b"".join(parts))

    credential = bytes.fromhex("00000007 6553f100 0018") + b"\x04lamp" + bytes([2]) * 32
    long = len(credential).to_bytes(2, "big") + credential
    m1 = said(1, 5, b"\x01", bytes(7) + b"\x05", b"\x01\x04", b"\x00", long)
    assert (m1["scheme"], m1["suites"], m1["ticket"]["device"]) == ("noninteractive", [4], "lamp")
    assert said(2, 5, b"\x01\x04", b"\x00", long, bytes(40))["ticket"]["serial"] == 7
    m3 = said(3, 5, bytes.fromhex("00000e10 0000003c 0100"), bytes(44))
    assert (m3["life"], m3["interval"], m3["chain"], m3["share_and_tags_bytes"]) == (3600, 60, 256, 44)
    lag = said(5, 9, bytes.fromhex("00000019"), b"pre!", bytes(16))
    assert (lag["message"], lag["epoch"]) == ("LAG", 25) and said(5, 9)["malformed"]
    assert said(4, 5, bytes(8))["message"] == "M4"


def test_objects_and_what_is_said_about_them() -> None:
    revoked = RevocationList.issue(KEY, agent="acme", number=3, issued_at=10, serials=[1, 5])
    request = TicketRequest("lamp", "p256", bytes([9]) * 32, 60)
    assert inspect(bytes(TICKET))["what"] == "ticket" and inspect(bytes(revoked))["serials"] == [1, 5]
    shown = inspect(write_ticket_message(request))
    assert (shown["what"], shown["group"], shown["lifetime"]) == ("ticket request", "p256", 60)
    assert inspect(write_ticket_message(TICKET))["holds"] == inspect(bytes(TICKET))
    assert inspect(write_ticket_message(revoked))["holds"]["number"] == 3
    assert inspect(write_ticket_message(Acknowledged(bytes(8), 4)))["list_number"] == 4
    assert inspect(write_ticket_message(Refusal(-208)))["code"] == -208
    credential = bytes.fromhex("00000007 6553f100 0018") + b"\x04lamp" + bytes([2]) * 32
    for data, what in ((credential, "credential"), (credential + bytes(32), "answer to a request for a credential")):
        shown = inspect(data)
        assert (shown["what"], shown["device"], shown["serial"], shown["expires"]) == (what, "lamp", 7, 1700086400)
    high = inspect(b"\x0b\xff" + credential[2:])
    assert (high["what"], high["serial"]) == ("credential", 0x0BFF0007)


def test_requests_and_answers_of_credentials() -> None:
    # The length of a name is a kind of blob's number too, or a datagram's first byte.
    for length in range(1, 33):
        for suite in (SUITE_0, SUITE_2, SUITE_FFC2048):
            asked = CredentialRequest(Platform(bytes(32)), "x" * length, suite=suite).request
            shown = inspect(asked)
            assert (shown["what"], shown["device"]) == ("request for a credential", "x" * length)
            assert inspect(write_ticket_message(CredentialAsked(asked)))["holds"] == shown
    answer = bytes.fromhex("00000007 6553f100 0018") + b"\x04lamp" + bytes([2]) * 32 + bytes(32)
    assert inspect(write_ticket_message(CredentialAnswer(answer)))["holds"] == inspect(answer)
    assert inspect(write_ticket_message(CredentialDue()))["what"] == "message: ask for a credential"
    assert inspect(write_ticket_message(CredentialAsked(b"\x04lamp")))["malformed"]


def test_blobs() -> None:
    platform = Platform(bytes(32))
    agent, wallet = TicketAgent("acme"), Wallet(platform, device="lamp", agent="acme", key=KEY.public_key)
    wallet.install(
        Ticket.issue(
            KEY, agent="acme", device="lamp", group="x25519", key=bytes(32), serial=5, issued_at=10, expires=1 << 40
        )
    )
    for blob, what in ((agent.seal(platform)[0], "ticket agent"), (wallet.seal()[0], "ticket wallet")):
        shown = inspect(blob)
        assert shown["what"] == f"stored {what}" and shown["version"] == 1 and shown["bytes"] == len(blob)
        assert "acme" not in str(shown)
    net = sim.noninteractive_pair()
    assert net.a.holder is not None and net.a.key is not None
    blobs = [
        (net.a.stored[1], "noninteractive peer"),
        (net.a.holder.seal()[0], "holder of a credential"),
        (net.a.key.seal(net.a.platform), "static key"),
        (CredentialRequest(net.a.platform, "lamp").seal(net.a.platform), "static key"),
    ]
    for blob, what in blobs:
        shown = inspect(blob)
        assert (shown["what"], shown["bytes"]) == (f"stored {what}", len(blob)) and "device-a" not in str(shown)


def test_what_a_device_stored(tmp_path: Path) -> None:
    """Opened with the device's secret: for people, as JSON; never a key."""
    pytest.importorskip("typer")
    from test_cli import iotkm

    folder, file = tmp_path / "state", tmp_path / "blob"
    folder.mkdir()
    # As the lab draws them: the device's secret, and its static key.
    draw = random.Random("node b'a' 0")
    secrets = [draw.randbytes(32) for _ in range(2)]
    (folder / "device.key").write_bytes(secrets[0])

    def look(blob: bytes, *more: str | Path) -> tuple[dict[str, Any], str]:
        file.write_bytes(blob)
        text = iotkm("inspect", file, "--state", folder, *more)
        seen = iotkm("inspect", file, "--state", folder, *more, "--json")
        opened = json.loads(seen)
        assert opened.get("keys", "(not shown)") == "(not shown)" and "{" not in text
        assert not any(secret.hex() in text + seen for secret in secrets)
        return opened, text

    net = sim.interactive_pair()
    seen, text = look(net.a.stored[1])
    assert (seen["peer"], seen["own_id"], seen["suite"], seen["peers_ticket"]) == ("device-b", "device-a", None, None)
    net.a.connect(net.b.address)
    assert net.drive(until=lambda: net.a.is_established and net.b.is_established)
    seen, text = look(net.a.stored[1])
    assert seen["suite"] == "SUITE_0" and seen["peers_ticket"]["device"] == "device-b"
    assert re.search(r"^peers ticket: device +device-b$", text, re.M)
    assert net.a.wallet is not None
    file_of_agent = tmp_path / "agent"
    file_of_agent.write_text(
        json.dumps({"agent": "agent", "algorithm": "EdDSA", "public_key": bytes(sim.AGENT.public_key).hex()})
    )
    wallet, _ = net.a.wallet.seal()
    seen, text = look(wallet, "--device", "device-a", "--agent", file_of_agent)
    assert (seen["agent"], seen["ticket_1"]["device"], seen["list_number"]) == ("agent", "device-a", 0)
    assert re.search(r"^at least +\d+ \(\d{4}-", text, re.M)

    def refused(*more: str | Path) -> str:
        return iotkm("inspect", file, *more, status=1)

    assert "--device" in refused("--state", folder)
    assert "device-b's of agent" in refused("--state", folder, "--device", "device-b", "--agent", file_of_agent)
    assert "ca init" in refused("--state", folder, "--device", "device-a", "--agent", folder / "device.key")
    assert "--state" in refused("--device", "device-a")

    for suite in (SUITE_0, SUITE_2, SUITE_FFC2048, SUITE_FFC3072):
        net = sim.noninteractive_pair(suite=suite)
        assert net.a.holder is not None and net.issuer is not None
        seen, text = look(net.a.stored[1])
        assert (seen["peer"], seen["own_id"], seen["epoch"], seen["peers_credential"]) == ("device-b", "device-a", None, None)
        assert re.search(r"^peers credential +none$", text, re.M)
        lists = net.issuer.operator.lists
        known = {"operator": "agent", "suite": suite.name, "key": net.issuer.operator.key.hex()}
        file_of_operator = tmp_path / "operator"
        file_of_operator.write_text(
            json.dumps(known | {"lists_algorithm": lists.algorithm, "lists_key": bytes(lists).hex()})
        )
        holder, _ = net.a.holder.seal()
        seen, text = look(holder, "--device", "device-a", "--operator", file_of_operator)
        assert (seen["operator"], seen["credential"]["device"], seen["asking"]) == ("agent", "device-a", False)
    assert "ca suite" in refused("--state", folder)
    net.a.connect(net.b.address)
    assert net.drive(until=lambda: net.a.is_established and net.b.is_established)
    seen, text = look(net.a.stored[1])
    assert seen["epoch"] == 1 and seen["peers_credential"]["device"] == "device-b"


def test_garbage_and_what_is_in_itself() -> None:
    echo = b"\x10\x30" + bytes(8)
    assert inspect(echo * 6000)["malformed"]
    assert inspect(echo + b"\x16\x40" + bytes(8))["holds"]["message"] == "C4"
    nested = b""
    for _ in range(200):
        nested = b"\x82\x01\x59" + len(nested).to_bytes(2, "big") + nested
    with pytest.raises(BadArgumentError):
        inspect(nested[:-1])
    draw = random.Random(5)
    for _ in range(3000):
        data = draw.choice([b"", b"\x10", b"\x11", b"\x16", b"\x18", b"\xd2\x84"]) + draw.randbytes(draw.randrange(60))
        try:
            inspect(data, cid_len=draw.randrange(9))
        except BadArgumentError:
            continue
