"""The second implementation of the noninteractive scheme: issuing by the vectors, and a life of its own."""

import json
from pathlib import Path
from random import Random

import pytest

from second.credential import Operator, accept, answer, read, request
from second.crypto import Dropped, Watch
from second.noninteractive import Node
from second.powers import GROUPS
from second.renewal import ANSWER, DUE, REQUEST, Holder, message

ISSUED = json.loads((Path(__file__).parents[1] / "vectors/primitives/credentials.json").read_text())
unhex = bytes.fromhex


def operator(about):
    return Operator(about["name"], unhex(about["key"]), unhex(about["lists_key"]), int(about["suite"]))


def draws(texts):
    left = [unhex(text) for text in texts]

    def draw(count):
        assert len(left[0]) == count
        return left.pop(0)

    return draw, left


@pytest.mark.parametrize("vector", ISSUED["credentials"], ids=lambda v: f"{v['operator']}-{v['serial']}")
def test_issuing(vector):
    about = ISSUED["operators"][vector["operator"]]
    acme = operator(about)
    group, x_z = acme.group, acme.group.decode_scalar(unhex(about["x"]))
    assert group.share(x_z) == acme.key
    terms = vector["issued_at"], vector["life"], vector["serial"]
    draw, left = draws(vector["operator_draws"])
    if vector["split"]:
        draw_k1, none_left = draws(vector["device_draws"])
        asked, k1 = request(acme.number, vector["device"], draw_k1)
        assert asked.hex() == vector["request"] and group.encode_scalar(k1).hex() == vector["k1"] and not none_left
        answered = answer(acme, x_z, draw, asked, *terms)
        assert answered.hex() == vector["answer"]
        credential, x = accept(acme, vector["device"], k1, answered, vector["issued_at"])
    else:
        data, x = acme.sign(x_z, draw, vector["device"], *terms)
        credential = acme.verify(data, vector["issued_at"])
        acme.check(credential, x)
    assert not left and group.encode_scalar(x).hex() == vector["x"]
    assert (credential.data.hex(), credential.ref.hex(), credential.key.hex()) == tuple(
        vector[name] for name in ("credential", "reference", "key")
    )
    h = acme.h(credential.subject, credential.issued, credential.life, credential.serial, credential.r)
    assert (group.encode_scalar(h).hex(), acme.y(credential).hex()) == (vector["h"], vector["y"])


@pytest.mark.parametrize("vector", ISSUED["refused"], ids=lambda v: f"{v['operator']}-{v['reason']}")
def test_refused(vector):
    acme = operator(ISSUED["operators"][vector["operator"]])
    k1 = acme.group.decode_scalar(unhex(vector["k1"]))
    with pytest.raises(Dropped):
        accept(acme, vector["device"], k1, unhex(vector["bytes"]), vector["wall"])


@pytest.mark.parametrize("vector", ISSUED["messages"], ids=lambda v: f"{v['kind']}-{len(v['bytes']) // 2}")
def test_messages(vector):
    number = {"credential_due": DUE, "credential_request": REQUEST, "credential_answer": ANSWER}[vector["kind"]]
    values = [unhex(vector["object"])] if vector["object"] else []
    assert message(number, *values).hex() == vector["bytes"]


def did(holder, step):
    """One step of a holder's; what came of it as the vectors have it, but for a blob and for why something is refused."""
    data, wall = unhex(step.get("bytes", "")), step["wall"]
    try:
        match step["do"]:
            case "install":
                holder.install(data, wall)
                return True
            case "handle":
                told = holder.handle(data, wall)
                return told if isinstance(told, str) else {"credential": told[0].data.hex(), "x": told[1].hex()}
            case "ask":
                draw, left = draws(step["random"])
                holder.ask(draw)
                assert not left
            case "store":
                holder.store()
            case "restore":
                holder.restore()
    except Dropped:
        return "refused"
    return None


