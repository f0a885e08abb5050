"""The authentication centre of the demo's city, as `iotkm centre serve` is one.

    python centre.py FOLDER

What the operator wants comes as lines on standard input: ``enrol FILE`` (deposits, one a line), ``invite NAME...``, ``audit``,
``repair``, ``revoke NAME``; at the end of input it ends. Its key database, keys and back-ups are in FOLDER.
"""

import asyncio
import os
import secrets
import sys
import time
from pathlib import Path

from lines import run, say, typed

from iotkm import IotkmError, Platform
from iotkm.authority import Cost
from iotkm.centre import AuthCenter, Backups, CentreEvent, FileKeyStore, Server, SqliteSeedStore, audit


async def main(name: str) -> None:
    folder, lines = Path(name), await typed()
    folder.mkdir(parents=True, exist_ok=True)
    platform = Platform(secrets.token_bytes(32))
    # A demo's passphrase lasts as long as the demo.
    with FileKeyStore.create(folder / "keys", secrets.token_bytes(16), cost=Cost(1, 64, 1)) as keys:
        backups = Backups(folder / "backups", keys)
        SqliteSeedStore.create(folder / "centre.db", keys, backups=backups).close()
        say("ready", os.getpid())
        port = 0
        while await serve(platform, folder, keys, backups, lines, port):
            # Between: it is stopped, and the rows are repaired.
            report = audit(folder / "centre.db", keys, backups, repair=True)
            say("repaired", len(report.findings), "all" if report.proven else "not all")
            port = PORT
        backups.close()


PORT = 0


async def serve(
    platform: Platform, folder: Path, keys: FileKeyStore, backups: Backups, lines: asyncio.StreamReader, port: int
) -> bool:
    """Until the input ends, or rows are to be repaired: then true."""
    global PORT
    count = 0

    def on_event(id: bytes, event: CentreEvent) -> None:
        nonlocal count
        count += event == CentreEvent.AUTHENTICATED
        if event in (CentreEvent.REVOKED, CentreEvent.KILLED):
            say("event", id.decode(), event.value)

    with SqliteSeedStore(folder / "centre.db", keys, backups=backups) as store:
        centre = AuthCenter(platform, b"city", store, keys)
        async with Server(centre, platform, bind=("127.0.0.1", port), on_event=on_event, on_trouble=lambda error: None) as server:
            PORT = server.address[1]
            say("bound", PORT)
            while line := (await lines.readline()).decode().rstrip("\n"):
                match line.split(" "):
                    case ["invite", out, *names]:
                        made = centre.invite_all([name.encode() for name in names])
                        Path(out).write_text("\n".join(one.hex() for one in made if isinstance(one, bytes)))
                        say("invited", len(made))
                    case ["enrol", file, out]:
                        before = time.monotonic()
                        taken = centre.enrol_all([bytes.fromhex(text) for text in Path(file).read_text().splitlines()])
                        for one in taken:
                            if isinstance(one, IotkmError):
                                raise one
                        Path(out).write_text("\n".join(one[1].hex() for one in taken if isinstance(one, tuple)))
                        say("enrolled", f"{len(taken)} devices in {time.monotonic() - before:.1f} s")
                    case ["count"]:
                        say("authenticated", count, "in", server.counts.batches, "commits")
                    case ["audit"]:
                        report = audit(folder / "centre.db", keys, backups)
                        found = ", ".join(f"{one.id.decode()} {one.what}" for one in report.findings)
                        say("audit", f"{report.rows} rows: {found or 'all right'}")
                    case ["repair"]:
                        return True
                    case ["revoke", device]:
                        centre.revoke(device.encode())
                        say("revoked", device)
    return False


if __name__ == "__main__":
    run(main(sys.argv[1]))
