"""The private keys of a device's credentials: the one in use, and the next."""

from collections.abc import Awaitable, Callable, Sequence

from iotkm import BadArgumentError, Credential, Holder, IotkmError, Platform, StaticKey


class Keys:
    """Two of the platform's slots (`places`), and where in the storage each is kept (`slots`)."""

    def __init__(self, platform: Platform, places: Sequence[int], slots: Sequence[int]) -> None:
        self._platform, self._places, self._slots = platform, places, slots
        self._public: list[bytes | None] = [None, None]

    async def load(self, holder: Holder, read: Callable[[int], Awaitable[bytes | None]]) -> dict[int, IotkmError]:
        """Hands the platform what is stored; slots that do not open, and why."""
        unreadable: dict[int, IotkmError] = {}
        credential = holder.credential
        for number, slot in enumerate(self._slots):
            blob = None if credential is None else await read(slot)
            if credential is None or blob is None:
                continue
            try:
                self._put(number, StaticKey.restore(self._platform, credential.group, blob))
            except IotkmError as error:
                unreadable[slot] = error
        return unreadable

    async def store(
        self, holder: Holder, credential: Credential, key: StaticKey, write: Callable[[int, bytes], Awaitable[None]]
    ) -> None:
        """Stores a credential's key where the one in use is not. Raises what the storage does."""
        if holder.operator.public_key(credential) != key.public_key:
            raise BadArgumentError("the key is not the credential's")
        if key.public_key in self._public:
            return
        # One that the application keeps is in the first place.
        own = holder.credential
        number = 0 if own is None or holder.operator.public_key(own) == self._public[1] else 1
        await write(self._slots[number], key.seal(self._platform))
        self._put(number, key)

    def _put(self, number: int, key: StaticKey) -> None:
        self._platform.set_key(self._places[number], key)
        self._public[number] = key.public_key