@pytest.mark.parametrize("vector", ISSUED["holders"], ids=lambda v: ISSUED["operators"][v["operator"]]["suite"])
def test_renewal(vector):
    holder = Holder(operator(ISSUED["operators"][vector["operator"]]), vector["device"])
    for number, step in enumerate(vector["steps"]):
        wanted = step["returns"]
        if step["do"] == "store":
            wanted = None
        elif isinstance(wanted, int) and not isinstance(wanted, bool):
            wanted = "refused"
        assert did(holder, step) == wanted, number
        request, acknowledgement = holder.request(), holder.acknowledgement()
        state = {
            "floor": holder.floor,
            "list_number": holder.number,
            "serial": holder.own and holder.own.serial,
            "due_at": holder.due_at(vector["lead"]),
            "is_asking": holder.k1 is not None,
            "needs_store": not holder.is_stored,
            "request": request and request.hex(),
            "acknowledgement": acknowledgement and acknowledgement.hex(),
        }
        assert state == {name: step[name] for name in state}, number


class Clock:
    now = 0

    def __call__(self):
        return self.now


def pair(number, terms=(0, 60, 9), psk=None):
    Watch.see = None
    draw, group = Random(number).randbytes, GROUPS[number]
    x_z = group.scalar(draw)
    acme = Operator("acme", group.share(x_z), bytes(32), number)
    clocks, nodes = (Clock(), Clock()), []
    for serial, (me, other) in enumerate((("lamp-01", "door-01"), ("door-01", "lamp-01"))):
        asked, k1 = request(number, me, draw)
        credential, x = accept(acme, me, k1, answer(acme, x_z, draw, asked, 1000, 9, serial), 1000)
        assert read(credential.data, number).ref == credential.ref
        nodes.append(Node(me, [(credential, x)], acme, draw, other, terms, clocks[serial], psk=psk))
    return (*nodes, clocks)


def carry(sender, receiver, datagrams):
    """The lengths of what went."""
    waiting, lengths = [(receiver, datagram) for datagram in datagrams], []
    while waiting:
        to, datagram = waiting.pop(0)
        lengths.append(len(datagram))
        waiting += [(sender if to is receiver else receiver, one) for one in to.input(datagram)]
    return lengths


def test_lengths():
    """Section 11."""
    a, s, clocks = pair(2)
    assert carry(a, s, a.connect()) == [66, 97, 56, 10]
    assert sum(carry(a, s, a.connect())) == 141
    clocks[0].now = 180_000
    a.timeout()
    carry(a, s, [a.send(b"x")])
    assert s.puzzled and list(map(len, s.timeout())) == [26]
    assert len(a.ticket.data) == 50


def test_cut_off_before_m4():
    """R1 is as good."""
    a, s, _ = pair(0)
    (m1,) = a.connect()
    (m2,) = s.input(m1)
    (m3,) = a.input(m2)
    s.input(m3)
    s.restart(s.stored())
    assert carry(s, a, s.go_on())
    assert [event[0] for event in a.events][:2] == ["established", "resumed"]
    carry(a, s, [a.send(b"a word")])
    assert s.payloads == [b"a word"] and a.session.epoch == s.session.epoch


@pytest.mark.parametrize("number,psk", [(0, bytes(32)), (0, None), (5, None), (-21, None)], ids=["psk", "0", "5", "-21"])
def test_a_life(number, psk):
    a, s, clocks = pair(number, psk=psk)
    carry(a, s, a.connect())
    for epochs in (1, 1, 3, 2):
        for node, clock in ((a, clocks[0]), (s, clocks[1])):
            clock.now += 60_000 * epochs
            node.timeout()
        carry(a, s, [a.send(b"a word")])
        carry(s, a, [s.send(b"a word")])
    assert a.session.epoch == s.session.epoch == 8 and len(a.payloads) == len(s.payloads) == 4
    stored = s.stored()
    s.restart(stored)
    carry(s, a, s.go_on())
    carry(s, a, [s.send(b"back")])
    assert a.payloads[-1] == b"back" and a.session.epoch == s.session.epoch == 9
    assert ("rekey_needed",) in a.events and not [event for event in a.events + s.events if event[0] == "dropped"]
    for node, clock in ((a, clocks[0]), (s, clocks[1])):
        clock.now += 60_000
        node.timeout()
        assert node.session is None and node.events[-1] == ("terminated",)
