"""Keys in a PKCS#11 token (an HSM, a smart card, SoftHSM2): they never leave it. Needs ``iotkm[pkcs11]``.

A ticket agent signs with `Token.signing_key`; a device's static key is `Token.static_key`. Both are given to the same
calls as keys in memory:

    with Token("/usr/lib/softhsm/libsofthsm2.so", "acme", pin) as token:
        key = token.signing_key("agent", create="ES256")
        platform = Platform(secret, keys={0: token.static_key("device", create="p256")})
"""

import hashlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self

import pkcs11
from pkcs11 import KDF, Attribute, KeyType, Mechanism, MechanismFlag, ObjectClass
from pkcs11.util.ec import encode_named_curve_parameters

from iotkm._errors import BadArgumentError, IotkmError, KeyFailedError
from iotkm._iotkm import SigningKey, StaticKey, VerifyKey

_EC, _EDWARDS = KeyType.EC, KeyType.EC_EDWARDS
_P256 = (_EC, encode_named_curve_parameters("secp256r1"))
_SIGNING = {"EdDSA": (_EDWARDS, encode_named_curve_parameters("1.3.101.112")), "ES256": _P256}
# X25519 as SoftHSM2 has it; PKCS#11 3.0's own type of key for it is not known to python-pkcs11.
_STATIC = {"x25519": (_EDWARDS, encode_named_curve_parameters("1.3.101.110")), "p256": _P256}


class TokenError(IotkmError, OSError):
    """The token is not there, refuses the PIN, or cannot do what is asked."""

    code = -110


class Token:
    """An open session of a token. Calls may come from any thread, one at a time reaches the token."""

    def __init__(self, module: str, label: str, pin: str, *, officer: bool = False) -> None:
        """Opens the token of this label.

        Args:
            module: the file of the token's PKCS#11 library.
            label: the token's label.
            pin: the user's PIN.
            officer: it is the security officer's PIN. He sees no private keys, and comes in while no user is.

        Raises:
            TokenError: there is no such library or token, or it refuses the PIN.
        """
        self.module, self.label = module, label
        self._lock = threading.Lock()
        try:
            library = pkcs11.lib(module)
        except (pkcs11.PKCS11Error, RuntimeError) as error:
            what = f"no PKCS#11 library can be loaded from {module}: name the one of the token's maker"
            raise TokenError(f"{what} ({error})") from error
        try:
            found = library.get_token(token_label=label)
            self._session = found.open(rw=True, so_pin=pin) if officer else found.open(rw=True, user_pin=pin)
        except (pkcs11.PKCS11Error, RuntimeError) as error:
            raise TokenError(f"token {label!r} of {module}: {_words(error)}") from error

    def close(self) -> None:
        """Ends the session; keys of it fail from now on."""
        with self._lock:
            self._session.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Token {self.label!r} of {self.module}>"

    def signing_key(self, label: str, *, create: str | None = None) -> SigningKey:
        """The signature key of this label: Ed25519 or P-256.

        Args:
            label: the key's.
            create: ``"EdDSA"`` or ``"ES256"``: makes it; then there must be none of this label.

        Raises:
            TokenError: there is none, or one already.
            BadArgumentError: no such algorithm.
        """
        kind, private, point = self._pair(label, _SIGNING, create, MechanismFlag.SIGN, Attribute.SIGN)

        def ecdsa(message: bytes) -> bytes:
            return bytes(private.sign(hashlib.sha256(message).digest(), mechanism=Mechanism.ECDSA))

        def eddsa(message: bytes) -> bytes:
            return bytes(private.sign(message, mechanism=Mechanism.EDDSA))

        return SigningKey.external(VerifyKey(kind, point), self._guarded(ecdsa if kind == "ES256" else eddsa))

    def static_key(self, label: str, *, create: str | None = None) -> StaticKey:
        """The static Diffie-Hellman key of this label: X25519, where the token can, or P-256.

        Args:
            label: the key's.
            create: ``"x25519"`` or ``"p256"``: makes it; then there must be none of this label.

        Raises:
            TokenError: there is none, or one already.
            BadArgumentError: no such group.
        """
        kind, private, point = self._pair(label, _STATIC, create, MechanismFlag.DERIVE, Attribute.DERIVE)
        readable = {Attribute.SENSITIVE: False, Attribute.EXTRACTABLE: True, Attribute.TOKEN: False}

        def agree(other: bytes) -> bytes:
            # An object of the session, which ends here: the secret is for the schedule of keys, not for the token.
            secret = private.derive_key(
                KeyType.GENERIC_SECRET, 256, mechanism=Mechanism.ECDH1_DERIVE,
                mechanism_param=(KDF.NULL, None, other), template=readable,
            )  # fmt: skip
            try:
                return bytes(secret[Attribute.VALUE])
            finally:
                secret.destroy()

        return StaticKey.external(kind, point, self._guarded(agree))

    def _pair(
        self,
        label: str,
        kinds: dict[str, tuple[KeyType, bytes]],
        create: str | None,
        use: MechanismFlag,
        may: Attribute,
    ) -> tuple[str, Any, bytes]:
        """Which of the kinds the pair of this label is, its private key, its public key's bytes."""
        if create is not None and create not in kinds:
            raise BadArgumentError(f"there is no {create} here: {' or '.join(kinds)}")
        with self.session(f"key {label!r}"):
            private, public = self._found(label) if create is None else self._made(label, kinds[create], use)
            is_of = (private.key_type, bytes(public[Attribute.EC_PARAMS]))
            kind = next((name for name, which in kinds.items() if which == is_of), None)
            if kind is None or not private[may]:
                raise TokenError(f"key {label!r} of token {self.label!r} is for something else")
            # An OCTET STRING of less than 128 bytes around the point.
            return kind, private, bytes(public[Attribute.EC_POINT])[2:]

    @contextmanager
    def session(self, what: str) -> Iterator[Any]:
        """The session of python-pkcs11, for one thread at a time, to do what this class has no call for.

        Args:
            what: is done, for the error.

        Raises:
            TokenError: the token refused.
        """
        with self._lock:
            try:
                yield self._session
            except pkcs11.PKCS11Error as error:
                raise TokenError(f"token {self.label!r}, {what}: {_words(error)}") from error

    def _found(self, label: str) -> tuple[Any, Any]:
        classes = (ObjectClass.PRIVATE_KEY, ObjectClass.PUBLIC_KEY)
        found = [[*self._session.get_objects({Attribute.CLASS: which, Attribute.LABEL: label})] for which in classes]
        if [len(keys) for keys in found] != [1, 1]:
            raise TokenError(f"token {self.label!r} has no key pair {label!r}")
        return found[0][0], found[1][0]

    def _made(self, label: str, kind: tuple[KeyType, bytes], use: MechanismFlag) -> tuple[Any, Any]:
        if [*self._session.get_objects({Attribute.LABEL: label})]:
            raise TokenError(f"token {self.label!r} has something called {label!r} already: take another label (--key-label)")
        domain = self._session.create_domain_parameters(kind[0], {Attribute.EC_PARAMS: kind[1]}, local=True)
        mechanism = Mechanism.EC_KEY_PAIR_GEN if kind[0] == _EC else Mechanism.EC_EDWARDS_KEY_PAIR_GEN
        sealed = {Attribute.SENSITIVE: True, Attribute.EXTRACTABLE: False}
        uses = use | MechanismFlag.VERIFY if use == MechanismFlag.SIGN else use
        public, private = domain.generate_keypair(
            mechanism=mechanism, store=True, label=label, capabilities=uses, private_template=sealed
        )
        return private, public

    def _guarded(self, call: Callable[[bytes], bytes]) -> Callable[[bytes], bytes]:
        def guarded(data: bytes) -> bytes:
            with self._lock:
                try:
                    return call(data)
                except pkcs11.PKCS11Error as error:
                    raise KeyFailedError(f"token {self.label!r}: {_words(error)}") from error

        return guarded


