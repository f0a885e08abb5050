"""HPKE, export-only: same keys, same exports from pyhpke, on both sides and in both modes."""

import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, x25519
from pyhpke import AEADId, CipherSuite, KDFId, KEMId, KEMKey, KEMKeyPair

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "primitives" / "hpke.json").read_text())
unhex = bytes.fromhex


def pair(kem, private, public):
    """A key pair of pyhpke's; the public key that the vector names is the one that belongs to the private one."""
    private, public = unhex(private), unhex(public)
    if kem is KEMId.DHKEM_X25519_HKDF_SHA256:
        key = x25519.X25519PrivateKey.from_private_bytes(private)
        assert key.public_key().public_bytes_raw() == public
    else:
        key = ec.derive_private_key(int.from_bytes(private, "big"), ec.SECP256R1())
        assert key.public_key() == ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), public)
    return KEMKeyPair(KEMKey.from_pyca_cryptography_key(key), KEMKey.from_pyca_cryptography_key(key.public_key()))


@pytest.mark.parametrize("vector", VECTORS)
def test_pyhpke_exports_the_same(vector):
    kem = KEMId(vector["kem"])
    suite = CipherSuite.new(kem, KDFId.HKDF_SHA256, AEADId.EXPORT_ONLY)
    recipient, sender = (
        vector[who] and pair(kem, vector[who]["private"], vector[who]["public"]) for who in ("recipient", "sender")
    )
    ephemeral = pair(kem, vector["ephemeral"], vector["enc"])
    info = unhex(vector["info"])
    enc, sent = suite.create_sender_context(
        recipient.public_key, info, sks=sender and sender.private_key, eks=ephemeral
    )
    assert enc == unhex(vector["enc"])
    received = suite.create_recipient_context(enc, recipient.private_key, info, pks=sender and sender.public_key)
    for export in vector["exports"]:
        value = unhex(export["value"])
        for side in (sent, received):
            assert side.export(unhex(export["context"]), len(value)) == value


def test_there_are_vectors_of_every_kind():
    assert {(v["kem"], v["sender"] is not None) for v in VECTORS} == {(k, a) for k in (16, 32) for a in (False, True)}
