"""The complete transcripts of tests/vectors, played byte for byte: same calls, times and randomness, same bytes."""

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import pytest

import iotkm
from iotkm import (
    Association,
    Datagram,
    Event,
    History,
    Idle,
    Interactive,
    Pairing,
    Peer,
    Persist,
    Platform,
    StaticKey,
    Ticket,
    TicketPeer,
    Triple,
    VerifyKey,
    Wallet,
)

FOLDER = Path(__file__).parents[2] / "tests" / "vectors"
VECTORS = sorted([*FOLDER.glob("*.json"), *FOLDER.glob("interactive/*.json")])
LOG = 24


class Node:
    """A side of a vector."""

    def __init__(self, about: dict[str, Any]) -> None:
        self.about = about
        self.now = 0
        self.draws: list[bytes] = []
        self.stored: dict[int, bytes] = {}
        self.platform = Platform(
            self.field("device"),
            rng=self.draw,
            clock=lambda: self.now,
            wall=lambda: None if about.get("wall") is None else about["wall"] + self.now,
            place=self.field("place") if "place" in about else None,
            keys={1: self.static_key()} if "ticket" in about else None,
        )
        if "ticket" in about:
            agent, key = self.field("agent").decode(), VerifyKey("EdDSA", self.field("agent_key"))
            self.wallet = Wallet(self.platform, device=self.field("id").decode(), agent=agent, key=key)
            self.wallet.install(Ticket.peek(self.field("ticket")))
            self.association: Association = self.with_ticket(self.stranger())
        else:
            self.association = self.pairing() if "cpace" in about else self.open(self.provisioned())

    def field(self, key: str) -> bytes:
        return bytes.fromhex(self.about[key])

    def draw(self, n: int) -> bytes:
        assert self.draws and len(self.draws[0]) == n, f"{n} random bytes are wanted"
        return self.draws.pop(0)

    @property
    def suite(self) -> iotkm.Suite:
        suite = getattr(iotkm, f"SUITE_{self.about['suite'].upper()}")
        assert isinstance(suite, iotkm.Suite)
        return suite

    @property
    def suites(self) -> list[iotkm.Suite]:
        named = {"-21": "FFC2048", "-22": "FFC3072"}
        return [getattr(iotkm, f"SUITE_{named.get(name, name)}") for name in self.about["suites"]]

    def static_key(self) -> StaticKey:
        groups = {2: "p256", 3: "p256", 5: "p256", -21: "ffc2048", -22: "ffc3072"}
        return StaticKey(groups.get(self.suites[0].id, "x25519"), self.field("key"))

    def stranger(self) -> TicketPeer:
        own, other = self.field("id").decode(), self.field("peer").decode()
        return TicketPeer.named(slot=1, own_id=own, id=other, psk=self.field("psk") if "psk" in self.about else None)

    def with_ticket(self, peer: TicketPeer) -> Association:
        cid = self.field("cid") if "cid" in self.about else None
        about = self.about
        return Interactive(
            self.platform, peer, self.wallet, suites=self.suites, key=1, life=about.get("life", 0),
            mtu=about.get("mtu", 1200), cid=cid,
        )  # fmt: skip

    def provisioned(self) -> Peer:
        triple = Triple(self.field("sk"), self.field("t"), self.field("li"))
        peer = Peer.provisioned(slot=1, own_id=self.field("id"), id=self.field("peer"), triple=triple, suite=self.suite)
        if "psk" in self.about:
            peer.set_psk(self.field("psk"))
        return peer

    def open(self, peer: Peer) -> Association:
        cid = self.field("cid") if "cid" in self.about else None
        about = self.about
        return History(
            self.platform, peer, log=LOG, mtu=about.get("mtu", 1200), cid=cid, rekey_after=about.get("rekey_after")
        )

    def pairing(self) -> Association:
        group = {"p256": "P-256", "ristretto255": "ristretto255"}[self.about["cpace"]]
        return Pairing(
            self.platform, own_id=self.field("id"), peer_slot=1, attempts_slot=2, suite=self.suite, group=group
        )

    def call(self, step: dict[str, Any]) -> dict[str, Any]:
        def argument(key: str) -> bytes:
            return bytes.fromhex(step[key])

        other = self.about["other"].encode()
        association: Any = self.association
        match step["do"]:
            case "connect":
                association.connect(other)
            case "update":
                association.update()
            case "authenticate":
                association.authenticate(other)
            case "ping":
                association.ping(other)
            case "install":
                self.wallet.install(Ticket.peek(argument("ticket")))
                association.recheck()
            case "timeout":
                association.handle_timeout()
            case "input":
                received = association.handle_input(other, argument("bytes"))
                if received is not None:
                    payload, place = received.payload.hex(), received.place.hex()
                    return {"payload": payload, "time": received.time, "place": place}
            case "send":
                return {"bytes": association.send(argument("payload")).data.hex()}
            case "export":
                return {"bytes": association.export().hex()}
            case "exporter":
                return {"bytes": association.exporter(argument("label"), argument("context"), 40).hex()}
            case "restart":
                blob = argument("peer") if "peer" in step else self.stored[1]
                if "ticket" in self.about:
                    known = TicketPeer.restore(self.platform, slot=1, blob=blob) if blob else self.stranger()
                    self.association = self.with_ticket(known)
                else:
                    self.association = self.open(Peer.restore(self.platform, slot=1, blob=blob))
                if "bytes" in step:
                    self.association.restore(argument("bytes"))
            case "listen":
                association.listen(argument("secret"), window_ms=step["window"])
            case "start":
                association.start(other, argument("secret"))
            case unknown:
                raise AssertionError(f"no verb {unknown}")
        return {}

    def drain(self) -> tuple[list[dict[str, Any]], int | None]:
        outputs: list[dict[str, Any]] = []
        while True:
            match self.association.poll():
                case Datagram(to, data):
                    outputs.append({"datagram": to.decode(), "bytes": data.hex()})
                case Persist(slot, version, data):
                    self.stored[slot] = data
                    self.association.persisted(slot)
                    outputs.append({"persist": slot, "version": version, "bytes": data.hex()})
                case Event() as event:
                    name = re.sub(r"(?<!^)([A-Z])", r"_\1", type(event).__name__).lower()
                    outputs.append({"event": name, **dataclasses.asdict(event)})
                case Idle(wake_at):
                    return outputs, wake_at


def test_there_are_vectors() -> None:
    assert VECTORS, f"none in {FOLDER}"


@pytest.mark.parametrize("file", VECTORS, ids=lambda file: file.stem)
def test_vector(file: Path) -> None:
    vector = json.loads(file.read_text())
    nodes = {name: Node(vector[name]) for name in "ab"}
    for number, step in enumerate(vector["steps"]):
        node = nodes[step["node"]]
        node.now = step["now"]
        node.draws = [bytes.fromhex(draw) for draw in step["random"]]
        place = f"step {number}: {step['node']} {step['do']}"
        try:
            returned = node.call(step)
        except iotkm.IotkmError as error:
            returned = {"error": error.code}
        assert returned == step["returns"], place
        outputs, wake = node.drain()
        assert outputs == step["outputs"], place
        assert wake == step["wake"], place
        assert not node.draws, f"{place}: randomness left over"
