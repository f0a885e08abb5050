"""What operators ask of a centre, and the socket through which they ask one that serves.

A request and its answer are a line of JSON each, on a Unix socket that only the centre's own user can open: who can may do
what he could do with the passphrase, but for reading keys. Bytes are ``{"hex": ...}``.
"""

import asyncio
import json
import os
import socket
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

from iotkm._errors import BadArgumentError, IotkmError
from iotkm._iotkm import Suite
from iotkm._outputs import DeviceInfo, Signed
from iotkm.centre._center import AuthCenter, Enrolled

_LINE = 16 << 20
_PAGE = 500
_PATH = 100
"""What a Unix socket's name may have, in bytes, anywhere."""
_SECONDS = 60.0


class Desk(Protocol):
    """What commands ask of a centre, be it opened by them or one that serves. Errors are `AuthCenter`'s."""

    def invite(self, ids: Sequence[bytes], suite: str, clockless: bool) -> "list[bytes | IotkmError]":
        """For each of these devices its invitation, or why there is none. The suite by its name."""

    def enrol(self, deposits: Sequence[bytes]) -> "list[Enrolled | IotkmError]":
        """Takes many deposits, with one commit: for each the id and the confirmation, or why it was not taken."""

    def device(self, id: bytes) -> DeviceInfo | None:
        """What may be shown of a device."""

    def page(self, after: bytes | None) -> list[DeviceInfo]:
        """Devices behind that id, some hundred; none: there are no more."""

    def update(self, id: bytes) -> None:
        """Wants a new seed."""

    def revoke(self, id: bytes) -> None:
        """Revokes a device."""

    def forget(self, id: bytes) -> None:
        """Removes a row."""

    def verify(self, signature: bytes, data: bytes) -> Signed | None:
        """Who signed that."""


class OpenDesk:
    """A `Desk` over a centre of this process."""

    def __init__(self, centre: AuthCenter) -> None:
        self._centre = centre

    def invite(self, ids: Sequence[bytes], suite: str, clockless: bool) -> "list[bytes | IotkmError]":
        """See `Desk.invite`."""
        import iotkm

        chosen = getattr(iotkm, suite, None)
        if not isinstance(chosen, Suite):
            raise BadArgumentError(f"there is no suite {suite}")
        return self._centre.invite_all(ids, suite=chosen, clockless=clockless)

    def enrol(self, deposits: Sequence[bytes]) -> "list[Enrolled | IotkmError]":
        """See `Desk.enrol`."""
        return self._centre.enrol_all(deposits)

    def device(self, id: bytes) -> DeviceInfo | None:
        """See `Desk.device`."""
        return self._centre.device(id)

    def page(self, after: bytes | None) -> list[DeviceInfo]:
        """See `Desk.page`."""
        return self._centre.page(after, _PAGE)

    def update(self, id: bytes) -> None:
        """See `Desk.update`."""
        self._centre.update(id)

    def revoke(self, id: bytes) -> None:
        """See `Desk.revoke`."""
        self._centre.revoke(id)

    def forget(self, id: bytes) -> None:
        """See `Desk.forget`."""
        self._centre.forget(id)

    def verify(self, signature: bytes, data: bytes) -> Signed | None:
        """See `Desk.verify`."""
        return self._centre.verify(signature, data)


_CALLS = ("invite", "enrol", "device", "page", "update", "revoke", "forget", "verify")


class RemoteDesk:
    """A `Desk` of the centre that serves behind this socket.

    Raises:
        ConnectionError: none does.
    """

    def __init__(self, path: Path) -> None:
        if not hasattr(socket, "AF_UNIX"):
            raise ConnectionRefusedError("there are no Unix sockets here")
        self._path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(_SECONDS)
        try:
            with _short(path) as name:
                self._socket.connect(name)
        except OSError:
            self._socket.close()
            raise
        self._file = self._socket.makefile("rwb")

    def close(self) -> None:
        """Hangs up."""
        try:
            with suppress(OSError):  # what it did not take
                self._file.close()
        finally:
            self._socket.close()

    def invite(self, ids: Sequence[bytes], suite: str, clockless: bool) -> "list[bytes | IotkmError]":
        """See `Desk.invite`."""
        return self._ask("invite", ids, suite, clockless)  # type: ignore[no-any-return]

    def enrol(self, deposits: Sequence[bytes]) -> "list[Enrolled | IotkmError]":
        """See `Desk.enrol`."""
        return [tuple(one) if isinstance(one, list) else one for one in self._ask("enrol", deposits)]

    def device(self, id: bytes) -> DeviceInfo | None:
        """See `Desk.device`."""
        return self._ask("device", id)  # type: ignore[no-any-return]

    def page(self, after: bytes | None) -> list[DeviceInfo]:
        """See `Desk.page`."""
        return self._ask("page", after)  # type: ignore[no-any-return]

    def update(self, id: bytes) -> None:
        """See `Desk.update`."""
        self._ask("update", id)

    def revoke(self, id: bytes) -> None:
        """See `Desk.revoke`."""
        self._ask("revoke", id)

    def forget(self, id: bytes) -> None:
        """See `Desk.forget`."""
        self._ask("forget", id)

    def verify(self, signature: bytes, data: bytes) -> Signed | None:
        """See `Desk.verify`."""
        return self._ask("verify", signature, data)  # type: ignore[no-any-return]

    def _ask(self, call: str, *arguments: Any) -> Any:
        try:
            self._file.write(_line([call, *arguments]))
            self._file.flush()
            answer = self._file.readline()
        except OSError as error:
            raise ConnectionError(f"the centre that serves behind {self._path} does not answer ({error})") from error
        if not answer.endswith(b"\n"):
            raise ConnectionError(f"the centre that served behind {self._path} ended; ask again what it has done")
        said = _read(answer)
        if isinstance(said, IotkmError):
            raise said
        return said


