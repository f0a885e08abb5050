"""The centre's keys in a PKCS#11 token, the paper's encryption card; a second card with the same keys. Needs
``iotkm[ca,pkcs11]``.

K_trans, K_store and K_mac are made in the token and never leave it but for another card, wrapped to a key that the security
officer has put his trust in. Seeds change from K_trans to K_store inside it. What a standard token cannot keep inside: a device's
own transport key (which goes to the chip), and of a seed the sixteen rows of the day of one request.

    with TokenKeyStore(Token(module, "card 1", pin), create=True) as main:
        order = request_card(second)                          # on the second card: a key to wrap to
        trust_card(module, "card 1", so_pin, order)           # on the main card, with the security officer's PIN
        install_card(second, main.copy(order))
    keys = TokenKeyStore(second)
"""

import contextlib
import struct
from typing import Any

import pkcs11
from pkcs11 import MGF, Attribute, KeyType, Mechanism, ObjectClass
from pkcs11.util.rsa import decode_rsa_public_key, encode_rsa_public_key

from iotkm._errors import BadArgumentError, BadBlobError
from iotkm.centre._keystore import Anchor, KeyStore, above, read_anchor, write_anchor
from iotkm.pkcs11 import Token, TokenError

_NAMES = ("trans", "store", "mac")
_USES = {
    "trans": {Attribute.SIGN},
    "store": {Attribute.WRAP, Attribute.ENCRYPT, Attribute.DECRYPT},
    "mac": {Attribute.SIGN},
}
_ALL_USES = (
    Attribute.SIGN, Attribute.VERIFY, Attribute.WRAP, Attribute.UNWRAP, Attribute.ENCRYPT, Attribute.DECRYPT, Attribute.DERIVE,
)  # fmt: skip
# SHA-1's weakness is no weakness here, and SoftHSM2 and many cards know no other.
_OAEP = {"mechanism": Mechanism.RSA_PKCS_OAEP, "mechanism_param": (Mechanism.SHA_1, MGF.SHA1, None)}
_RSA_BITS = 3072


def _template(uses: set[Attribute], **more: bool) -> dict[Attribute, Any]:
    """Attributes of a secret: what it may be used for is named, everything else is forbidden."""
    uses_of = {use: use in uses for use in _ALL_USES}
    return uses_of | {Attribute[name]: value for name, value in more.items()}


# What tokens say where a wrapped key does not unwrap.
_NOT_WRAPPED = (
    pkcs11.EncryptedDataInvalid, pkcs11.EncryptedDataLenRange, pkcs11.FunctionFailed, pkcs11.GeneralError,
    pkcs11.WrappedKeyInvalid, pkcs11.WrappedKeyLenRange,
)  # fmt: skip
# Inside the token for one call.
_PASSING = _template(set(), TOKEN=False, PRIVATE=True, SENSITIVE=True, EXTRACTABLE=True)


