"""A ticket agent with its records in one SQLite file. Needs ``iotkm[ca]``.

>>> import tempfile, pathlib
>>> from iotkm import TicketRequest
>>> with tempfile.TemporaryDirectory() as folder:
...     with Authority.create(pathlib.Path(folder) / "ca.db", "acme", b"correct horse", cost=Cost(1, 64, 1)) as agent:
...         agent.request(TicketRequest("lamp-7", "x25519", bytes([9]) * 32, lifetime=365 * DAY))
...         agent.unlock(b"correct horse")
...         agent.issue(now=1_800_000_000)
...         agent.newest("lamp-7")
1
<Ticket 1 of "acme" for "lamp-7" until 1831536000>
"""

import json
import secrets
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import iotkm
from iotkm._errors import BadArgumentError
from iotkm._iotkm import (
    Credential,
    CredentialOperator,
    OperatorKey,
    Platform,
    RevocationList,
    SigningKey,
    StaticKey,
    Suite,
    Ticket,
    TicketAgent,
    read_ticket_message,
    requested_device,
    write_ticket_message,
)
from iotkm._messages import TicketRequest
from iotkm._records import InToken, Records
from iotkm._sealed import Cost, PassphraseError, seal_under, unseal_under

__all__ = ["DAY", "Authority", "Cost", "InToken", "Issued", "PassphraseError"]

DAY = 86_400


class Issued(NamedTuple):
    """A credential in the records."""

    credential: Credential
    """The credential."""
    suite: str
    """The name of its suite."""
    answer: bytes
    """What its device takes (`Holder.accept`): the credential and s. Empty: it was issued as printed."""
    revoked: bool
    """Whether it is revoked."""


