"""The complete transcripts of tests/vectors, played byte for byte: same calls, times and randomness, same bytes."""

import dataclasses
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

import iotkm
from iotkm import (
    Association,
    Credential,
    CredentialOperator,
    CredentialPeer,
    Datagram,
    Event,
    History,
    Holder,
    Idle,
    Interactive,
    Noninteractive,
    Pairing,
    Peer,
    Persist,
    Platform,
    RevocationList,
    StaticKey,
    Ticket,
    TicketPeer,
    Triple,
    VerifyKey,
    Wallet,
)

FOLDER = Path(__file__).parents[2] / "tests" / "vectors"
VECTORS = sorted([*FOLDER.glob("*.json"), *FOLDER.glob("interactive/*.json"), *FOLDER.glob("noninteractive/*.json")])
LOG = 24


def snake(name: str) -> str:
    return re.sub(r"(?<!^)([A-Z])", r"_\1", name).lower()


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
            keys=self.keys(),
        )
        self.begin()

    def begin(self) -> None:
        """Makes the association."""
        about = self.about
        if "ticket" in about:
            agent, key = self.field("agent").decode(), VerifyKey("EdDSA", self.field("agent_key"))
            self.wallet = Wallet(self.platform, device=self.field("id").decode(), agent=agent, key=key)
            self.wallet.install(Ticket.peek(self.field("ticket")))
            self.association: Association = self.with_ticket(self.stranger())
        elif "credential" in about:
            operator = CredentialOperator(
                self.field("operator").decode(), key=self.field("operator_key"), suite=self.suites[0],
                lists=VerifyKey("EdDSA", self.field("lists_key")),
            )  # fmt: skip
            self.holder = Holder(self.platform, device=self.field("id").decode(), operator=operator)
            self.holder.install(Credential(self.field("credential"), suite=self.suites[0]))
            self.association = self.with_credential(self.nobody())
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
        names = self.about["suites"] if "suites" in self.about else [self.about["suite"]]
        return [getattr(iotkm, f"SUITE_{named.get(name, name)}") for name in names]

    def keys(self) -> dict[int, StaticKey]:
        if "ticket" not in self.about and "credential" not in self.about:
            return {}
        groups = {2: "p256", 3: "p256", 5: "p256", -21: "ffc2048", -22: "ffc3072"}
        group = groups.get(self.suites[0].id, "x25519" if "ticket" in self.about else "ristretto255")
        here = {slot: name for slot, name in ((1, "key"), (2, "next_key")) if name in self.about}
        return {slot: StaticKey(group, self.field(name)) for slot, name in here.items()}

    def nobody(self) -> CredentialPeer:
        own, psk = self.field("id").decode(), self.field("psk") if "psk" in self.about else None
        if "peer" not in self.about:
            return CredentialPeer.anyone(slot=1, own_id=own, psk=psk, suite=self.suites[0])
        other = self.field("peer").decode()
        return CredentialPeer.named(slot=1, own_id=own, id=other, psk=psk, suite=self.suites[0])

    def with_credential(self, peer: CredentialPeer) -> Association:
        cid = self.field("cid") if "cid" in self.about else None
        about = self.about
        return Noninteractive(
            self.platform, peer, self.holder, key=1, next_key=2 if "next_key" in about else None,
            interval=about.get("interval", 60), length=about.get("length", 1000), life=about.get("life", 0),
            mtu=about.get("mtu", 1200), cid=cid, rekey_after=about.get("rekey_after"),
        )  # fmt: skip

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
            case "go_on":
                association.go_on()
            case "install" if "credential" in step:
                self.holder.install(Credential(argument("credential"), suite=self.suites[0]))
            case "revoke":
                self.holder.revoke(RevocationList.peek(argument("list")))
                association.recheck()
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
                elif "credential" in self.about:
                    suite = self.suites[0]
                    stored = CredentialPeer.restore(self.platform, slot=1, blob=blob, suite=suite) if blob else self.nobody()
                    self.association = self.with_credential(stored)
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
                    outputs.append({"event": snake(type(event).__name__), **dataclasses.asdict(event)})
                case Idle(wake_at):
                    return outputs, wake_at


def test_there_are_vectors() -> None:
    assert VECTORS, f"none in {FOLDER}"


@pytest.mark.parametrize("file", VECTORS, ids=lambda file: file.stem)
def test_vector(file: Path) -> None:
    vector = json.loads(file.read_text())
    play(vector, {name: Node(vector[name]) for name in "ab"})


def play(vector: dict[str, Any], nodes: Mapping[str, Node]) -> None:
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
