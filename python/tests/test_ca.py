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
    StaticKey,
    Ticket,
    TicketRefusedError,
    TicketRequest,
    read_ticket_message,
    requested_device,
)
from iotkm.aio import KEY_SLOTS
from iotkm.storage import Directory

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
    assert shown == json.loads(iotkm("inspect", out, "--json")) | {"revoked": False} and shown["scope"] == "light"
    listed = [json.loads(line) for line in iotkm("ca", "list", path, "--json").splitlines()]
    assert len(listed) == 5 and "lamp" in iotkm("ca", "list", path)
    serial = shown["serial"]
    assert json.loads(iotkm("ca", "renew", path, "--within", "360", "--days", "370", *secret, "--json"))["renewed"] == 1
    said = iotkm("ca", "revoke", path, str(lock["serial"]), *secret, stderr=True)
    assert "lock has ticket 6 too, which is not revoked" in said
    revoked = json.loads(iotkm("ca", "revoke", path, str(serial), *secret, "--json"))
    assert revoked["serials"] == sorted([serial, lock["serial"]])
    assert json.loads(iotkm("ca", "show", path, "revocations", "--json")) == revoked
    word.write_bytes(b"wrong\n")
    assert "not the agent's" in iotkm("ca", "issue", path, *secret, status=1)
    assert "no nobody" in iotkm("ca", "show", path, "nobody", status=1)
    assert "hex digits" in iotkm("ca", "request", path, "x", "--key", "zz", status=1)
    assert "a key of x25519 has 32 bytes, not 1" in iotkm("ca", "request", path, "x", "--key", "00", status=1)
    assert "1 to 32 bytes of text" in iotkm("ca", "request", path, "x" * 33, "--key", KEY.hex(), status=1)
    assert "1 to 32 bytes of text" in iotkm("ca", "init", tmp_path / "long", "--name", "x" * 33, *secret, status=1)
    assert not (tmp_path / "long").exists()
    assert "x25519" in iotkm("ca", "request", path, "x", "--group", "x448", "--key", "00", status=2)
    for line, what in (('{"device": ', "line 2 is no JSON"), ("[1]", "line 2: an object"), ('{"device": "y"}', "request for y")):
        many.write_text(f'{{"device": "x", "key": "{KEY.hex()}"}}\n{line}\n')
        assert what in iotkm("ca", "request", path, "--fleet", many, status=1)
    assert json.loads(iotkm("ca", "show", path, str(serial), "--json"))["revoked"] is True
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
    assert "for tickets" in iotkm("ca", "request", path, "x", "--key", "00", *scheme, status=1)
    assert "no credential nobody" in iotkm("ca", "show", path, "nobody", *scheme, status=1)
    assert "no suite 9" in iotkm("ca", "suite", path, "9", status=1)
    assert "cannot issue credentials" in iotkm(
        "ca", "init", tmp_path / "b.db", "--name", "x", "--pkcs11", "lib", "--token", "t", "--suite", "0", *secret, status=1
    )


def test_the_same_request_has_the_same_answer(tmp_path: Path) -> None:
    path, device = tmp_path / "ca.db", Platform(bytes(32))
    with Authority.create(path, "acme", b"secret", cost=CHEAP) as agent:
        agent.unlock(b"secret")
        agent.add_suite(SUITE_0)
        first, second = (CredentialRequest(device, "lamp").request for _ in range(2))
        issued = agent.answer("lamp", first, suite=SUITE_0, now=NOW, hours=10)
        assert agent.answer("lamp", first, suite=SUITE_0, now=NOW + 9, hours=20) == issued
        with pytest.raises(BadArgumentError, match="names lamp"):
            agent.answer("door", first, suite=SUITE_0, now=NOW)
        with pytest.raises(BadArgumentError, match="hours"):
            agent.answer("lamp", second, suite=SUITE_0, now=NOW, hours=0)
        with pytest.raises(TicketRefusedError):
            agent.answer("lamp", first[:-1], suite=SUITE_0, now=NOW)
        # As a file it is answered already.
        agent.request_credential(first, suite=SUITE_0)
        assert agent.issue_credentials(now=NOW) == 0
        agent.request_credential(second, suite=SUITE_0)
        assert agent.issue_credentials(now=NOW) == 1
    with Authority(path) as agent:
        with pytest.raises(PassphraseError):
            agent.answer("lamp", first, suite=SUITE_0, now=NOW)
        agent.unlock(b"secret")
        assert agent.answer("lamp", first, suite=SUITE_0, now=NOW) == issued
        assert [one.credential.serial for one in agent.credentials()] == [1, 2]


