"""The operator's office of the demo's fleets: issues tickets and credentials, as `iotkm ca` does on a command line.

    python agent.py FOLDER

FOLDER gets its records, one SQLite file in which its keys lie sealed under a passphrase. What the operator wants of it comes
as lines on standard input: ``request MESSAGE`` (for a ticket), ``renew DEVICE``, ``revoke DEVICE``, ``credential MESSAGE``; at
the end of input it ends. Messages are in hexadecimal digits.
"""

import secrets
import sys
import time
from pathlib import Path

from lines import run, say, typed

from iotkm import SUITE_4, RevocationList, Ticket, TicketRequest, read_ticket_message, write_ticket_message
from iotkm.authority import Authority


def give(message: Ticket | RevocationList) -> None:
    """To the operator, who brings it to the devices."""
    if isinstance(message, Ticket):
        say("issued", f"{message.serial} for {message.device}, {len(bytes(message))} bytes")
    else:
        say("revoked", f"list {message.number}, {len(bytes(message))} bytes")
    say("message", write_ticket_message(message).hex())


async def main(folder: str) -> None:
    lines = await typed()
    asked: dict[str, TicketRequest] = {}
    Path(folder).mkdir(parents=True, exist_ok=True)
    passphrase = secrets.token_urlsafe().encode()
    with Authority.create(Path(folder) / "agent.db", "acme", passphrase) as agent:
        agent.unlock(passphrase)
        operator = agent.add_suite(SUITE_4)
        say("operator", operator.name, operator.key.hex(), bytes(operator.lists).hex())
        say("ready", agent.name, bytes(agent.public_key).hex())
        while line := (await lines.readline()).decode().rstrip("\n"):
            now = int(time.time())
            match line.split(" ", 1):
                case ["request", message]:
                    wanted = read_ticket_message(bytes.fromhex(message))
                    assert isinstance(wanted, TicketRequest)
                    asked[wanted.device] = wanted
                    agent.request(wanted)
                    agent.issue(now=now)
                    ticket = agent.newest(wanted.device)
                    assert ticket is not None
                    give(ticket)
                case ["renew", device]:
                    # As eleven months later: the next one ends a day after the one that there is.
                    agent.request(asked[device])
                    agent.issue(now=now, days=366)
                    ticket = agent.newest(device)
                    assert ticket is not None
                    give(ticket)
                case ["credential", message]:
                    device = agent.request_credential(bytes.fromhex(message), suite=SUITE_4)
                    agent.issue_credentials(now=now)
                    made = agent.newest_credential(device)
                    assert made is not None
                    say("issued", f"{made.credential.serial} for {device}, {len(bytes(made.credential))} bytes")
                    say("message", made.answer.hex())
                case ["revoke", device]:
                    give(agent.revoke([ticket.serial for ticket, _ in agent.tickets(device)], now=now))


if __name__ == "__main__":
    run(main(sys.argv[1]))
