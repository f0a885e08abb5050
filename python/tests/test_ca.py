"""The ticket agent's records and ``iotkm ca``: durable, sealed, and nothing issued twice wherever it is interrupted."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from test_cli import ENVIRONMENT, iotkm

from iotkm import (
    SUITE_0,
    SUITE_2,
    SUITE_FFC2048,
    BadArgumentError,
    CredentialRequest,
    Holder,
    Platform,
    RevocationList,
    Ticket,
    TicketRefusedError,
    TicketRequest,
    read_ticket_message,
)

pytest.importorskip("argon2")

from iotkm.authority import DAY, Authority, Cost, PassphraseError  # noqa: E402

CHEAP = Cost(1, 64, 1)
NOW = 1_800_000_000
KEY = bytes([9]) * 32


def fleet(path: Path, size: int) -> None:
    with Authority.create(path, "acme", b"secret", cost=CHEAP) as agent:
        agent.request_all(TicketRequest(f"device-{number}", "x25519", KEY, 10 * DAY) for number in range(size))
        agent.unlock(b"secret")
        assert agent.issue(now=int(time.time())) == size


def test_life_of_a_ticket(tmp_path: Path) -> None:
    path = tmp_path / "ca.db"
    with Authority.create(path, "acme", b"secret", algorithm="ES256", cost=CHEAP) as agent:
        asked = TicketRequest("lamp", "p256", KEY, 100 * DAY, "light")
        agent.request(asked)
        with pytest.raises(PassphraseError):
            agent.issue(now=NOW)
        for wrong in (TicketRequest("lock", "p256", KEY[1:], DAY), TicketRequest("lock", "p256", KEY, 0)):
            with pytest.raises(TicketRefusedError):
                agent.request(asked, wrong)
        with pytest.raises(PassphraseError):
            agent.unlock(b"another")
        agent.unlock(b"secret")
        assert agent.issue(now=NOW) == 1 and agent.issue(now=NOW) == 0
        first = agent.newest("lamp")
        assert first is not None and Ticket.verify(bytes(first), "acme", agent.public_key).scope == "light"
        assert first.expires == NOW + 100 * DAY
        assert agent.renew(within=30, now=NOW + 69 * DAY) == 0
        with pytest.raises(BadArgumentError):
            agent.renew(within=30, days=30, now=NOW + 70 * DAY)
        assert agent.renew(within=30, days=120, now=NOW + 70 * DAY) == 1
        assert agent.renew(within=30, now=NOW + 70 * DAY) == 0
        second = agent.newest("lamp")
        assert second is not None and second.expires == NOW + 190 * DAY
    with Authority(path) as agent:
        agent.unlock(b"secret")
        assert [(t.serial, revoked) for t, revoked in agent.tickets("lamp")] == [(1, False), (2, False)]
        made = agent.revoke([2], now=NOW + 71 * DAY)
        assert RevocationList.verify(bytes(made), "acme", agent.public_key).serials == [2]
        assert agent.renew(within=30, now=NOW + 160 * DAY) == 0, "a revoked device gets none by itself"
        later = agent.revoke([], now=NOW + 200 * DAY)
        assert later.serials == [] and later.number > made.number, "what is over is left out"
        with pytest.raises(BadArgumentError):
            agent.revoke([1, 99], now=NOW)
        assert agent.revocation_list() == later
        assert "secret" not in repr(agent)
    with pytest.raises(FileExistsError):
        Authority.create(path, "acme", b"secret", cost=CHEAP)
    (tmp_path / "empty").touch()
    for none in (tmp_path / "empty", tmp_path / "none"):
        with pytest.raises(BadArgumentError, match="iotkm ca init"):
            Authority(none)


def test_two_at_once_issue_nothing_twice(tmp_path: Path) -> None:
    path = tmp_path / "ca.db"
    fleet(path, 200)
    command = [sys.executable, "-P", "-m", "iotkm", "ca", "renew", str(path), "--days", "365", "--passphrase-file", "-", "--json"]
    both = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=ENVIRONMENT) for _ in range(2)]
    said = [json.loads(process.communicate(b"secret\n", timeout=60)[0])["renewed"] for process in both]
    assert sum(said) == 200


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_interrupted_renewal_goes_on(tmp_path: Path, how: signal.Signals) -> None:
    size = int(os.environ.get("IOTKM_FLEET", "600"))
    path = tmp_path / "ca.db"
    fleet(path, size)
    command = [sys.executable, "-P", "-m", "iotkm", "ca", "renew", str(path), "--days", "365", "--passphrase-file", "-"]
    interrupted = 0
    for share in (0.2, 0.5, 0.8):
        # Who runs the tests in the background has SIGINT ignored, and children inherit that.
        with subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=ENVIRONMENT,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        ) as process:
            assert process.stdin is not None
            process.stdin.write(b"secret\n")
            process.stdin.close()
            end = time.monotonic() + 120
            while process.poll() is None and time.monotonic() < end:
                with Authority(path) as agent:
                    if sum(1 for _ in agent.tickets()) >= size * (1 + share):
                        process.send_signal(how)
                        break
            interrupted += process.wait(60) != 0
    with Authority(path) as agent:
        before = [bytes(ticket) for ticket, _ in agent.tickets()]
    done = json.loads(iotkm("ca", "renew", path, "--days", "365", "--passphrase-file", "-", "--json", given=b"secret\n"))
    assert interrupted and len(before) + done["renewed"] == 2 * size
    with Authority(path) as agent:
        after = [ticket for ticket, _ in agent.tickets()]
    assert [bytes(ticket) for ticket in after[: len(before)]] == before, "what was issued stays issued"
    assert set(Counter(ticket.device for ticket in after).values()) == {2}
    assert len({ticket.serial for ticket in after}) == 2 * size


def test_command(tmp_path: Path) -> None:
    path, word = tmp_path / "ca.db", tmp_path / "word"
    word.write_bytes(b"correct horse\n")
    secret = ("--passphrase-file", word)
    made = json.loads(iotkm("ca", "init", path, "--name", "acme", *secret, "--json"))
    assert made["agent"] == "acme" and len(made["public_key"]) == 64
    assert path.stat().st_size and b"correct horse" not in path.read_bytes()
    iotkm("ca", "request", path, "lamp", "--key", KEY.hex(), "--scope", "light")
    many = tmp_path / "fleet"
    many.write_text("".join(json.dumps({"device": f"d{n}", "key": KEY.hex()}) + "\n" for n in range(3)))
    iotkm("ca", "request", path, "--fleet", many)
    sent = tmp_path / "request"
    iotkm("ca", "request", path, "lock", "--group", "p256", "--key", KEY.hex(), "--days", "3", "--out", sent)
    assert read_ticket_message(sent.read_bytes()) == TicketRequest("lock", "p256", KEY, 3 * DAY)
    iotkm("ca", "request", path, "--message", sent)
    assert json.loads(iotkm("ca", "issue", path, *secret, "--json")) == {"issued": 5}
    lock = json.loads(iotkm("ca", "show", path, "lock", "--json"))
    assert lock["expires"] - lock["issued_at"] == 3 * DAY
    out = tmp_path / "ticket"
    shown = json.loads(iotkm("ca", "show", path, "lamp", "--out", out, "--json"))
    assert shown == json.loads(iotkm("inspect", out, "--json")) and shown["scope"] == "light"
    listed = [json.loads(line) for line in iotkm("ca", "list", path, "--json").splitlines()]
    assert len(listed) == 5 and "lamp" in iotkm("ca", "list", path)
    serial = shown["serial"]
    revoked = json.loads(iotkm("ca", "revoke", path, str(serial), *secret, "--json"))
    assert revoked["serials"] == [serial]
    assert json.loads(iotkm("ca", "show", path, "revocations", "--json")) == revoked
    word.write_bytes(b"wrong\n")
    assert "not the agent's" in iotkm("ca", "issue", path, *secret, status=1)
    assert "no nobody" in iotkm("ca", "show", path, "nobody", status=1)
    assert "hex digits" in iotkm("ca", "request", path, "x", "--key", "zz", status=1)
    assert "refused: key" in iotkm("ca", "request", path, "x", "--key", "00", status=1)
    assert "ca init" in iotkm("ca", "list", tmp_path / "none", status=1)


def test_life_of_a_credential(tmp_path: Path) -> None:
    path, now = tmp_path / "ca.db", [NOW]
    platform = Platform(bytes(32), wall=lambda: now[0] * 1000)
    with Authority.create(path, "acme", b"secret", cost=CHEAP) as agent:
        with pytest.raises(PassphraseError):
            agent.add_suite(SUITE_2)
        agent.unlock(b"secret")
        operator = agent.add_suite(SUITE_2)
        assert agent.add_suite(SUITE_2).key == operator.key and [s.name for s in agent.suites] == ["SUITE_2"]
        asked = CredentialRequest(platform, "lamp", suite=SUITE_2)
        with pytest.raises(BadArgumentError, match="add_suite"):
            agent.request_credential(asked.request, suite=SUITE_0)
        for hours in (0, 65_536):
            with pytest.raises(BadArgumentError):
                agent.request_credential(asked.request, suite=SUITE_2, hours=hours)
        with pytest.raises(TicketRefusedError):
            agent.request_credential(asked.request[:-1], suite=SUITE_2)
        assert agent.request_credential(asked.request, suite=SUITE_2, hours=240) == "lamp"
        agent.request(TicketRequest("lamp", "x25519", KEY, 100 * DAY))
        assert agent.issue(now=NOW) == 1 and agent.issue_credentials(now=NOW) == 1 and agent.issue_credentials(now=NOW) == 0
        issued = agent.newest_credential("lamp")
        assert issued is not None and issued.credential.serial == 2 and issued.credential.life == 240, "numbered with tickets"
        holder = Holder(platform, device="lamp", operator=operator)
        credential, key = holder.accept(asked, issued.answer)
        holder.check(credential, key)
        holder.install(credential)
        assert agent.credentials_due(within=5, now=NOW) == [] and agent.credentials_due(within=10, now=NOW) == ["lamp"]
    with Authority(path) as agent:
        again = CredentialRequest(platform, "lamp", suite=SUITE_2)
        agent.request_credential(again.request, suite=SUITE_2)
        assert agent.credentials_due(within=10, now=NOW) == [], "it has sent its request"
        with pytest.raises(PassphraseError):
            agent.issue_credentials(now=NOW)
        agent.unlock(b"secret")
        assert agent.issue_credentials(now=NOW, hours=480) == 1
        assert [(one.credential.serial, one.credential.life) for one in agent.credentials("lamp")] == [(2, 240), (3, 480)]
        made = agent.revoke([1, 2], now=NOW + 1)
        assert made.serials == [1, 2] and holder.revoke(made)
        newest = agent.newest_credential("lamp")
        assert newest is not None and newest.credential.serial == 3
        holder.install(holder.accept(again, newest.answer)[0])
        assert agent.revoke([], now=NOW + 100 * DAY).serials == []
        with pytest.raises(BadArgumentError):
            agent.revoke([9], now=NOW)
        assert b"secret" not in path.read_bytes()


def test_credentials_go_on_where_they_were_interrupted(tmp_path: Path) -> None:
    size = int(os.environ.get("IOTKM_FLEET", "200"))
    path, platform = tmp_path / "ca.db", Platform(bytes(32))
    with Authority.create(path, "acme", b"secret", cost=CHEAP) as agent:
        agent.unlock(b"secret")
        agent.add_suite(SUITE_0)
        for number in range(size):
            agent.request_credential(CredentialRequest(platform, f"d{number}").request, suite=SUITE_0)

        def interrupt(done: int, total: int) -> None:
            assert total == size
            if done >= size // 2:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            agent.issue_credentials(now=NOW, progress=interrupt)
        before = [bytes(one.credential) for one in agent.credentials()]
        assert size // 2 <= len(before) < size
        assert agent.issue_credentials(now=NOW) == size - len(before)
        after = list(agent.credentials())
        assert [bytes(one.credential) for one in after[: len(before)]] == before
        assert len({one.credential.device for one in after}) == len({one.credential.serial for one in after}) == size


def test_command_with_credentials(tmp_path: Path) -> None:
    path, word, device = tmp_path / "ca.db", tmp_path / "word", Platform(bytes(32))
    word.write_bytes(b"correct horse\n")
    secret = ("--passphrase-file", word)
    made = json.loads(iotkm("ca", "init", path, "--name", "acme", "--suite", "2", *secret, "--json"))
    known = json.loads(iotkm("ca", "suite", path, "2", "--json"))
    assert known["key"] == made["credentials_suite_2"] and known["lists_key"] == made["public_key"]
    assert json.loads(iotkm("ca", "suite", path, "FFC2048", *secret, "--json"))["suite"] == SUITE_FFC2048.name
    lamp, sent, answer = CredentialRequest(device, "lamp", suite=SUITE_2), tmp_path / "request", tmp_path / "answer"
    sent.write_bytes(lamp.request)
    scheme = ("--scheme", "noninteractive")
    iotkm("ca", "request", path, "--message", sent, "--suite", "2", "--days", "10", *scheme)
    iotkm("ca", "request", path, "lock", "--key", KEY.hex())
    assert json.loads(iotkm("ca", "issue", path, *secret, "--json")) == {"issued": 2}
    shown = json.loads(iotkm("ca", "show", path, "lamp", "--out", answer, *scheme, "--json"))
    with Authority(path) as agent:
        holder = Holder(device, device="lamp", operator=agent.operator(SUITE_2))
    credential, _ = holder.accept(lamp, answer.read_bytes())
    assert shown["serial"] == credential.serial and shown["expires"] == credential.expires and not shown["revoked"]
    listed = [json.loads(line) for line in iotkm("ca", "list", path, "--json").splitlines()]
    assert [(one["device"], one.get("suite")) for one in listed] == [("lock", None), ("lamp", "SUITE_2")]
    assert "SUITE_2" in iotkm("ca", "list", path)
    due = json.loads(iotkm("ca", "renew", path, "--within", "20", *scheme, *secret, "--json"))
    assert due == {"renewed": 0, "to_send_requests": ["lamp"]}
    revoked = json.loads(iotkm("ca", "revoke", path, str(credential.serial), *secret, "--json"))
    assert revoked["serials"] == [credential.serial]
    assert "--message" in iotkm("ca", "request", path, "x", *scheme, status=1)
    assert "no credential nobody" in iotkm("ca", "show", path, "nobody", *scheme, status=1)
    assert "no suite 9" in iotkm("ca", "suite", path, "9", status=1)
    assert "cannot issue credentials" in iotkm(
        "ca", "init", tmp_path / "b.db", "--name", "x", "--pkcs11", "lib", "--token", "t", "--suite", "0", *secret, status=1
    )