class Authority(Records):
    """A ticket agent's records, and, once unlocked, its key. What it returned is on the disk."""

    def request(self, *wanted: TicketRequest) -> None:
        """Asks for tickets, for all of these or none; `issue` makes them. That a key is its device's, the caller answers
        for.

        Raises:
            TicketRefusedError: no ticket can say so.
        """
        self.request_all(wanted)

    def request_all(self, wanted: Iterable[TicketRequest]) -> None:
        """As `request`."""
        probe = SigningKey("EdDSA", bytes(32))
        with self._transaction():
            for request in wanted:
                # Refused here, not when it is issued.
                self._issued(probe, request, 0, 0, request.lifetime)
                self._db.execute(
                    "INSERT INTO device VALUES (?, ?, 1) ON CONFLICT (name) DO UPDATE SET request = excluded.request, "
                    "wanted = 1",
                    (request.device, write_ticket_message(request)),
                )

    def _issued(self, signer: SigningKey, request: TicketRequest, serial: int, now: int, expires: int) -> Ticket:
        return Ticket.issue(
            signer, agent=self.name, device=request.device, group=request.group, key=request.key, serial=serial,
            issued_at=now, expires=expires, scope=request.scope,
        )  # fmt: skip

    def issue(
        self, *, now: int, days: float | None = None, progress: Callable[[int, int], None] | None = None
    ) -> int:
        """Issues a ticket for every request that is open; how many. `progress` is told (done, of how many). `days`: how
        long they are valid, whatever was asked for."""
        return self._issue("wanted = 1", (), days, now, progress)

    def renew(
        self,
        *,
        within: float,
        now: int,
        days: float | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> int:
        """Issues the next ticket for each device whose last one ends within so many days and is not revoked; how many. It
        is valid for `days`, or as long as was asked for.

        Interrupted wherever it be, the next call goes on where this one was.
        """
        where = (
            "EXISTS (SELECT 1 FROM ticket t WHERE t.device = d.name AND t.revoked_at IS NULL AND t.expires = "
            "(SELECT max(expires) FROM ticket u WHERE u.device = d.name) AND t.expires <= ?)"
        )
        return self._issue(where, (now + round(within * DAY),), days, now, progress)

    def _issue(
        self,
        where: str,
        values: tuple[int, ...],
        days: float | None,
        now: int,
        progress: Callable[[int, int], None] | None,
    ) -> int:
        signer = self._key()
        (total,) = self._db.execute(f"SELECT count(*) FROM device d WHERE {where}", values).fetchone()
        done, last = 0, ""
        while True:
            # Who is due is asked inside the transaction that serves them: whatever else runs, nobody is served twice.
            with self._transaction():
                batch = self._db.execute(
                    f"SELECT name, request FROM device d WHERE {where} AND name > ? ORDER BY name LIMIT 64",
                    (*values, last),
                ).fetchall()
                for device, asked in batch:
                    request = read_ticket_message(asked)
                    assert isinstance(request, TicketRequest)
                    expires = now + (request.lifetime if days is None else round(days * DAY))
                    if values and expires <= values[0]:
                        raise BadArgumentError("the new tickets would be due at once: let them be valid for longer")
                    row = (device, now, expires)
                    insert = "INSERT INTO ticket (device, issued_at, expires, ticket) VALUES (?, ?, ?, x'')"
                    serial = self._db.execute(insert, row).lastrowid or 0
                    ticket = self._issued(signer, request, serial, now, expires)
                    self._db.execute("UPDATE ticket SET ticket = ? WHERE serial = ?", (bytes(ticket), serial))
                    self._db.execute("UPDATE device SET wanted = 0 WHERE name = ?", (device,))
            done += len(batch)
            last = batch[-1][0] if batch else last
            if progress is not None:
                progress(done, max(total, done))
            if not batch:
                return done

    def revoke(self, serials: list[int], *, now: int) -> RevocationList:
        """Revokes tickets and credentials, and issues the next list, of all that are revoked and not over.

        Raises:
            BadArgumentError: there is no such ticket or credential.
        """
        signer = self._key()
        with self._transaction():
            for serial in serials:
                update = "UPDATE {} SET revoked_at = coalesce(revoked_at, ?) WHERE serial = ?"
                tables = (update.format(table) for table in ("ticket", "credential"))
                if sum(self._db.execute(table, (now, serial)).rowcount for table in tables) == 0:
                    raise BadArgumentError(f"there is no ticket or credential {serial}")
            number = self._db.execute("INSERT INTO list (list) VALUES (x'')").lastrowid or 0
            live = (
                "SELECT serial FROM ticket WHERE revoked_at IS NOT NULL AND expires > ?1 UNION "
                "SELECT serial FROM credential WHERE revoked_at IS NOT NULL AND expires > ?1 ORDER BY serial"
            )
            revoked = [serial for (serial,) in self._db.execute(live, (now,))]
            made = RevocationList.issue(signer, agent=self.name, number=number, issued_at=now, serials=revoked)
            self._db.execute("UPDATE list SET list = ? WHERE number = ?", (bytes(made), number))
        return made

    def tickets(self, device: str | None = None) -> Iterator[tuple[Ticket, bool]]:
        """All tickets, or a device's, by serial, and whether each is revoked."""
        where = "WHERE device = ?" if device is not None else ""
        rows = self._db.execute(
            f"SELECT ticket, revoked_at IS NOT NULL FROM ticket {where} ORDER BY serial",
            () if device is None else (device,),
        )
        for data, revoked in rows:
            yield Ticket.peek(data), bool(revoked)

    def newest(self, device: str) -> Ticket | None:
        """A device's ticket that ends last."""
        query = "SELECT ticket FROM ticket WHERE device = ? ORDER BY expires DESC, serial DESC LIMIT 1"
        found = self._db.execute(query, (device,)).fetchone()
        return Ticket.peek(found[0]) if found else None

    def ticket(self, serial: int) -> Ticket | None:
        """The ticket of that serial."""
        found = self._db.execute("SELECT ticket FROM ticket WHERE serial = ?", (serial,)).fetchone()
        return Ticket.peek(found[0]) if found else None

    def device_of(self, serial: int) -> str | None:
        """Whose ticket or credential that serial is."""
        query = "SELECT device FROM ticket WHERE serial = ?1 UNION SELECT device FROM credential WHERE serial = ?1"
        found = self._db.execute(query, (serial,)).fetchone()
        return str(found[0]) if found else None

    def is_revoked(self, serial: int) -> bool:
        """Whether the ticket or credential of that serial is revoked."""
        query = (
            "SELECT 1 FROM ticket WHERE serial = ?1 AND revoked_at IS NOT NULL UNION "
            "SELECT 1 FROM credential WHERE serial = ?1 AND revoked_at IS NOT NULL"
        )
        return self._db.execute(query, (serial,)).fetchone() is not None

    def revocation_list(self) -> RevocationList | None:
        """The newest list."""
        found = self._db.execute("SELECT list FROM list ORDER BY number DESC LIMIT 1").fetchone()
        return RevocationList.peek(found[0]) if found else None


    # ---- credentials ----

    def add_suite(self, suite: Suite) -> CredentialOperator:
        """Makes the operator's key for credentials of this suite, sealed under the passphrase; what everybody may know of
        the operator. One that there is stays.

        Raises:
            PassphraseError: the agent is not unlocked.
            BadArgumentError: the agent's key is in a token: that cannot do what issuing needs.
        """
        if self.token is not None:
            raise BadArgumentError("a token cannot issue credentials: make an agent whose key lies in the file")
        if (known := self._operator(suite)) is not None:
            return known
        if self._stretched is None:
            raise PassphraseError("the agent's key is not unlocked")
        while True:
            secret = secrets.token_bytes(32)
            try:
                key = OperatorKey(secret, suite=suite)
                break
            except BadArgumentError:
                continue  # not below the group's order
        sealed = seal_under(self._stretched, secret, self._issuing(suite.name, key.public_key))
        row = (suite.name, key.public_key, json.dumps(sealed))
        with self._transaction():
            self._db.execute("INSERT OR IGNORE INTO issuing VALUES (?, ?, ?)", row)
        return self.operator(suite)

    def _issuing(self, suite: str, public: bytes) -> bytes:
        return b"iotkm operator\0" + self.name.encode() + b"\0" + suite.encode() + b"\0" + public

    def _operator(self, suite: Suite) -> CredentialOperator | None:
        found = self._db.execute("SELECT public FROM issuing WHERE suite = ?", (suite.name,)).fetchone()
        if found is None:
            return None
        return CredentialOperator(self.name, key=found[0], lists=self.public_key, suite=suite)

    def operator(self, suite: Suite) -> CredentialOperator:
        """What everybody may know of the operator: name, key, the key that signs lists.

        Raises:
            BadArgumentError: it issues none of this suite's.
        """
        known = self._operator(suite)
        if known is None:
            raise BadArgumentError(f"no credentials of {suite.name} are issued here: add_suite, or ca init --suite")
        return known

    @property
    def suites(self) -> list[Suite]:
        """The suites that credentials are issued of."""
        return [_suite(name) for (name,) in self._db.execute("SELECT suite FROM issuing ORDER BY suite")]

    def request_credential(self, request: bytes, *, suite: Suite, hours: int = 365 * 24) -> str:
        """Takes in a device's request (`CredentialRequest.request`); its name. That the request is that device's, the caller
        answers for. A newer one of the same device takes its place; one that was answered has its answer.

        Raises:
            TicketRefusedError: it is none of this suite's.
            BadArgumentError: no credentials of that suite are issued here; hours are 1 to 65535.
        """
        self.operator(suite)
        if not 1 <= hours <= 65_535:
            raise BadArgumentError("a credential is valid for 1 to 65535 hours")
        device = requested_device(request, suite=suite)
        with self._transaction():
            wanted = self._answer_to(device, suite, request) is None
            self._db.execute(
                "INSERT INTO credential_request VALUES (?, ?, ?, ?, ?) ON CONFLICT (device, suite) DO UPDATE SET "
                "request = excluded.request, hours = excluded.hours, wanted = excluded.wanted",
                (device, suite.name, request, hours, wanted),
            )
        return device

    def issue_credentials(
        self, *, now: int, hours: int | None = None, progress: Callable[[int, int], None] | None = None
    ) -> int:
        """Answers every open request; how many. `progress` is told (done, of how many). `hours`: how long they are valid,
        whatever was asked for. Interrupted wherever it be, the next call goes on where this one was."""
        self._key()
        keys = {suite.name: self._operator_key(suite) for suite in self.suites}
        (total,) = self._db.execute("SELECT count(*) FROM credential_request WHERE wanted = 1").fetchone()
        platform, done = Platform(secrets.token_bytes(32)), 0
        while True:
            with self._transaction():
                batch = self._db.execute(
                    "SELECT device, suite, request, hours FROM credential_request WHERE wanted = 1 LIMIT 64"
                ).fetchall()
                for device, suite, request, asked in batch:
                    self._answer(platform, keys[suite], device, request, now, asked if hours is None else hours)
                    update = "UPDATE credential_request SET wanted = 0 WHERE device = ? AND suite = ?"
                    self._db.execute(update, (device, suite))
            done += len(batch)
            if progress is not None:
                progress(done, max(total, done))
            if not batch:
                return done

    def answer(self, device: str, request: bytes, *, suite: Suite, now: int, hours: int = 365 * 24) -> Issued:
        """Answers this device's request at once, as it came over its association; the same request has the same answer ever
        after. What `iotkm.aio.Distributor` wants.

        Raises:
            BadArgumentError: the request names another device; no credentials of that suite are issued here; hours are 1 to
                65535.
            TicketRefusedError: it is no request of this suite's.
            PassphraseError: the agent is not unlocked.
        """
        self.operator(suite)
        if not 1 <= hours <= 65_535:
            raise BadArgumentError("a credential is valid for 1 to 65535 hours")
        if (named := requested_device(request, suite=suite)) != device:
            raise BadArgumentError(f"the request of {device} names {named}")
        self._key()
        with self._transaction():
            serial = self._answer_to(device, suite, request)
            if serial is None:
                platform = Platform(secrets.token_bytes(32))
                serial = self._answer(platform, self._operator_key(suite), device, request, now, hours)
        return self._issued_as(serial)

    def _answer_to(self, device: str, suite: Suite, request: bytes) -> int | None:
        """The serial of the answer to a request."""
        query = "SELECT serial FROM answered WHERE device = ? AND suite = ? AND request = ?"
        found = self._db.execute(query, (device, suite.name, request)).fetchone()
        return None if found is None else int(found[0])

    def _answer(self, platform: Platform, key: OperatorKey, device: str, request: bytes, now: int, life: int) -> int:
        """Issues, and records request and answer together; the serial. Inside a transaction."""
        serial = self._number()
        answer = key.issue(platform, TicketAgent.with_number(self.name, serial), request, now=now, life=life)
        self._record(serial, device, key.suite, now, life, answer)
        self._db.execute("INSERT INTO answered VALUES (?, ?, ?, ?)", (device, key.suite, request, serial))
        return serial

    def _record(self, serial: int, device: str, suite: str, now: int, life: int, answer: bytes) -> None:
        row = (serial, device, suite, now, now + life * 3600, answer)
        self._db.execute("INSERT INTO credential VALUES (?, ?, ?, ?, ?, ?, NULL)", row)

    def issue_printed_knowing_the_private_key(
        self, device: str, *, suite: Suite, now: int, hours: int = 365 * 24
    ) -> tuple[Credential, StaticKey]:
        """Issues as the paper prints it: a credential, and its private key, for a device that cannot make a request. The
        operator has known that key, and so has whoever reads it on its way: it is not kept here. Seal it (`StaticKey.seal`)
        for the device.

        Raises:
            BadArgumentError: no credentials of that suite are issued here; hours are 1 to 65535.
            TicketRefusedError: no credential can have that name.
            PassphraseError: the agent is not unlocked.
        """
        self.operator(suite)
        if not 1 <= hours <= 65_535:
            raise BadArgumentError("a credential is valid for 1 to 65535 hours")
        self._key()
        platform, key = Platform(secrets.token_bytes(32)), self._operator_key(suite)
        with self._transaction():
            serial = self._number()
            agent = TicketAgent.with_number(self.name, serial)
            made = key.issue_printed_knowing_the_private_key(platform, agent, device, now=now, life=hours)
            self._record(serial, device, suite.name, now, hours, bytes(made[0]))
            self._db.execute("INSERT INTO printed VALUES (?)", (serial,))
        return made

    def _number(self) -> int:
        """The next number of tickets and credentials. Inside a transaction."""
        if self._db.execute("UPDATE sqlite_sequence SET seq = seq + 1 WHERE name = 'ticket'").rowcount == 0:
            self._db.execute("INSERT INTO sqlite_sequence VALUES ('ticket', 1)")
        (number,) = self._db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'ticket'").fetchone()
        return int(number)

    def _operator_key(self, suite: Suite) -> OperatorKey:
        assert self._stretched is not None
        public, text = self._db.execute("SELECT public, key FROM issuing WHERE suite = ?", (suite.name,)).fetchone()
        wrong = f"the key for {suite.name} does not open: the file was changed"
        secret = unseal_under(self._stretched, json.loads(text), self._issuing(suite.name, public), wrong)
        return OperatorKey(secret, suite=suite)

    def credentials_due(self, *, within: float, now: int) -> list[str]:
        """Devices whose last credential ends within so many days, is not revoked, and for whom there is no open request: they
        have to send one, since a part of the next key is theirs."""
        query = (
            "SELECT DISTINCT c.device FROM credential c WHERE c.revoked_at IS NULL AND c.expires <= ? AND c.expires = "
            "(SELECT max(expires) FROM credential d WHERE d.device = c.device AND d.suite = c.suite) AND NOT EXISTS "
            "(SELECT 1 FROM credential_request r WHERE r.device = c.device AND r.suite = c.suite AND r.wanted = 1) "
            "ORDER BY c.device"
        )
        return [device for (device,) in self._db.execute(query, (now + round(within * DAY),))]

    def credentials(self, device: str | None = None) -> Iterator[Issued]:
        """All credentials, or a device's, by serial."""
        where, values = ("WHERE c.device = ?", (device,)) if device is not None else ("", ())
        return self._found(where, values)

    def _issued_as(self, serial: int) -> Issued:
        return next(self._found("WHERE c.serial = ?", (serial,)))

    def _found(self, where: str, values: tuple[str | int, ...]) -> Iterator[Issued]:
        query = (
            "SELECT c.suite, c.answer, c.revoked_at IS NOT NULL, p.serial IS NOT NULL FROM credential c "
            f"LEFT JOIN printed p USING (serial) {where} ORDER BY c.serial"
        )
        for suite, answer, revoked, printed in self._db.execute(query, values):
            # s, 32 bytes, stands behind the credential.
            credential = Credential(answer if printed else answer[:-32], suite=_suite(suite))
            yield Issued(credential, suite, b"" if printed else answer, bool(revoked))

    def newest_credential(self, device: str) -> Issued | None:
        """A device's credential that ends last."""
        return max(self.credentials(device), key=lambda one: (one.credential.expires, one.credential.serial), default=None)


def _suite(name: str) -> Suite:
    suite = getattr(iotkm, name)
    assert isinstance(suite, Suite)
    return suite
