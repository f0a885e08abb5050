"""A device's wallet and its holder: what changes in them comes to be in the storage."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping

from iotkm import Holder, Wallet

_log = logging.getLogger("iotkm.aio")

_AGAIN = 8.0
"""Seconds after which they are stored again where that failed."""


class Kept:
    """They, each in its slot; ``None``: there is none."""

    def __init__(
        self, write: Callable[[int, bytes], Awaitable[None]], held: Mapping[int, Wallet | Holder | None]
    ) -> None:
        self._write = write
        self._held = {slot: one for slot, one in held.items() if one is not None}
        self._seen: set[int] = set()
        self._lock = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None
        self._after = 0.0

    @property
    def slots(self) -> list[int]:
        """Those that are used."""
        return list(self._held)

    def load(self, slot: int, blob: bytes | None) -> None:
        """What was stored comes back; what the application has put in since then stays where it is newer. Nothing is stored
        over what was not looked at.

        Raises:
            BadBlobError: it does not open here.
        """
        self._seen.add(slot)
        if blob is not None:
            self._held[slot].load(blob)

    async def store(self) -> None:
        """Stores what has changed. Raises what the storage does."""
        # One at a time: `persisted` speaks of what was sealed last.
        async with self._lock:
            for slot, held in self._held.items():
                if slot in self._seen and held.needs_store:
                    blob, _ = held.seal()
                    await self._write(slot, blob)
                    held.persisted()

    def start(self) -> None:
        """Has what has changed stored in the background."""
        loop = asyncio.get_running_loop()
        busy = self._task is not None and not self._task.done()
        if not busy and loop.time() >= self._after and any(held.needs_store for held in self._held.values()):
            self._task = loop.create_task(self._try())

    async def end(self, store: bool) -> None:
        """Ends what is under way, and stores what is left."""
        if self._task is not None:
            await asyncio.gather(self._task, return_exceptions=True)
        if store:
            await self._try()

    async def _try(self) -> None:
        try:
            await self.store()
        except Exception as error:
            _log.error("wallet or holder cannot be stored, will be tried again: %s", error)
            self._after = asyncio.get_running_loop().time() + _AGAIN
