"""Plays the microcert scheme's vectors with the second implementation: a is its device, b its centre."""

from second import records
from second.city import City
from second.crypto import Dropped
from second.lamp import Lamp

unhex = bytes.fromhex
UNDRAINED, SEED_EXPIRED, REVOKED = -4, -16, -17


def seconds(script):
    return None if script.wall is None else script.clock() // 1000


def next_counter(steps):
    """That of the next micro-certificate or signature: which are reserved ahead is the device's affair."""
    for step in steps:
        if step["node"] != "a":
            continue
        sent = [output["bytes"] for output in step["outputs"] if "datagram" in output]
        if step["do"] == "sign" and "bytes" in step["returns"]:
            sent.append(step["returns"]["bytes"])
        for data in map(unhex, sent):
            if data[0] == 0x15 and data[1] >> 4 in (1, 4, 8):
                return int.from_bytes(data[(data[1] & 15) + 16 :][:4], "big")
    return None


class Device:
    def __init__(self, about, script):
        self.about, self.script, self.lamp = about, script, None
        self.kept, self.exports = {}, {}

    @property
    def node(self):
        return self.lamp

    def call(self, step, later):
        """(datagrams, what it returns)."""
        lamp, verb = self.lamp, step["do"]
        match verb:
            case "enrol":
                cid = unhex(self.about.get("cid", ""))
                self.lamp = Lamp(unhex(step["bytes"]), self.script.draw, lambda: seconds(self.script), cid)
                return [], {"bytes": self.lamp.deposit().hex()}
            case "confirm":
                lamp.confirm(unhex(step["bytes"]))
            case "connect" | "authenticate" | "timeout":
                return getattr(lamp, verb)(), {}
            case "sign" if step["returns"].get("error") == UNDRAINED:
                self.script.draw(8)
                return [], step["returns"]
            case "sign" if lamp.dead:
                return [], {"error": REVOKED}
            case "sign":
                return [], {"bytes": lamp.sign(unhex(step["payload"])).hex()}
            case "restart":
                stored = dict(self.kept[step["state"]] if "state" in step else self.last, counter=0)
                if "seed" in step:
                    stored["seed"] = self.kept[step["seed"]]["seed"]
                if "state" not in step:
                    stored["counter"] = lamp.counter
                return lamp.restart(stored, next_counter(later), self.exports.get(step.get("bytes"))), {}
            case "chip":
                years = [lamp.seed.first, lamp.seed.base + 4]
                about = {"generation": lamp.generation, "years": years, "floor": lamp.floor}
                return [], {**about, "confirmed": lamp.transport is None, "revoked": lamp.dead is not None}
            case _:
                return common(self, step)
        return [], {}

    def wrote(self, output):
        if "persist" in output:
            self.last = self.kept[output["bytes"]] = self.lamp.stored()


class Centre:
    def __init__(self, about, script):
        self.about, self.script, self.kept, self.exports = about, script, {}, {}
        secret, cid = unhex(about["device"]), unhex(about["cid"])
        wall, now = lambda: seconds(script), lambda: script.now
        self.node = City(unhex(about["id"]), unhex(about["keys"]), script.draw, wall, now, secret, cid)

    def call(self, step, later):
        city = self.node
        match step["do"]:
            case "invite":
                number = int(step["suite"].removesuffix("_symmetric"))
                return [], {"bytes": city.invite(unhex(step["id"]), number, step["clockless"]).hex()}
            case "enrol":
                device, confirmation = city.enrol(unhex(step["bytes"]))
                return [], {"id": device.hex(), "bytes": confirmation.hex()}
            case "update" | "revoke":
                getattr(city, step["do"])(unhex(step["id"]))
            case "verify":
                signed = city.verify(unhex(step["bytes"]), unhex(step["payload"]))
                return [], {"id": signed[0].hex(), "time": signed[1], "counter": signed[2]} if signed else {}
            case "row":
                row = city.rows[unhex(step["id"])]
                standing = "killed" if row.killed else "revoked" if row.revoked else "enrolled"
                about = {"standing": standing, "generation": row.generation, "updating": row.updating}
                return [], {**about, "years": [row.first, row.base + 4], "counter": row.counter}
            case "restart":
                city.restart()
                if "state" in step:
                    city.rows[unhex(step["id"])] = self.kept[step["state"]]
                if "bytes" in step:
                    return city.go_on(self.exports[step["bytes"]]), {}
            case "input" if step["bytes"].startswith("1030"):
                city.cookies.add(unhex(step["bytes"])[2:10])  # which cookies are its own is its maker's affair
                return common(self, step)
            case _:
                return common(self, step)
        return [], {}

    def wrote(self, output):
        """What is sealed in a row is this page's; the rest is not."""
        if "row" not in output:
            return
        device, state = unhex(output["row"]), unhex(output["state"])
        row = self.kept[output["state"]] = self.node.rows[device]
        if "seed" in output:
            assert row.sealed.hex() == output["seed"]
        assert (row.spare is not None) == bool(state[6 + len(device)] & 0x10)
        assert row.spare is None or state.endswith(row.spare)


def common(side, step):
    node = side.node
    match step["do"]:
        case "input":
            datagrams = node.input(unhex(step["bytes"]))
            if node.payloads:
                return datagrams, {"payload": node.payloads.pop().hex(), "time": None, "place": ""}
            return datagrams, {}
        case "send":
            return [], {"bytes": node.send(unhex(step["payload"])).hex()}
        case "export":
            side.exports[step["returns"]["bytes"]] = node.export()
            return [], step["returns"]
        case "exporter":
            return [], {"bytes": node.exporter(unhex(step["label"]), unhex(step["context"]), 40).hex()}
        case "open":
            return [], {}
    raise AssertionError(step["do"])


def told(output):
    """An event of a vector, as the second implementation tells it."""
    match output["event"]:
        case "established":
            return "established", output["fingerprint"], output["initiator"]
        case "failed" | "update_failed" as name:
            return name, output["reason"]
        case name if "id" in output:
            return name, unhex(output["id"])
        case name:
            return (name, output["generation"]) if "generation" in output else (name,)


def mine(event):
    return (event[0], records.readable(event[1]), event[2]) if event[0] == "established" else event


def but_cookies(datagram):
    return datagram[:2] if datagram[:2] == b"\x10\x20" else datagram


def played(vector, script_of):
    """Plays it, and yields each step with its script."""
    scripts = {name: script_of(vector[name]) for name in "ab"}
    sides = {"a": Device(vector["a"], scripts["a"]), "b": Centre(vector["b"], scripts["b"])}
    for number, step in enumerate(vector["steps"]):
        at = f"step {number}: {step['node']} {step['do']}"
        side, script = sides[step["node"]], scripts[step["node"]]
        script.step(step)
        if side.node:
            side.node.events = []
        try:
            datagrams, returns = side.call(step, vector["steps"][number:])
        except Dropped as why:
            datagrams, returns = [], {"error": {"expired": SEED_EXPIRED}[str(why)]}
        events = side.node.events
        assert not script.left, (at, events)
        assert returns == step["returns"], (at, events)
        sent = [unhex(output["bytes"]) for output in step["outputs"] if "datagram" in output]
        assert list(map(but_cookies, datagrams)) == list(map(but_cookies, sent)), (at, events)
        expected = [told(output) for output in step["outputs"] if "event" in output]
        assert sorted(mine(e) for e in events if e[0] != "dropped") == sorted(expected), (at, events)
        for output in step["outputs"]:
            side.wrote(output)
        yield at, step, script