class TokenKeyStore(KeyStore):
    """Keys in a token. The anchor is an object of the token too, private, and written anew each time it changes."""

    def __init__(self, token: Token, name: str = "iotkm", *, create: bool = False) -> None:
        """Finds the keys, or makes them.

        Args:
            token: an open session; `close` ends it.
            name: what the labels of the keys begin with.
            create: makes them; then there must be none of this name. They may be copied to a second card.

        Raises:
            TokenError: they are not there, or there already.
        """
        self.token, self.name = token, name
        with token.session(f"keys of {name!r}") as session:
            if create:
                if any(_find(session, name, each) for each in _NAMES):
                    raise _taken(token, name)
                for each in _NAMES:
                    # Only a key with the security officer's trust may carry them out; so none of them can carry another.
                    more = dict(TOKEN=True, PRIVATE=True, SENSITIVE=True, EXTRACTABLE=True, WRAP_WITH_TRUSTED=True)
                    template = _template(_USES[each], MODIFIABLE=False, **more)
                    label = _label(name, each)
                    session.generate_key(KeyType.AES, 256, store=True, label=label, template=template, capabilities=0)
            found = {each: _find(session, name, each) for each in _NAMES}
            for each, keys in found.items():
                if len(keys) != 1 or not keys[0][Attribute.SENSITIVE]:
                    raise TokenError(f"token {token.label!r} has no key {_label(name, each)!r}")
            self._keys = {each: keys[0] for each, keys in found.items()}
            self._kept = sorted(self._anchors(session), key=lambda one: one[0])
            # A power cut between writing one and erasing the one before leaves both.
            for _, rest in self._kept[:-1]:
                rest.destroy()

    def _anchors(self, session: Any) -> list[tuple[Anchor, Any]]:
        found = []
        where = {Attribute.CLASS: ObjectClass.DATA, Attribute.LABEL: _label(self.name, "anchor")}
        for one in session.get_objects(where):
            with contextlib.suppress(struct.error):
                found.append((read_anchor(bytes(one[Attribute.VALUE])), one))
        return found

    def close(self) -> None:
        """See `KeyStore.close`."""
        self.token.close()

    def __repr__(self) -> str:
        return f"<TokenKeyStore {self.name!r} in {self.token!r}>"

    def anchor(self) -> Anchor | None:
        """See `KeyStore.anchor`."""
        return self._kept[-1][0] if self._kept else None

    def set_anchor(self, anchor: Anchor) -> None:
        """See `KeyStore.set_anchor`."""
        above(anchor, self.anchor())
        template = {
            Attribute.CLASS: ObjectClass.DATA, Attribute.TOKEN: True, Attribute.PRIVATE: True,
            Attribute.LABEL: _label(self.name, "anchor"), Attribute.APPLICATION: "iotkm",
            Attribute.VALUE: write_anchor(anchor),
        }  # fmt: skip
        with self.token.session("anchor") as session:
            # The value of a data object cannot be changed in every token: the new one first, then away with the old.
            self._kept.append((anchor, session.create_object(template)))
            while len(self._kept) > 1:
                self._kept[0][1].destroy()
                del self._kept[0]

    def _cmac(self, key: str, data: bytes) -> bytes:
        with self.token.session("CMAC"):
            return bytes(self._keys[key].sign(data, mechanism=Mechanism.AES_CMAC))

    def _cbc(self, iv: bytes, data: bytes, encrypt: bool) -> bytes:
        with self.token.session("CBC"):
            store = self._keys["store"]
            return bytes((store.encrypt if encrypt else store.decrypt)(data, mechanism=Mechanism.AES_CBC, mechanism_param=iv))

    def _rewrap(self, transport: bytes, iv: bytes, sealed: bytes) -> bytes:
        with self.token.session("seed") as session, contextlib.ExitStack() as passing:
            template = _template({Attribute.UNWRAP}, TOKEN=False, PRIVATE=True, SENSITIVE=True, EXTRACTABLE=False)
            kind = {Attribute.CLASS: ObjectClass.SECRET_KEY, Attribute.KEY_TYPE: KeyType.AES, Attribute.VALUE: transport}
            key = session.create_object(template | kind)
            passing.callback(key.destroy)
            try:
                seed = key.unwrap_key(
                    ObjectClass.SECRET_KEY, KeyType.GENERIC_SECRET, sealed, mechanism=Mechanism.AES_KEY_WRAP,
                    template=_PASSING,
                )  # fmt: skip
            except _NOT_WRAPPED:
                raise BadBlobError("the seed is not sealed by this device for this centre") from None
            passing.callback(seed.destroy)
            return bytes(self._keys["store"].wrap_key(seed, mechanism=Mechanism.AES_CBC, mechanism_param=iv))

    def copy(self, order: bytes) -> bytes:
        """The keys, wrapped for the card that made this order (`request_card`) and is trusted (`trust_card`).

        Raises:
            TokenError: the security officer has not put his trust in it, or the keys may not leave this card.
        """
        numbers = decode_rsa_public_key(order)
        which = {a: numbers[a] for a in (Attribute.MODULUS, Attribute.PUBLIC_EXPONENT)}
        with self.token.session("copy for another card") as session:
            found = [*session.get_objects({Attribute.CLASS: ObjectClass.PUBLIC_KEY, **which})]
            trusted = [key for key in found if key[Attribute.TRUSTED]]
            if not trusted:
                raise TokenError("the security officer has not put his trust in that card: trust_card")
            wrapped = b"".join(bytes(trusted[0].wrap_key(self._keys[each], **_OAEP)) for each in _NAMES)
        return wrapped + self.fingerprint()


