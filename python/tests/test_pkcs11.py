"""Keys in a token: SoftHSM2, in a folder of the test's own."""

import json
from pathlib import Path

import pytest
from softhsm import LABELS, PIN, SO_PIN, SoftHsm
from test_cli import iotkm

from iotkm import (
    SUITE_2,
    BadArgumentError,
    CredentialPeer,
    KeyFailedError,
    Noninteractive,
    Platform,
    RevocationList,
    StaticKey,
    Ticket,
    VerifyKey,
    sim,
)

pytest.importorskip("pkcs11")

from iotkm.authority import DAY, Authority, InToken, PassphraseError  # noqa: E402
from iotkm.pkcs11 import Token, TokenError  # noqa: E402

@pytest.fixture
def label(softhsm: SoftHsm) -> str:
    return LABELS[0]


@pytest.fixture
def module(softhsm: SoftHsm) -> str:
    return softhsm.module


@pytest.fixture
def token(softhsm: SoftHsm, label: str) -> Token:
    return softhsm.token(label)


@pytest.mark.parametrize("algorithm", ["EdDSA", "ES256"])
def test_signing_key(token: Token, algorithm: str) -> None:
    with token:
        key = token.signing_key(f"sign {algorithm}", create=algorithm)
        assert key.public_key.algorithm == algorithm
        assert token.signing_key(f"sign {algorithm}").public_key == key.public_key
        ticket = Ticket.issue(
            key, agent="acme", device="lamp", group="x25519", key=bytes(32), serial=1, issued_at=1, expires=2
        )
        assert Ticket.verify(bytes(ticket), "acme", key.public_key) == ticket
    with pytest.raises(KeyFailedError) as raised:
        key.sign(b"after the session")
    assert isinstance(raised.value.__cause__, KeyFailedError)


@pytest.mark.parametrize("group", ["x25519", "p256"])
def test_static_key(token: Token, group: str) -> None:
    with token:
        ours, theirs = token.static_key(f"static {group}", create=group), StaticKey(group, bytes([7]) * 32)
        assert ours.group == group and token.static_key(f"static {group}").public_key == ours.public_key
        assert ours.agree(theirs.public_key) == theirs.agree(ours.public_key)
        Platform(bytes(32), keys={0: ours})
        with pytest.raises(BadArgumentError):
            ours.agree((b"\xff" if group == "p256" else b"\0") * 32)


def test_x_alone_is_no_key_of_a_credential(token: Token) -> None:
    with token:
        key = token.static_key("of a credential", create="p256")
        net = sim.noninteractive_pair(suite=SUITE_2)
        assert not key.can_step and net.a.holder is not None
        net.a.platform.set_key(0, key)
        peer = CredentialPeer.named(slot=1, own_id="device-a", id="device-b", suite=SUITE_2)
        with pytest.raises(BadArgumentError, match="PKCS#11"):
            Noninteractive(net.a.platform, peer, net.a.holder)


def test_refused(token: Token, module: str, label: str) -> None:
    with token:
        token.signing_key("for signing", create="ES256")
        token.static_key("for agreement", create="p256")
        for wrong in (
            lambda: token.signing_key("for signing", create="ES256"),
            lambda: token.signing_key("for agreement"),
            lambda: token.static_key("for signing"),
            lambda: token.static_key("there is none"),
        ):
            with pytest.raises(TokenError):
                wrong()
        with pytest.raises(BadArgumentError):
            token.signing_key("another", create="RSA")
    for file, name, pin, said in (
        ("/nowhere", label, PIN, "name the one of the token's maker"),
        (module, "other", PIN, "there is none of this label: put it in"),
        (module, label, "654321", "it refuses the PIN: try another one"),
    ):
        with pytest.raises(TokenError, match=said):
            Token(file, name, pin)


def test_a_session_at_a_time(module: str, label: str) -> None:
    with Token(module, label, PIN) as token:
        with pytest.raises(TokenError, match="close that one first"):
            Token(module, label, PIN)
        with pytest.raises(TokenError, match="close that first"):
            Token(module, label, SO_PIN, officer=True)
    with pytest.raises(TokenError, match="open the token anew"), token.session("a number") as session:
        session.generate_random(64)


def test_agent_with_its_key_in_a_token(tmp_path: Path, module: str, label: str) -> None:
    path, pin = tmp_path / "ca.db", tmp_path / "pin"
    pin.write_text(PIN + "\n")
    word = ("--passphrase-file", pin)
    init = ("ca", "init", path, "--name", "acme", "--algorithm", "ES256", "--pkcs11", module, "--json")
    assert "--token" in iotkm(*init, *word, status=1)
    made = json.loads(iotkm(*init, *word, "--token", label, "--key-label", "agent"))
    assert made["key"] == "agent"
    key = VerifyKey(made["algorithm"], bytes.fromhex(made["public_key"]))
    iotkm("ca", "request", path, "lamp", "--key", bytes([9] * 32).hex())
    assert json.loads(iotkm("ca", "issue", path, *word, "--json")) == {"issued": 1}
    with Authority(path) as agent:
        ticket = agent.newest("lamp")
        assert ticket is not None and Ticket.verify(bytes(ticket), "acme", key) == ticket
        agent.unlock(PIN.encode())
        assert agent.renew(within=400, days=800, now=ticket.issued_at) == 1
        revoked = agent.revoke([1], now=ticket.issued_at + DAY)
        assert RevocationList.verify(bytes(revoked), "acme", key).serials == [1]
        with pytest.raises(BadArgumentError, match="token"):
            agent.add_suite(SUITE_2)
        agent.lock()
        with pytest.raises(PassphraseError):
            agent.revoke([2], now=ticket.issued_at)
        with pytest.raises(TokenError):
            agent.unlock(b"654321")
        assert agent.token == InToken(module, label, "agent")
    assert PIN.encode() not in path.read_bytes()
    assert "refuses the PIN" in iotkm("ca", "renew", path, "--passphrase-file", "-", given=b"111111\n", status=1)
    assert "none of this label" in iotkm("ca", "init", tmp_path / "x", *init[3:], *word, "--token", "none", status=1)
    other = tmp_path / "other.db"
    said = iotkm("ca", "init", other, *init[3:], *word, "--token", label, "--key-label", "agent", status=1)
    assert "already: take another label (--key-label)" in said
    assert not other.exists(), "nothing half is left"
