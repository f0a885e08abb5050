"""Plays tests/vectors/*.json: both nodes of each are the second implementation's, every byte that leaves them is compared."""

import json
from pathlib import Path

import pytest

from second import cpace, pairing, records
from second.crypto import SUITES, Triple
from second.exchange import Pair
from second.node import Node, Pairing

VECTORS = sorted((Path(__file__).parents[1] / "vectors").glob("*.json"))
unhex = bytes.fromhex


class Script:
    """The random bytes and the time of the step that is being played."""

    def __init__(self, node):
        self.wall, self.left = node["wall"], []

    def step(self, step):
        self.now, self.left = step["now"], [unhex(text) for text in step["random"]]

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


def play(vector, node, script, step, exports):
    """(datagrams, returned bytes or None)."""
    match step["do"]:
        case "connect":
            return node.connect(), None
        case "input":
            return node.input(unhex(step["bytes"])), None
        case "send":
            return [], node.send(unhex(step["payload"]))
        case "update":
            return node.update(), None
        case "timeout":
            return node.timeout(), None
        case "export":
            exports[step["returns"]["bytes"]] = node.export()
            return [], unhex(step["returns"]["bytes"])  # how it is stored is nobody else's affair
        case "restart":
            return node.restart(exports.get(step.get("bytes"))), None
        case "exporter":
            length = len(step["returns"]["bytes"]) // 2
            return [], node.exporter(unhex(step["label"]), unhex(step["context"]), length)
    raise AssertionError(step["do"])


@pytest.mark.parametrize("path", [p for p in VECTORS if "pairing" not in p.name], ids=lambda p: p.stem)
def test_life(path):
    vector = json.loads(path.read_text())
    scripts = {name: Script(vector[name]) for name in "ab"}
    nodes = {name: make(vector[name], scripts[name]) for name in "ab"}
    exports = {}
    for place, step in enumerate(vector["steps"]):
        at = f"step {place}: {step['node']} {step['do']}"
        node, script = nodes[step["node"]], scripts[step["node"]]
        script.step(step)
        node.events, node.payloads = [], []
        datagrams, returned = play(vector, node, script, step, exports)
        assert not script.left, at
        outputs = step["outputs"]
        assert [d.hex() for d in datagrams] == [o["bytes"] for o in outputs if "datagram" in o], (at, node.events)
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


@pytest.mark.parametrize("path", [p for p in VECTORS if "pairing" in p.name], ids=lambda p: p.stem)
def test_pairing(path):
    vector = json.loads(path.read_text())
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
    assert sides["a"].triple == sides["b"].triple