_OTHERS = "this process has a session of it, of the other of user and security officer: close that first"
_ADVICE: dict[type[Exception], str] = {
    pkcs11.NoSuchToken: "there is none of this label: put it in, or look how it is labelled (pkcs11-tool --list-token-slots)",
    pkcs11.MultipleTokensReturned: "many have this label: give each its own",
    pkcs11.TokenNotPresent: "it was taken out: put it in, and begin anew",
    pkcs11.DeviceRemoved: "it was taken out: put it in, and begin anew",
    pkcs11.TokenNotRecognised: "it is not initialised, or not for this library",
    pkcs11.TokenWriteProtected: "it is write-protected: no keys can be made in it",
    pkcs11.PinIncorrect: "it refuses the PIN: try another one, but not often, for many tokens lock themselves then",
    pkcs11.PinInvalid: "it refuses the PIN: there are characters in it that no PIN has here",
    pkcs11.PinLenRange: "it refuses the PIN: no PIN has that length here",
    pkcs11.PinLocked: "the PIN is locked after too many wrong ones: the security officer sets a new one",
    pkcs11.PinExpired: "the PIN is over: set a new one with the tools of the token's maker",
    pkcs11.UserPinNotInitialized: "it has no user's PIN yet: the security officer sets one",
    pkcs11.UserAlreadyLoggedIn: "this process has a session of it already: close that one first",
    pkcs11.AnotherUserAlreadyLoggedIn: _OTHERS,
    pkcs11.SessionReadOnlyExists: _OTHERS,
    pkcs11.SessionReadWriteSOExists: _OTHERS,
    pkcs11.SessionCount: "it has as many sessions as it can: end another program that uses it",
    pkcs11.SessionClosed: "the session has ended: open the token anew",
    pkcs11.SessionHandleInvalid: "the session has ended: open the token anew",
    pkcs11.UserNotLoggedIn: "the session has ended: open the token anew",
    pkcs11.DeviceMemory: "it is full: remove keys that nobody needs, or take another one",
    pkcs11.MechanismInvalid: "it cannot do this: take another algorithm, or another token",
    pkcs11.FunctionNotSupported: "it cannot do this: take another algorithm, or another token",
    pkcs11.KeyUnextractable: "the key may not leave it: a copied card gives no keys on, only the main one does",
    pkcs11.KeyNotWrappable: "the key may not leave it: a copied card gives no keys on, only the main one does",
}


def _words(error: Exception) -> str:
    """What to do, and what the library calls it."""
    name = type(error).__name__
    advice = _ADVICE.get(type(error))
    return f"{name} {error}".strip() if advice is None else f"{advice} ({name})"
