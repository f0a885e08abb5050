"""The last part: a city. A thousand devices with key seeds authenticate at its centre all at once; rows are tampered with."""

import sqlite3
from typing import TYPE_CHECKING

from party import Trouble

if TYPE_CHECKING:
    from stage import Stage

COUNT = 1000
TAMPERED, STOLEN = 707, 7


async def play(stage: "Stage") -> tuple[list[tuple[str, str]], int]:
    """What there is to say of it in the summary; no records, so none refused."""
    folder = stage.folder / "city"
    centre = stage.party("centre", "centre", {})
    crowd = stage.party("crowd", "crowd", {})
    await stage.python(centre, "centre.py", str(folder))
    await stage.python(crowd, "crowd.py")
    await centre.expect("ready")
    port = await centre.expect("bound")
    out = stage.diagram.out

    def tell(text: str, colour: str = "blue") -> None:
        out("      " + stage.diagram.paint(text, colour))

    stage.diagram.act("a city with an authentication centre: microcert")
    stage.phase(
        "A thousand key seeds",
        "Each chip makes 976 random bytes, and seals them to the centre, which keeps them in one SQLite file, sealed under its "
        "own keys. This is done offline; no datagram is sent.",
    )
    names = [f"device-{number}" for number in range(COUNT)]
    files = [str(stage.folder / f"city.{name}") for name in ("invitations", "deposits", "confirmations")]
    centre.press(" ".join(["invite", files[0], *names]))
    await centre.expect("invited")
    crowd.press(f"enrol {files[0]} {files[1]}")
    await crowd.expect("deposited")
    centre.press(f"enrol {files[1]} {files[2]}")
    tell(f"the centre enrolled {await centre.expect('enrolled')}")
    crowd.press(f"confirm {files[2]}")
    await crowd.expect("confirmed")

    async def all_at_once(*numbers: int) -> list[str]:
        crowd.press(" ".join(["authenticate", port, *map(str, numbers)]))
        return (await crowd.expect("ends")).split(" ")

    stage.phase(
        "All at once",
        "One message each way over UDP, each device from a socket of its own. What comes together is stored with one commit, "
        "and answered after it.",
    )
    good, seconds, size, *_ = await all_at_once()
    if int(good) != COUNT:
        raise Trouble(f"{good} of {COUNT} devices were authenticated; please report this")
    centre.press("count")
    done = await centre.expect("authenticated")
    tell(f"{good} devices authenticated in {seconds} s, {size} bytes each; at the centre {done}", "green")

    stage.phase(
        "A row is tampered with",
        f"Somebody with access to the disk changes a bit of device {TAMPERED}'s. The audit looks at every row; the centre is "
        "stopped, repairs from its back-up, and goes on.",
    )
    with sqlite3.connect(folder / "centre.db", timeout=10) as db:
        id = f"device-{TAMPERED}".encode()
        (state,) = db.execute("SELECT state FROM leaf WHERE id = ?", (id,)).fetchone()
        db.execute("UPDATE leaf SET state = ? WHERE id = ?", (state[:-1] + bytes([state[-1] ^ 1]), id))
    db.close()
    centre.press("audit")
    found = await centre.expect("audit")
    tell(f"audit of {found}", "red")
    if found != f"{COUNT} rows: device-{TAMPERED} changed":
        raise Trouble(f"the audit says {found}; please report this")
    centre.press("repair")
    await centre.expect("repaired")
    port = await centre.expect("bound")
    centre.press("audit")
    tell(f"audit of {await centre.expect('audit')}", "green")
    if (await all_at_once(TAMPERED))[0] != "1":
        raise Trouble("the device whose row was repaired is not authenticated; please report this")

    stage.phase("One is stolen", "It is revoked: when it comes it is told so, under its own key, and kills its seed. The others go on.")
    centre.press(f"revoke device-{STOLEN}")
    await centre.expect("revoked")
    end = (await all_at_once(STOLEN))[-1]
    tell(f"device {STOLEN} is told: {end}", "red")
    good = (await all_at_once(*(number for number in range(100) if number != STOLEN)))[0]
    if end != "revoked" or good != "99":
        raise Trouble(f"a revoked device ended with {end}, of 99 others {good} were authenticated; please report this")
    tell(f"{good} others are authenticated", "green")
    for party in (crowd, centre):
        await party.end()
    return [
        ("authentication", f"microcert: {COUNT} devices at once in {seconds} s, {size} bytes each both ways"),
        ("audit", f"microcert: {found}"),
        ("turned away", f"microcert: device {STOLEN} is {end}"),
    ], 0
