"""The user's secret as both sides must see it, whatever keyboard it came from."""

from precis_i18n import get_profile

from iotkm._errors import BadArgumentError

_MAX = 64


def prepare_secret(text: str) -> bytes:
    """A secret that a user entered, as the bytes that pairing takes: OpaqueString of RFC 8265, in UTF-8.

    Spaces of all kinds become one kind, characters are composed (NFC), control characters are refused.

    Raises:
        BadArgumentError: it is empty, holds a character that is not allowed, or is longer than 64 bytes.

    >>> prepare_secret("caf\\u00e9") == prepare_secret("cafe\\u0301")
    True
    >>> prepare_secret("two\\u2003words")
    b'two words'
    """
    try:
        prepared: str = get_profile("OpaqueString").enforce(text)
    except UnicodeError as error:
        # The library's message would show the secret.
        raise BadArgumentError(f"the secret is not acceptable: {_why(error)}") from None
    data = prepared.encode()
    if len(data) > _MAX:
        raise BadArgumentError(f"the secret has {len(data)} bytes in UTF-8; at most {_MAX}")
    return data


def _why(error: UnicodeError) -> str:
    reason = getattr(error, "reason", "")
    return {"DISALLOWED/empty": "it is empty"}.get(reason, "it holds a character that cannot be used (a control character?)")
