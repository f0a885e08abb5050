"""The core's classes; ``help(iotkm.History)`` and so on say what arguments, units and errors are."""

from collections.abc import Callable
from typing import Final, Protocol, final

from typing_extensions import Buffer, disjoint_base

from iotkm._errors import IotkmError
from iotkm._outputs import Assurance, Datagram, Output, PeerInfo, Received

__all__ = [
    "Association",
    "History",
    "Pairing",
    "Peer",
    "Platform",
    "SUITE_0",
    "SUITE_0_SYMMETRIC",
    "SUITE_1",
    "SUITE_1_SYMMETRIC",
    "SUITE_2",
    "SUITE_2_SYMMETRIC",
    "SUITE_3",
    "SUITE_3_SYMMETRIC",
    "SUITE_4",
    "SUITE_4_SYMMETRIC",
    "SUITE_5",
    "SUITE_5_SYMMETRIC",
    "Suite",
    "Triple",
    "__version__",
    "_errors",
    "inspect",
]

class _RandBytes(Protocol):
    def randbytes(self, n: int, /) -> Buffer: ...

__version__: Final[str]

SUITE_0: Final[Suite]
SUITE_1: Final[Suite]
SUITE_2: Final[Suite]
SUITE_3: Final[Suite]
SUITE_4: Final[Suite]
SUITE_5: Final[Suite]
SUITE_0_SYMMETRIC: Final[Suite]
SUITE_1_SYMMETRIC: Final[Suite]
SUITE_2_SYMMETRIC: Final[Suite]
SUITE_3_SYMMETRIC: Final[Suite]
SUITE_4_SYMMETRIC: Final[Suite]
SUITE_5_SYMMETRIC: Final[Suite]

@final
class Platform:
    place: bytes
    def __new__(
        cls,
        device_secret: Buffer,
        *,
        rng: Callable[[int], Buffer] | _RandBytes | None = None,
        clock: Callable[[], int] | None = None,
        wall: Callable[[], int | None] | None = None,
        place: Buffer | None = None,
    ) -> Platform: ...
    def now(self) -> int: ...

@final
class Suite:
    @property
    def id(self) -> int: ...
    @property
    def dh(self) -> bool: ...
    @property
    def name(self) -> str: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __ne__(self, other: object, /) -> bool: ...
    def __hash__(self, /) -> int: ...

@final
class Triple:
    def __new__(cls, sk: Buffer, t: Buffer, li: Buffer, *, generation: int = 0) -> Triple: ...

@final
class Peer:
    BLOB_MAX: Final[int]
    @staticmethod
    def provisioned(*, slot: int, own_id: Buffer, id: Buffer, triple: Triple, suite: Suite | None = None) -> Peer: ...
    @staticmethod
    def restore(platform: Platform, *, slot: int, blob: Buffer, floor: int = 0) -> Peer: ...
    def seal(self, platform: Platform) -> tuple[bytes, int]: ...
    def set_psk(self, psk: Buffer | None) -> None: ...
    @property
    def info(self) -> PeerInfo: ...

@disjoint_base
class Association:
    @property
    def is_established(self) -> bool: ...
    @property
    def peer_addr(self) -> bytes | None: ...
    @property
    def assurance(self) -> Assurance | None: ...
    @property
    def fingerprint(self) -> str | None: ...
    @property
    def drops(self) -> dict[str, int]: ...
    @property
    def platform(self) -> Platform: ...
    def send(self, payload: Buffer) -> Datagram: ...
    def handle_input(self, source: Buffer, datagram: Buffer) -> Received | None: ...
    def handle_timeout(self) -> None: ...
    def persisted(self, slot: int, stored: bool = True) -> None: ...
    def poll(self) -> Output: ...
    def exporter(self, label: Buffer, context: Buffer, length: int) -> bytes: ...
    def export(self) -> bytes: ...
    def restore(self, blob: Buffer) -> None: ...
    def close(self) -> None: ...
    def wipe(self) -> None: ...

@final
class History(Association):
    def __new__(
        cls,
        platform: Platform,
        peer: Peer,
        *,
        log: int = 48,
        mtu: int = 1200,
        tries: int = 24,
        cid: Buffer | None = None,
        rekey_after: int | None = None,
    ) -> History: ...
    @property
    def peer(self) -> PeerInfo: ...
    def connect(self, to: Buffer) -> None: ...
    def update(self) -> None: ...
    def is_named_by(self, datagram: Buffer) -> bool: ...

@final
class Pairing(Association):
    SK_MAX: Final[int]
    ATTEMPTS: Final[int]
    def __new__(
        cls,
        platform: Platform,
        *,
        own_id: Buffer,
        peer_slot: int,
        attempts_slot: int,
        suite: Suite | None = None,
        group: str | None = None,
        mtu: int = 1200,
        tries: int = 24,
    ) -> Pairing: ...
    @property
    def attempts(self) -> int: ...
    def restore_attempts(self, blob: Buffer, *, floor: int = 0) -> None: ...
    def unlock(self) -> None: ...
    def listen(self, sk: Buffer, *, window_ms: int) -> None: ...
    def start(self, to: Buffer, sk: Buffer) -> None: ...
    def cancel(self) -> None: ...
    def take_peer(self) -> Peer | None: ...

def inspect(data: Buffer, *, cid_len: int = 0) -> dict[str, str | int | bool]: ...
def _errors() -> list[tuple[str, int, type[IotkmError]]]: ...
