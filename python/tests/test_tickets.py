"""Tickets and revocation lists, and that PyPI's `cwt` and `pycose` read ours as we read theirs."""

import time
from base64 import urlsafe_b64encode
from typing import Any

import pytest

from iotkm import RevocationList, SigningKey, Ticket, TicketRefusedError, VerifyKey, inspect

NOW = int(time.time())
EDDSA = SigningKey("EdDSA", bytes([7]) * 32)
ES256 = SigningKey("ES256", bytes([7]) * 32)
SIGNERS = pytest.mark.parametrize("signer", [EDDSA, ES256], ids=["EdDSA", "ES256"])


def ticket(signer: SigningKey = EDDSA, **changed: Any) -> Ticket:
    values: dict[str, Any] = {
        "agent": "acme",
        "device": "lamp-7",
        "group": "p256",
        "key": bytes([9]) * 32,
        "serial": 5,
        "issued_at": NOW,
        "expires": NOW + 1000,
        "scope": "light",
    }
    return Ticket.issue(signer, **(values | changed))


def claims() -> dict[int, Any]:
    """What `ticket` says, for other libraries; in the order of the keys, which they keep."""
    key = {1: 2, -1: 1, -2: bytes([9]) * 32, -3: False}
    times = {4: NOW + 1000, 6: NOW, 7: (5).to_bytes(4, "big")}
    return {1: "acme", 2: "lamp-7", **times, 8: {1: key}, 9: "light"}


def reason(call: Any, *arguments: Any, **named: Any) -> str:
    with pytest.raises(TicketRefusedError) as raised:
        call(*arguments, **named)
    assert raised.value.code <= -201
    return raised.value.reason


@SIGNERS
def test_ticket(signer: SigningKey) -> None:
    ours = ticket(signer)
    read = Ticket.verify(bytes(ours), "acme", signer.public_key)
    assert read == ours and hash(read) == hash(ours) and Ticket.peek(bytes(ours)) == ours
    assert (read.agent, read.device, read.serial, read.scope, read.group) == ("acme", "lamp-7", 5, "light", "p256")
    assert (read.issued_at, read.not_before, read.expires, read.key) == (NOW, NOW, NOW + 1000, bytes([9]) * 32)
    assert len(read.reference) == 8 and "lamp-7" in repr(read)
    seen = inspect(bytes(ours))
    assert seen["what"] == "ticket" and seen["serial"] == 5 and seen["reference"] == read.reference.hex()
    read.check(NOW)
    read.check(None, floor=NOW)
    assert reason(read.check, NOW + 1000) == "expired"
    assert reason(read.check, NOW - 301) == "not_yet_valid"


def test_refused() -> None:
    data = bytes(ticket())
    key = EDDSA.public_key
    assert reason(Ticket.verify, data, "other", key) == "agent"
    assert reason(Ticket.verify, data, "acme", ES256.public_key) == "algorithm"
    assert reason(Ticket.verify, data, "acme", SigningKey("EdDSA", bytes(32)).public_key) == "signature"
    assert reason(Ticket.peek, data[:-1]) == "truncated"
    assert reason(Ticket.peek, data + b"\0") == "trailing"
    assert reason(ticket, expires=NOW) == "claims"
    assert reason(ticket, group="p512") == "key"
    for bit in range(0, len(data) * 8, 7):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        assert reason(Ticket.verify, flipped, "acme", key)


def test_list() -> None:
    ours = RevocationList.issue(EDDSA, agent="acme", number=3, issued_at=NOW, serials=[2, 5, 900])
    read = RevocationList.verify(bytes(ours), "acme", EDDSA.public_key)
    assert read == ours == RevocationList.peek(bytes(ours)) and hash(read) == hash(ours)
    assert (read.agent, read.number, read.issued_at, read.serials) == ("acme", 3, NOW, [2, 5, 900])
    assert 5 in read and 4 not in read and "3 serials" in repr(read)
    assert inspect(bytes(ours))["serials"] == [2, 5, 900]
    assert reason(RevocationList.issue, EDDSA, agent="acme", number=3, issued_at=NOW, serials=[5, 2]) == "claims"
    assert reason(Ticket.peek, bytes(ours)) == "claims"


def test_keys() -> None:
    for signer in (EDDSA, ES256):
        public = signer.public_key
        assert VerifyKey(public.algorithm, bytes(public)) == public and public.algorithm in repr(public)
        assert (bytes([7]) * 32).hex() not in repr(signer)
    for wrong in (("RS256", bytes(32)), ("EdDSA", bytes(31)), ("ES256", bytes(32))):
        with pytest.raises(ValueError):
            SigningKey(*wrong)
    with pytest.raises(ValueError):
        VerifyKey("ES256", bytes(65))


def jwk(signer: SigningKey, secret: bytes | None) -> dict[str, str]:
    def text(part: bytes) -> str:
        return urlsafe_b64encode(part).decode().rstrip("=")

    public = bytes(signer.public_key)
    if signer is EDDSA:
        key = {"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "x": text(public)}
    else:
        key = {"kty": "EC", "crv": "P-256", "alg": "ES256", "x": text(public[1:33]), "y": text(public[33:])}
    return key | ({"d": text(secret)} if secret else {})


@SIGNERS
def test_cwt(signer: SigningKey) -> None:
    cwt = pytest.importorskip("cwt")
    cbor2 = pytest.importorskip("cbor2")
    # Its ordinary call, with no key id anywhere.
    assert cwt.decode(bytes(ticket(signer)), cwt.COSEKey.from_jwk(jwk(signer, None))) == claims()
    key = cwt.COSEKey.from_jwk(jwk(signer, bytes([7]) * 32))
    alg = -8 if signer is EDDSA else -7
    for header in ({1: alg}, {1: alg, 4: b""}):
        theirs = cwt.COSE.new().encode(cbor2.dumps(claims()), key, protected=header)
        assert Ticket.verify(theirs, "acme", signer.public_key).serial == 5
    if signer is EDDSA:
        assert theirs == bytes(ticket(signer))


@SIGNERS
def test_pycose(signer: SigningKey) -> None:
    keys, messages = pytest.importorskip("pycose.keys"), pytest.importorskip("pycose.messages")
    algorithm = pytest.importorskip("pycose.headers").Algorithm
    cbor2 = pytest.importorskip("cbor2")
    public = bytes(signer.public_key)
    secret = bytes([7]) * 32
    if signer is EDDSA:
        key = keys.OKPKey(crv="ED25519", x=public, d=secret)
    else:
        key = keys.EC2Key(crv="P_256", x=public[1:33], y=public[33:], d=secret)
    message = messages.Sign1Message.decode(bytes(ticket(signer)))
    message.key = key
    assert message.verify_signature() and cbor2.loads(message.payload) == claims()
    theirs = messages.Sign1Message(phdr={algorithm: signer.public_key.algorithm}, payload=cbor2.dumps(claims()))
    theirs.key = key
    assert Ticket.verify(theirs.encode(), "acme", signer.public_key).device == "lamp-7"