def test_command_of_a_device(tmp_path: Path) -> None:
    """Split issue, from the device's request to its hub, by commands alone; renewed; and what goes wrong."""
    path, word, known, folder = (tmp_path / name for name in ("ca.db", "word", "acme.json", "lamp"))
    sent, answer = tmp_path / "request", tmp_path / "answer"
    word.write_bytes(b"correct horse\n")
    secret, scheme = ("--passphrase-file", word), ("--scheme", "noninteractive")
    iotkm("ca", "init", path, "--name", "acme", "--suite", "2", *secret)
    known.write_text(iotkm("ca", "suite", path, "2", "--json"))
    ask = ("ca", "request", folder, "lamp", *scheme, "--operator", known, "--out", sent)
    take = ("ca", "accept", folder, "lamp", answer, "--operator", known)
    serials = []
    for days in ("10", "20"):
        said = json.loads(iotkm(*ask, "--json"))
        assert said == {"device": "lamp", "operator": "acme", "suite": "SUITE_2", "request": str(sent)}
        asked = sent.read_bytes()
        assert "lamp" in iotkm(*ask) and sent.read_bytes() == asked, "until it is answered"
        assert requested_device(asked, suite=SUITE_2) == "lamp"
        iotkm("ca", "request", path, "--message", sent, "--suite", "2", "--days", days, *scheme)
        assert json.loads(iotkm("ca", "issue", path, *secret, "--json")) == {"issued": 1}
        iotkm("ca", "show", path, "lamp", "--out", answer, *scheme)
        taken = json.loads(iotkm(*take, "--json"))
        assert taken["device"] == "lamp" and taken["suite"] == "SUITE_2"
        assert json.loads(iotkm(*take, "--json")) == taken, "it is in already"
        serials.append(taken["serial"])
    assert serials == [1, 2]
    # What lies in the folder is what a hub takes, and nothing of it is a key that can be read.
    with Directory(folder) as storage, Authority(path) as agent:
        platform = Platform(storage.device_secret())
        holder = Holder(platform, device="lamp", operator=agent.operator(SUITE_2))
        assert storage.slots() == [*KEY_SLOTS, 65_535]
        holder.load(storage.read(65_535) or b"")
        assert holder.credential is not None and holder.credential.serial == 2
        keys = [StaticKey.restore(platform, "p256", storage.read(slot) or b"") for slot in KEY_SLOTS]
        for key, issued in zip(keys, agent.credentials("lamp"), strict=True):
            assert key.public_key == agent.operator(SUITE_2).public_key(issued.credential)
    # Of another request, another operator, another device; no operator; half a command.
    iotkm(*ask)
    assert "no answer of acme's to the request" in iotkm(*take[:4], sent, *take[5:], status=1)
    iotkm("ca", "init", tmp_path / "b.db", "--name", "acme", "--suite", "2", *secret)
    other = tmp_path / "other.json"
    other.write_text(iotkm("ca", "suite", tmp_path / "b.db", "2", "--json"))
    iotkm("ca", "request", tmp_path / "b.db", "--message", sent, "--suite", "2", *scheme)
    iotkm("ca", "issue", tmp_path / "b.db", *secret)
    iotkm("ca", "show", tmp_path / "b.db", "lamp", "--out", answer, *scheme)
    assert "no answer of acme's" in iotkm(*take, status=1)
    assert "no answer" in iotkm("ca", "accept", tmp_path / "door", "door", answer, "--operator", other, status=1)
    assert "ca suite" in iotkm(*ask[:7], sent, *ask[8:], status=1)
    assert "FOLDER DEVICE" in iotkm("ca", "request", folder, *scheme, "--operator", known, status=1)
    assert "noninteractive" in iotkm("ca", "request", folder, "lamp", "--operator", known, "--key", "00", status=1)