class Control:
    """The socket of a centre that serves; it takes the place of one that a killed process left, so hold the key database's
    lock."""

    def __init__(
        self,
        path: Path,
        desk: Desk,
        work: Callable[..., Coroutine[Any, Any, Any]],
        *,
        on_call: Callable[[str, bytes], None] | None = None,
    ) -> None:
        """Made, it does nothing before ``async with``.

        Args:
            path: the socket's.
            desk: what answers.
            work: calls a function in the thread where datagrams are answered, in turn with them (`Server.work`).
            on_call: is told of each call that changed something, for each device that it did.
        """
        self._path, self._desk, self._work, self._on_call = path, desk, work, on_call
        self._server: asyncio.Server | None = None
        self._talks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        if not hasattr(socket, "AF_UNIX"):
            return self
        bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._path.unlink(missing_ok=True)
            before = os.umask(0o177)
            try:
                with _short(self._path) as name:
                    bound.bind(name)
            finally:
                os.umask(before)
            self._server = await asyncio.start_unix_server(self._talk, sock=bound, limit=_LINE)
        except BaseException:
            bound.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None:
            self._server.close()
            self._path.unlink(missing_ok=True)
            for talk in self._talks:
                talk.cancel()
            await asyncio.gather(*self._talks, return_exceptions=True)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._talks.add(task)
        try:
            while line := await reader.readline():
                writer.write(_line(await self._answer(line)))
                await writer.drain()
        except (ConnectionError, ValueError, asyncio.CancelledError):
            pass  # hung up, or a line without an end, or we end
        finally:
            self._talks.discard(task)
            writer.close()

    async def _answer(self, line: bytes) -> Any:
        try:
            call, *arguments = _read(line)
            if call not in _CALLS:
                raise BadArgumentError("there is no such call")
            done = await self._work(getattr(self._desk, call), *arguments)
        except IotkmError as error:
            return error
        except (OSError, TypeError, ValueError, KeyError) as error:
            return BadArgumentError(f"that is no call: {type(error).__name__}")
        if self._on_call is not None and call in ("update", "revoke", "forget"):
            self._on_call(call, arguments[0])
        elif self._on_call is not None and call == "enrol":
            for one in done:
                if isinstance(one, tuple):
                    self._on_call(call, one[0])
        return done


@contextmanager
def _short(path: Path) -> Iterator[str]:
    """A name of this path that a Unix socket can have."""
    if len(os.fsencode(path)) <= _PATH or not os.path.isdir("/proc/self/fd"):
        yield str(path)
        return
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def _line(value: Any) -> bytes:
    return json.dumps(value, default=_plain).encode() + b"\n"


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return {"hex": value.hex()}
    if isinstance(value, IotkmError):
        return {"error": type(value).__name__, "text": str(value)}
    if isinstance(value, (DeviceInfo, Signed)):
        return {"a": type(value).__name__, "of": [*asdict(value).values()]}
    raise TypeError(f"{type(value).__name__} is for nobody else")


def _read(line: bytes) -> Any:
    return json.loads(line, object_hook=_value)


def _value(said: dict[str, Any]) -> Any:
    if "hex" in said:
        return bytes.fromhex(said["hex"])
    if "error" in said:
        return _errors().get(said["error"], IotkmError)(said["text"])
    if said.get("a") == "Signed":
        return Signed(*said["of"])
    if said.get("a") == "DeviceInfo":
        fields: list[Any] = [tuple(one) if isinstance(one, list) else one for one in said["of"]]
        return DeviceInfo(*fields)
    raise ValueError("unknown")


def _errors() -> dict[str, type[IotkmError]]:
    found, todo = {}, [IotkmError]
    while todo:
        kind = todo.pop()
        found[kind.__name__] = kind
        todo += kind.__subclasses__()
    return found


@contextmanager
def remote(path: Path) -> Iterator[RemoteDesk | None]:
    """The desk of the centre that serves behind this socket; ``None``: none does."""
    desk = None
    with suppress(FileNotFoundError, ConnectionRefusedError):
        desk = RemoteDesk(path)
    if desk is None:
        yield None
    else:
        with closing(desk):
            yield desk
