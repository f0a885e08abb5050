"""Plays tests/vectors/*.json, and those in interactive/, noninteractive/ and microcert/: both nodes of each are the second implementation's,
every byte that leaves them is compared, and every value on the way.

`python3 tests/interop/test_vectors.py` writes those values into the vectors: after `cargo run -p iotkm-vectors`, which has none.
Names of files: only into those.
"""

import json
import sys
from pathlib import Path

import pytest

import microcert
from second import cpace, credential, noninteractive, pairing, records, ticket, tickets
from second.crypto import SUITES, Triple, Watch, X25519
from second.exchange import Pair
from second.node import Node, Pairing

FOLDER = Path(__file__).parents[1] / "vectors"
SCHEMES = ("interactive", "noninteractive", "microcert")
VECTORS = sorted([*FOLDER.glob("*.json"), *(path for scheme in SCHEMES for path in FOLDER.glob(f"{scheme}/*.json"))])
unhex = bytes.fromhex


class Script:
    """The random bytes and the time of the step that is being played, and what was computed in it."""

    def __init__(self, node):
        self.wall, self.left = node["wall"], []
        self.begun, self.mine = [], []
        self.known, self.stored, self.rekey_after = set(), {}, node.get("rekey_after", 2**20)

    def step(self, step):
        self.now, self.left = step["now"], [unhex(text) for text in step["random"]]
        self.values = []
        Watch.see = self.see

    def see(self, name, value):
        """Each value once."""
        line = f"{name} {value.hex()}"
        if line not in self.known:
            self.known.add(line)
            self.values.append(line)

    def draw(self, count):
        random = self.left.pop(0)
        assert len(random) == count
        return random

    def clock(self):
        return self.wall + self.now


def suite(text):
    number, _, symmetric = text.partition("_")
    return SUITES[int(number)], not symmetric


def make(vector, script):
    cipher, dh = suite(vector["suite"])
    psk = unhex(vector["psk"]) if "psk" in vector else None
    pair = Pair(unhex(vector["id"]), unhex(vector["peer"]), cipher, dh, psk)
    triple = Triple(*(unhex(vector[key]) for key in ("sk", "t", "li")))
    return Node(
        pair, triple, script.draw, unhex(vector["place"]), unhex(vector.get("cid", "")), vector.get("mtu", 1200), script.clock
    )


