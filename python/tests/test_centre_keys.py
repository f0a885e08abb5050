"""The centre's keys: in a file, and in a token (SoftHSM2), which must give the same bytes."""

import hashlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from softhsm import SO_PIN, SoftHsm

pytest.importorskip("argon2")
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes  # noqa: E402
from cryptography.hazmat.primitives.cmac import CMAC  # noqa: E402
from cryptography.hazmat.primitives.keywrap import aes_key_wrap  # noqa: E402

from iotkm import BadArgumentError, BadBlobError  # noqa: E402
from iotkm.authority import Cost, PassphraseError  # noqa: E402
from iotkm.centre import Anchor, FileKeyStore, KeyStore  # noqa: E402

CHEAP = Cost(1, 64, 1)
WORD = b"correct horse"
SEED = bytes(range(256)) * 3 + bytes(208)


@pytest.fixture(params=["file", "token"])
def keys(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[KeyStore]:
    if request.param == "file":
        with FileKeyStore.create(tmp_path / "keys", WORD, cost=CHEAP) as made:
            yield made
        return
    pytest.importorskip("pkcs11")
    token = request.getfixturevalue("softhsm").token("main")
    from iotkm.centre.token import TokenKeyStore

    with TokenKeyStore(token, secrets.token_hex(4), create=True) as made:
        yield made


def sealed(keys: KeyStore, id: bytes, seed: bytes = SEED) -> bytes:
    return aes_key_wrap(keys.transport_key(id), seed)


def test_a_seed_from_its_device_to_a_day(keys: KeyStore) -> None:
    bind = secrets.token_bytes(16)
    stored = keys.transcrypt(b"lamp-7", bind, sealed(keys, b"lamp-7"))
    assert len(stored) == len(SEED) + 16 and SEED[:32] not in stored
    assert keys.open(bind, stored) == SEED
    row = [SEED[at : at + 16] for at in range(0, len(SEED), 16)]
    for day in [(0, 5, 17), (4, 16, 47), (2, 11, 30), (0, 0, 0), (47, 47, 47)]:
        assert keys.rows(bind, stored, day) == b"".join([*(row[one] for one in day), *row[48:]])
    assert stored != keys.transcrypt(b"lamp-7", bytes(16), sealed(keys, b"lamp-7")), "a row's own"
    assert stored == keys.transcrypt(b"lamp-7", bind, sealed(keys, b"lamp-7")), "nothing is drawn"


def test_refused(keys: KeyStore) -> None:
    bind = bytes(16)
    good = sealed(keys, b"lamp-7")
    stored = keys.transcrypt(b"lamp-7", bind, good)
    for wrong in (good[:-8], good + bytes(8), b"", good[:100] + bytes([good[100] ^ 1]) + good[101:]):
        with pytest.raises(BadBlobError):
            keys.transcrypt(b"lamp-7", bind, wrong)
    with pytest.raises(BadBlobError):
        keys.transcrypt(b"lamp-8", bind, good)
    changes = [stored[:at] + bytes([stored[at] ^ 0x80]) + stored[at + 1 :] for at in (0, 500, 975, 976, 991)]
    for wrong in (*changes, stored[:-16], stored[16:], b"", bytes(16)):
        with pytest.raises(BadBlobError):
            keys.rows(bind, wrong, (0, 5, 17))
        with pytest.raises(BadBlobError):
            keys.open(bind, wrong)
    with pytest.raises(BadBlobError):
        keys.rows(bytes([1]) * 16, stored, (0, 5, 17))
    for day in ((48, 5, 17), (0, -1, 17), (0, 5, 61)):
        with pytest.raises(BadArgumentError):
            keys.rows(bind, stored, day)
    with pytest.raises(BadArgumentError):
        keys.rows(bind, keys.seal(bind, bytes(32)), (0, 5, 17))
    for plain in (b"", bytes(17)):
        with pytest.raises(BadArgumentError):
            keys.seal(bind, plain)
    assert keys.rows(bind, stored, (0, 5, 17)), "still there"


def test_secrets_made_here(keys: KeyStore) -> None:
    root = secrets.token_bytes(32)
    blob = keys.seal(b"pending root 007", root)
    assert len(blob) == 48 and keys.open(b"pending root 007", blob) == root
    with pytest.raises(BadBlobError):
        keys.open(b"pending root 008", blob)
    assert keys.mac(b"a") == keys.mac(b"a") != keys.mac(b"b")


def test_anchor(keys: KeyStore) -> None:
    assert keys.anchor() is None
    for version in (1, 2, 2, 900):
        anchor = Anchor(version, secrets.token_bytes(32))
        keys.set_anchor(anchor)
        assert keys.anchor() == anchor
    for wrong in (Anchor(899, bytes(32)), Anchor(901, bytes(31)), Anchor(-1, bytes(32))):
        with pytest.raises(BadArgumentError):
            keys.set_anchor(wrong)
    assert keys.anchor() == anchor


# ---- in a file ----


def cmac(key: bytes, data: bytes) -> bytes:
    made = CMAC(algorithms.AES(key))
    made.update(data)
    return made.finalize()


def test_bytes_of_the_file_s_formats(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the equations, written a second time."""
    monkeypatch.setattr(secrets, "token_bytes", lambda count: bytes(range(count)))
    keys = FileKeyStore.create(tmp_path / "keys", WORD, cost=CHEAP)
    trans, store, mac = bytes(range(32)), bytes(range(32, 64)), bytes(range(64, 96))
    bind = b"stands for a row"
    transport = cmac(trans, bytes.fromhex("00000001") + b"iotkm1 microcert transport\x00lamp-7" + bytes.fromhex("00000080"))
    assert keys.transport_key(b"lamp-7") == transport
    cipher = Cipher(algorithms.AES(store), modes.CBC(cmac(mac, b"\1" + bind))).encryptor()
    text = cipher.update(SEED)
    stored = text + cmac(mac, b"\2" + bind + text)
    assert keys.transcrypt(b"lamp-7", bind, aes_key_wrap(transport, SEED)) == stored == keys.seal(bind, SEED)
    assert keys.mac(b"data") == cmac(mac, b"\3data")


def test_the_core_makes_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Values of core/src/microcert/keys/tests.rs, `transport_and_storage_as_the_page_has_them`."""
    monkeypatch.setattr(secrets, "token_bytes", lambda count: bytes(range(count)))
    keys = FileKeyStore.create(tmp_path / "keys", WORD, cost=CHEAP)
    seed = bytes((n * 7 + 3) % 256 for n in range(976))
    fields = (b"mcert", b"\1\0\0", (3).to_bytes(4), b"lamp", b"city centre")
    th_0 = hashlib.sha256(b"".join(len(field).to_bytes(2) + field for field in fields)).digest()
    bind = hashlib.sha256(th_0 + (2025).to_bytes(2) + b"\0\0").digest()[:16]
    transport = keys.transport_key(b"lamp")
    assert transport.hex() == "411a21a87620373f706d722271f395c1"
    sent = aes_key_wrap(transport, seed)
    assert hashlib.sha256(sent).hexdigest() == "f348ddf1ba695cc2af372449438d8aaffbf97e7875f95edad50cd6ec7351b77e"
    stored = keys.transcrypt(b"lamp", bind, sent)
    assert stored[:16].hex() == "27a332e38e28012fcd600cc12f7e6c91"
    assert hashlib.sha256(stored).hexdigest() == "dfa5c43cd983f524b30e23d0de8b53a9a10d58cbb0c22321340dbf36266e6094"


def test_opens_again_with_its_passphrase_only(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    with FileKeyStore.create(path, WORD, cost=CHEAP) as made:
        fingerprint, blob = made.fingerprint(), made.seal(bytes(16), bytes(16))
        made.set_anchor(Anchor(7, bytes(32)))
    with pytest.raises(BadArgumentError, match="closed"):
        made.mac(b"")
    with FileKeyStore(path, WORD) as again:
        assert again.fingerprint() == fingerprint and again.open(bytes(16), blob) == bytes(16)
        assert again.anchor() == Anchor(7, bytes(32))
        with again.copy(tmp_path / "second", b"another", cost=CHEAP) as second:
            assert second.fingerprint() == fingerprint and second.anchor() is None
    with FileKeyStore(tmp_path / "second", b"another") as second:
        assert second.open(bytes(16), blob) == bytes(16)
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(PassphraseError, match="keystore's"):
        FileKeyStore(path, b"wrong")
    with pytest.raises(FileExistsError):
        FileKeyStore.create(path, WORD, cost=CHEAP)
    with pytest.raises(BadArgumentError):
        FileKeyStore.create(tmp_path / "third", b"", cost=CHEAP)
    assert not (tmp_path / "third").exists()
    for text in (b"", b"{}", b"[]", b'{"keystore": {"salt": 1}}', b'{"keystore": {"salt": "00", "cost": [1, 64, 1]}}'):
        (tmp_path / "other").write_bytes(text)
        with pytest.raises(BadArgumentError, match="no keystore"):
            FileKeyStore(tmp_path / "other", WORD)
    anchor = path.with_name("keys.anchor")
    anchor.write_bytes(anchor.read_bytes().replace(b"\7", b"\6", 1))
    with pytest.raises(BadBlobError):
        FileKeyStore(path, WORD)


def test_no_room_for_the_anchor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with FileKeyStore.create(tmp_path / "keys", WORD, cost=CHEAP) as keys:
        keys.set_anchor(Anchor(1, bytes(32)))

        def full(*_: object) -> None:
            raise OSError(28, os.strerror(28))

        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", full)
            with pytest.raises(OSError, match="No space"):
                keys.set_anchor(Anchor(2, bytes(32)))
        assert keys.anchor() == Anchor(1, bytes(32))
    with FileKeyStore(tmp_path / "keys", WORD) as keys:
        assert keys.anchor() == Anchor(1, bytes(32))
        assert not [*tmp_path.glob("*.new")]


# ---- in a token ----


def test_keys_do_not_leave_the_token(softhsm: SoftHsm) -> None:
    pkcs11 = pytest.importorskip("pkcs11")
    from iotkm.centre.token import TokenKeyStore
    from iotkm.pkcs11 import TokenError

    with TokenKeyStore(softhsm.token("main"), "stays", create=True) as keys:
        fingerprint = keys.fingerprint()
        with keys.token.session("a look") as session:
            found = [*session.get_objects({pkcs11.Attribute.CLASS: pkcs11.ObjectClass.SECRET_KEY})]
            ours = [one for one in found if one.label.startswith("stays ")]
            assert len(ours) == 3 and not [one for one in found if not one.label], "nothing of a session is left"
            wraps = pkcs11.MechanismFlag.WRAP
            another = session.generate_key(pkcs11.KeyType.AES, 256, capabilities=wraps)
            store = next(one for one in ours if one.label == "stays store")
            for key in ours:
                with pytest.raises(pkcs11.AttributeSensitive):
                    key[pkcs11.Attribute.VALUE]
                for other, mechanism in ((another, pkcs11.Mechanism.AES_KEY_WRAP), (store, pkcs11.Mechanism.AES_CBC)):
                    param = bytes(16) if mechanism == pkcs11.Mechanism.AES_CBC else None
                    with pytest.raises(pkcs11.KeyNotWrappable):
                        other.wrap_key(key, mechanism=mechanism, mechanism_param=param)
                with pytest.raises(pkcs11.PKCS11Error):
                    key[pkcs11.Attribute.SENSITIVE] = False
            another.destroy()

        class Looking:
            """K_store, and whether the seed that it is to wrap can be read."""

            def wrap_key(self, seed: object, **how: object) -> bytes:
                with pytest.raises(pkcs11.AttributeSensitive):
                    seed[pkcs11.Attribute.VALUE]  # type: ignore[index]
                uses = pkcs11.Attribute
                for attribute in (uses.DECRYPT, uses.SIGN, uses.DERIVE, uses.TOKEN):
                    assert not seed[attribute]  # type: ignore[index]
                return bytes(store.wrap_key(seed, **how))

        keys._keys["store"] = Looking()
        keys.transcrypt(b"lamp", bytes(16), sealed(keys, b"lamp"))
        keys._keys["store"] = store
        with keys.token.session("a look") as session:
            left = [*session.get_objects({pkcs11.Attribute.CLASS: pkcs11.ObjectClass.SECRET_KEY})]
            assert len(left) == len(found), "the seed is not left in the token"
        keys.set_anchor(Anchor(1, bytes(32)))
        keys.set_anchor(Anchor(2, bytes(32)))
        with pytest.raises(TokenError, match="already.*--key-label"):
            TokenKeyStore(keys.token, "stays", create=True)
        with pytest.raises(TokenError, match="no key"):
            TokenKeyStore(keys.token, "another")
    with TokenKeyStore(softhsm.token("main"), "stays") as keys:
        assert keys.fingerprint() == fingerprint and keys.anchor() == Anchor(2, bytes(32))
    with pytest.raises(TokenError):
        keys.mac(b"after the session")


def test_second_card(softhsm: SoftHsm) -> None:
    pkcs11 = pytest.importorskip("pkcs11")
    from pkcs11.util.rsa import decode_rsa_public_key

    from iotkm.centre.token import _OAEP, TokenKeyStore, install_card, request_card, trust_card
    from iotkm.pkcs11 import TokenError

    bind = bytes(16)
    second = softhsm.token("second")
    with TokenKeyStore(softhsm.token("main"), "centre", create=True) as main:
        order = request_card(second, "centre")
        stored = main.transcrypt(b"lamp", bind, sealed(main, b"lamp"))
        with pytest.raises(TokenError, match="security officer"):
            main.copy(order)
        # Who has the user's PIN brings that key in himself: it has nobody's trust, the token wraps nothing to it, and gives it none.
        with main.token.session("a user's work") as session:
            own = {pkcs11.Attribute.WRAP: True, pkcs11.Attribute.TOKEN: False, pkcs11.Attribute.LABEL: "of the user"}
            own |= {pkcs11.Attribute.CLASS: pkcs11.ObjectClass.PUBLIC_KEY, pkcs11.Attribute.KEY_TYPE: pkcs11.KeyType.RSA}
            own |= {a: decode_rsa_public_key(order)[a] for a in (pkcs11.Attribute.MODULUS, pkcs11.Attribute.PUBLIC_EXPONENT)}
            with pytest.raises(pkcs11.PKCS11Error):
                session.create_object(own | {pkcs11.Attribute.TRUSTED: True})
            brought = session.create_object(own)
            for kept in main._keys.values():
                with pytest.raises(pkcs11.KeyNotWrappable):
                    brought.wrap_key(kept, **_OAEP)
                with pytest.raises(pkcs11.PKCS11Error):
                    kept.copy({pkcs11.Attribute.WRAP_WITH_TRUSTED: False, pkcs11.Attribute.TOKEN: False})
        with pytest.raises(TokenError, match="security officer"):
            main.copy(order)
        brought.destroy()
    with pytest.raises(TokenError):
        trust_card(softhsm.module, "main", "87654321", order, "centre")
    with pytest.raises(BadArgumentError):
        trust_card(softhsm.module, "main", SO_PIN, b"no order", "centre")
    second.close()
    trust_card(softhsm.module, "main", SO_PIN, order, "centre")
    with TokenKeyStore(softhsm.token("main"), "centre") as main, softhsm.token("second") as second:
        copy = main.copy(order)
        with softhsm.token("third") as third, pytest.raises(TokenError, match="request_card"):
            install_card(third, copy, "centre")
        with softhsm.token("third") as third:
            request_card(third, "centre")
            with pytest.raises(BadBlobError):
                install_card(third, copy, "centre")
        changed = copy[384:768] + copy[:384] + copy[768:]
        for wrong in (copy[:-1], changed, copy[:-1] + bytes([copy[-1] ^ 1]), copy[:400] + bytes(8) + copy[408:]):
            with pytest.raises(BadBlobError):
                install_card(second, wrong, "centre")
            with pytest.raises(TokenError):
                TokenKeyStore(second, "centre")
        install_card(second, copy, "centre")
        with pytest.raises(TokenError, match="already.*--key-label"):
            install_card(second, copy, "centre")
        other = TokenKeyStore(second, "centre")
        assert other.fingerprint() == main.fingerprint()
        assert other.open(bind, stored) == SEED and other.transport_key(b"lamp") == main.transport_key(b"lamp")
    # Only the main card gives them on.
    with softhsm.token("third") as third:
        again = request_card(third, "from the second")
    trust_card(softhsm.module, "second", SO_PIN, again, "centre")
    with TokenKeyStore(softhsm.token("second"), "centre") as other, pytest.raises(TokenError):
        other.copy(again)