def request_card(token: Token, name: str = "iotkm") -> bytes:
    """Makes in a second card a key to which the main one can wrap; its public half, for `trust_card` and `TokenKeyStore.copy`.

    Raises:
        TokenError: it has keys of that name already.
    """
    label = _label(name, "card")
    with token.session(f"order of keys of {name!r}") as session:
        if any(_find(session, name, each) for each in (*_NAMES, "card")):
            raise _taken(token, name)
        private = {Attribute.SENSITIVE: True, Attribute.EXTRACTABLE: False, Attribute.DECRYPT: False, Attribute.SIGN: False}
        public, _ = session.generate_keypair(
            KeyType.RSA, _RSA_BITS, label=label, store=True, capabilities=pkcs11.MechanismFlag.WRAP | pkcs11.MechanismFlag.UNWRAP,
            private_template=private,
        )  # fmt: skip
        return bytes(encode_rsa_public_key(public))


def trust_card(module: str, label: str, so_pin: str, order: bytes, name: str = "iotkm") -> None:
    """Lets the main card wrap its keys for the card of this order. It is the security officer who says so, while no user has a
    session of that token in this process.

    Args:
        module: the file of the token's PKCS#11 library.
        label: the main token's.
        so_pin: the security officer's PIN.
        order: from `request_card`, brought by a way that nobody can change it on.
        name: what the labels begin with.

    Raises:
        BadArgumentError: it is no such order.
        TokenError: the token refuses.
    """
    try:
        numbers = decode_rsa_public_key(order)
    except Exception:  # asn1crypto's own
        raise BadArgumentError("that is no order of a card") from None
    template = {
        Attribute.CLASS: ObjectClass.PUBLIC_KEY, Attribute.KEY_TYPE: KeyType.RSA, Attribute.TOKEN: True,
        Attribute.PRIVATE: False, Attribute.TRUSTED: True, Attribute.WRAP: True, Attribute.ENCRYPT: False,
        Attribute.VERIFY: False, Attribute.LABEL: _label(name, "trusted card"),
        Attribute.MODULUS: numbers[Attribute.MODULUS], Attribute.PUBLIC_EXPONENT: numbers[Attribute.PUBLIC_EXPONENT],
    }  # fmt: skip
    with Token(module, label, so_pin, officer=True) as token, token.session("trust in a card") as session:
        session.create_object(template)


def install_card(token: Token, copy: bytes, name: str = "iotkm") -> None:
    """Puts the keys that the main card wrapped (`TokenKeyStore.copy`) into the second one, from which they cannot go further.

    Raises:
        BadBlobError: they are not for this card, or were changed.
        TokenError: the token refuses.
    """
    size = _RSA_BITS // 8
    if len(copy) != 3 * size + 16:
        raise BadBlobError("that is no copy of a card's keys")
    made: list[Any] = []
    with token.session("keys of the main card") as session:
        if any(_find(session, name, each) for each in _NAMES):
            raise _taken(token, name)
        pair = _find(session, name, "card")
        private = next((key for key in pair if key.object_class == ObjectClass.PRIVATE_KEY), None)
        if private is None:
            raise TokenError(f"token {token.label!r} has not asked for them: request_card")
        try:
            for at, each in enumerate(_NAMES):
                more = dict(TOKEN=True, PRIVATE=True, SENSITIVE=True, EXTRACTABLE=False)
                template = _template(_USES[each], **more) | {Attribute.LABEL: _label(name, each)}
                part = copy[at * size : (at + 1) * size]
                made.append(private.unwrap_key(ObjectClass.SECRET_KEY, KeyType.AES, part, template=template, **_OAEP))
        except _NOT_WRAPPED:
            _destroy(made)
            raise BadBlobError("the keys are not wrapped for this card, or were changed") from None
    agrees = False
    try:
        agrees = TokenKeyStore(token, name).fingerprint() == copy[-16:]
    finally:
        with token.session("keys of the main card"):
            # What it was for is done.
            _destroy(pair if agrees else made)
    if not agrees:
        raise BadBlobError("the keys are not the main card's: the copy was changed")


def _taken(token: Token, name: str) -> TokenError:
    return TokenError(f"token {token.label!r} has keys of {name!r} already: take another name for these (--key-label)")


def _label(name: str, what: str) -> str:
    return f"{name} {what}"


def _find(session: Any, name: str, what: str) -> list[Any]:
    found = [*session.get_objects({Attribute.LABEL: _label(name, what)})]
    return [one for one in found if one.object_class != ObjectClass.DATA]


def _destroy(objects: list[Any]) -> None:
    for one in objects:
        one.destroy()