def reserved(run):
    """The first run number that was not reserved: they are in blocks of 16 where the vectors were made."""
    return -(-run // 16) * 16


def restart(node, script, step, exports):
    stored, run = script.stored[step["peer"]] if "peer" in step else (None, node.run)
    node.run = reserved(run)
    return node.restart(exports.get(step.get("bytes")), stored)


def send(node, script, payload):
    out, back = node.session.out, node.session.back
    if out.next >= script.rekey_after and out.generation == back.generation:
        node.session.advance()
    return node.send(payload)


def play(node, script, step, exports):
    """(datagrams, returned bytes or None)."""
    match step["do"]:
        case "connect":
            return node.connect(), None
        case "input":
            return node.input(unhex(step["bytes"])), None
        case "send":
            return [], send(node, script, unhex(step["payload"]))
        case "update":
            return node.update(), None
        case "timeout":
            return node.timeout(), None
        case "export":
            exports[step["returns"]["bytes"]] = node.export()
            return [], unhex(step["returns"]["bytes"])  # how it is stored is nobody else's affair
        case "restart":
            return restart(node, script, step, exports), None
        case "exporter":
            length = len(step["returns"]["bytes"]) // 2
            return [], node.exporter(unhex(step["label"]), unhex(step["context"]), length)
    raise AssertionError(step["do"])


def history(vector):
    """Plays it, and yields each step with its script."""
    scripts = {name: Script(vector[name]) for name in "ab"}
    nodes = {name: make(vector[name], scripts[name]) for name in "ab"}
    exports = {}
    for place, step in enumerate(vector["steps"]):
        at = f"step {place}: {step['node']} {step['do']}"
        node, script = nodes[step["node"]], scripts[step["node"]]
        script.step(step)
        node.events, node.payloads = [], []
        datagrams, returned = play(node, script, step, exports)
        assert not script.left, at
        outputs = step["outputs"]
        # In which order an answer and what this side wants itself leave is nobody else's affair.
        assert sorted(d.hex() for d in datagrams) == sorted(o["bytes"] for o in outputs if "datagram" in o), (at, node.events)
        returns = step["returns"]
        if "bytes" in returns:
            assert returned.hex() == returns["bytes"], at
        if "payload" in returns:
            assert node.payloads == [(returns["time"], unhex(returns["place"]), unhex(returns["payload"]))], at
        else:
            assert node.payloads == [], at
        events = {o["event"]: o for o in outputs if "event" in o}
        mine = {event[0]: event[1:] for event in node.events}
        if "established" in events:
            print_, initiator = mine["established"]
            assert records.readable(print_) == events["established"]["fingerprint"], at
            assert initiator == events["established"]["initiator"], at
        for name in ("terminated", "resumed", "key_replaced", "established"):
            assert (name in mine) == (name in events), at
        if "key_replaced" in events:
            assert mine["key_replaced"] == (events["key_replaced"]["generation"],), at
        for output in outputs:
            if "persist" in output:
                script.stored[output["bytes"]] = node.stored(), node.run
        yield at, step, script


def first_contact(vector):
    """The same for a pairing."""
    scripts = {name: Script(vector[name]) for name in "ab"}
    sides = {}
    for place, step in enumerate(vector["steps"]):
        name = step["node"]
        at, node, script = f"step {place}: {name} {step['do']}", vector[name], scripts[name]
        script.step(step)
        if step["do"] == "input":
            datagrams = sides[name].input(unhex(step["bytes"]))
        else:
            role = pairing.Responder if step["do"] == "listen" else pairing.Initiator
            group = cpace.GROUPS[node["cpace"]]
            side = role(unhex(node["id"]), *suite(node["suite"]), group, unhex(step["secret"]), script.draw)
            sides[name] = Pairing(side, unhex(node["place"]), script.clock)
            datagrams = sides[name].start()
        assert not script.left, at
        assert [d.hex() for d in datagrams] == [o["bytes"] for o in step["outputs"] if "datagram" in o], at
        for output in step["outputs"]:
            if output.get("event") == "paired":
                assert records.readable(sides[name].fingerprint) == output["fingerprint"], at
        yield at, step, script
    assert sides["a"].triple == sides["b"].triple


def with_ticket(about, script):
    suites = [int(number) for number in about["suites"]]
    group = SUITES[suites[0]].group
    scalar = unhex(about["key"])
    if group is not X25519:
        scalar = int.from_bytes(scalar, "big")
    static = lambda theirs: group.secret(scalar, theirs), group.share(scalar)  # noqa: E731
    mine = ticket.read(unhex(about["ticket"]))
    assert mine.key == static[1]
    return tickets.Node(
        unhex(about["id"]).decode(),
        [mine],
        static,
        (unhex(about["agent"]).decode(), unhex(about["agent_key"])),
        suites,
        script.draw,
        unhex(about["peer"]).decode(),
        unhex(about.get("cid", "")),
        about.get("mtu", 1200),
        script.clock,
        unhex(about["psk"]) if "psk" in about else None,
        about.get("life", 0),
    )


def with_credential(about, script):
    number = int(about["suite"])
    name, lists = unhex(about["operator"]).decode(), unhex(about["lists_key"])
    operator = credential.Operator(name, unhex(about["operator_key"]), lists, number)
    script.keys = [operator.group.decode_scalar(unhex(about[key])) for key in ("key", "next_key") if key in about]
    return noninteractive.Node(
        unhex(about["id"]).decode(),
        [(credential.read(unhex(about["credential"]), number), script.keys.pop(0))],
        operator,
        script.draw,
        unhex(about["peer"]).decode() if "peer" in about else None,
        (about.get("life", 0), about["interval"], about["length"]),
        lambda: script.now,
        unhex(about.get("cid", "")),
        about.get("mtu", 1200),
        script.clock if about["wall"] else None,
        unhex(about["psk"]) if "psk" in about else None,
        script.rekey_after,
    )


def call(node, script, step, exports):
    """(datagrams, returned bytes or None): as `play`, for the schemes with credentials."""
    match step["do"]:
        case "connect" | "authenticate" | "ping" | "timeout" | "go_on":
            return getattr(node, step["do"])(), None
        case "revoke":
            return node.revoke(unhex(step["list"])), None
        case "install" if "credential" in step:
            node.own(credential.read(unhex(step["credential"]), node.operator.number), script.keys.pop(0))
            return [], None
        case "input":
            return node.input(unhex(step["bytes"])), None
        case "send":
            return [], node.send(unhex(step["payload"]))
        case "install":
            return node.install(ticket.read(unhex(step["ticket"]))), None
        case "export":
            exports[step["returns"]["bytes"]] = node.export()
            return [], unhex(step["returns"]["bytes"])
        case "restart":
            stored = script.last
            if "peer" in step:
                stored = script.stored[step["peer"]] if step["peer"] else None
            return node.restart(stored, exports.get(step.get("bytes"))), None
        case "exporter":
            length = len(step["returns"]["bytes"]) // 2
            return [], node.exporter(unhex(step["label"]), unhex(step["context"]), length)
    raise AssertionError(step["do"])


def but_cookies(datagram):
    """What a cookie is, is its maker's affair."""
    return datagram[:2] if datagram[:2] == b"\x10\x20" else datagram


NAMED = {2: "no_suite", 3: "credential", 4: "psk", 5: "psk"}


def authenticated(vector, make):
    """Plays it, and yields each step with its script."""
    scripts = {name: Script(vector[name]) for name in "ab"}
    nodes = {name: make(vector[name], scripts[name]) for name in "ab"}
    exports = {}
    for place, step in enumerate(vector["steps"]):
        at = f"step {place}: {step['node']} {step['do']}"
        node, script = nodes[step["node"]], scripts[step["node"]]
        script.step(step)
        node.events, node.payloads = [], []
        datagrams, returned = call(node, script, step, exports)
        assert not script.left, (at, node.events)
        outputs, returns = step["outputs"], step["returns"]
        sent = [unhex(o["bytes"]) for o in outputs if "datagram" in o]
        assert list(map(but_cookies, datagrams)) == list(map(but_cookies, sent)), (at, node.events)
        if "bytes" in returns:
            assert returned.hex() == returns["bytes"], at
        assert node.payloads == ([unhex(returns["payload"])] if "payload" in returns else []), (at, node.events)
        mine = {event[0]: event[1:] for event in node.events}
        for output in outputs:
            if output.get("event") == "established":
                print_, initiator = mine["established"]
                assert records.readable(print_) == output["fingerprint"] and initiator == output["initiator"], at
            if "persist" in output:
                script.last = script.stored[output["bytes"]] = node.stored()
        told = {o["event"] for o in outputs if "event" in o}
        script.begun += [o["generation"] for o in outputs if o.get("event") == "rekeyed"]
        script.mine += [event[1] for event in node.events if event[0] == "rekeyed"]
        for name in ("established", "resumed", "rekey_needed", "key_replaced", "peer_alive", "terminated", "hint"):
            assert (name in mine) == (name in told), (at, name, node.events)
        for output in outputs:
            if output.get("event") == "hint":
                assert NAMED[mine["hint"][0]] == output["reason"], at
        yield at, step, script
    # Epochs: in which call the application is told is nobody else's affair; the last may not have been told yet.
    assert all(script.begun == script.mine[: len(script.begun)] for script in scripts.values() if "credential" in vector["a"])


def played(vector):
    about = vector["a"]
    if "chip" in about:
        return microcert.played(vector, Script)
    if "ticket" in about or "credential" in about:
        return authenticated(vector, with_ticket if "ticket" in about else with_credential)
    return (first_contact if "cpace" in about else history)(vector)


@pytest.mark.parametrize("path", VECTORS, ids=lambda p: p.stem)
def test_vector(path):
    for at, step, script in played(json.loads(path.read_text())):
        assert step["values"] == script.values, at


def write(path):
    vector = json.loads(path.read_text())
    for _, step, script in played(vector):
        step["values"] = script.values
    path.write_text(json.dumps(vector, indent=2, sort_keys=True, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    for path in map(Path, sys.argv[1:]) if sys.argv[1:] else VECTORS:
        write(path)