def test_command_of_printed_issue(tmp_path: Path) -> None:
    path, word, seal, known, printed = (tmp_path / name for name in ("ca.db", "word", "seal", "acme.json", "printed"))
    word.write_bytes(b"correct horse\n")
    seal.write_bytes(b"battery staple\n")
    secret, scheme = ("--passphrase-file", word), ("--scheme", "noninteractive")
    iotkm("ca", "init", path, "--name", "acme", "--suite", "2", *secret)
    known.write_text(iotkm("ca", "suite", path, "2", "--json"))
    make = ("ca", "issue-printed", path, "meter", "--suite", "2", "--days", "9", *secret)
    made = json.loads(iotkm(*make, "--out", printed, "--seal-passphrase-file", seal, "--json"))
    assert made["device"] == "meter" and made["expires"] - made["issued_at"] == 9 * DAY
    assert printed.stat().st_mode & 0o077 == 0
    take = ("ca", "accept", tmp_path / "meter", "meter", printed, "--operator", known)
    assert "is not the one that sealed it" in iotkm(*take, *secret, status=1)
    seen = json.loads(iotkm("inspect", printed, "--json"))
    assert seen["credential"]["device"] == "meter" and "not shown" in seen["key"] and seen["suite"] == "SUITE_2"
    assert json.loads(iotkm(*take, "--passphrase-file", seal, "--json"))["serial"] == made["serial"]
    # It is in the records: shown, revoked; but there is no answer, and no key.
    shown = json.loads(iotkm("ca", "show", path, "meter", *scheme, "--json"))
    assert shown["serial"] == made["serial"]
    assert "issued with its key" in iotkm("ca", "show", path, "meter", *scheme, "--out", tmp_path / "x", status=1)
    assert json.loads(iotkm("ca", "revoke", path, str(made["serial"]), *secret, "--json"))["serials"] == [made["serial"]]
    # For the device whose secret this is, and no other.
    for name in ("gate", "door"):
        with Directory(tmp_path / name) as storage:
            storage.device_secret()
    sealed = tmp_path / "sealed"
    own = ("--device-secret", tmp_path / "gate" / "device.key")
    iotkm("ca", "issue-printed", path, "gate", "--suite", "2", "--out", sealed, *own, *secret)
    assert "another device" in iotkm("ca", "accept", tmp_path / "door", "gate", sealed, "--operator", known, status=1)
    assert "subject" in iotkm("ca", "accept", tmp_path / "gate", "door", sealed, "--operator", known, status=1)
    assert json.loads(iotkm("ca", "accept", tmp_path / "gate", "gate", sealed, "--operator", known, "--json"))["device"] == "gate"
    # Nothing is issued where it could not be written, or is refused.
    count = len(iotkm("ca", "list", path, "--json").splitlines())
    assert "exists" in iotkm(*make, "--out", printed, "--seal-passphrase-file", seal, status=1)
    bad = ("--out", tmp_path / "none", "--seal-passphrase-file", seal)
    assert "ca init --suite" in iotkm("ca", "issue-printed", path, "meter", "--suite", "0", *bad, *secret, status=1)
    assert "32 bytes" in iotkm(*make, "--out", tmp_path / "none", "--device-secret", word, status=1)
    assert not (tmp_path / "none").exists()
    assert len(iotkm("ca", "list", path, "--json").splitlines()) == count


def test_printed_issue_warns(tmp_path: Path) -> None:
    path = tmp_path / "ca.db"
    with Authority.create(path, "acme", b"secret", cost=CHEAP) as agent:
        agent.unlock(b"secret")
        agent.add_suite(SUITE_0)
        with pytest.raises(BadArgumentError):
            agent.issue_printed_knowing_the_private_key("lamp", suite=SUITE_2, now=NOW)
        with pytest.raises(BadArgumentError):
            agent.issue_printed_knowing_the_private_key("lamp", suite=SUITE_0, now=NOW, hours=0)
        with pytest.raises(TicketRefusedError):
            agent.issue_printed_knowing_the_private_key("", suite=SUITE_0, now=NOW)
        credential, key = agent.issue_printed_knowing_the_private_key("lamp", suite=SUITE_0, now=NOW, hours=3)
        issued = agent.newest_credential("lamp")
        assert issued is not None and issued.credential == credential and issued.answer == b"" and credential.serial == 1
        assert agent.operator(SUITE_0).public_key(credential) == key.public_key
    command = [sys.executable, "-P", "-m", "iotkm", "ca", "issue-printed", str(path), "door", "--out", str(tmp_path / "out")]
    given = (tmp_path / "word", tmp_path / "seal")
    given[0].write_bytes(b"secret")
    given[1].write_bytes(b"staple")
    command += ["--passphrase-file", str(given[0]), "--seal-passphrase-file", str(given[1]), "--json"]
    done = subprocess.run(command, capture_output=True, env=ENVIRONMENT, check=True, timeout=60)
    assert b"has known the private key of door" in done.stderr.replace(b"\n", b" ")
    assert json.loads(done.stdout)["device"] == "door"
