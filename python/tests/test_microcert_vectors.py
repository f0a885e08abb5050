"""The microcert scheme's transcripts, played byte for byte: a device, and a centre over rows in memory."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("argon2")

from cryptography.hazmat.primitives.ciphers.algorithms import AES  # noqa: E402
from test_vectors import FOLDER, Node, play  # noqa: E402

import iotkm  # noqa: E402
from iotkm import Association, Chip, Microcert  # noqa: E402
from iotkm._iotkm import AuthCenter, read_row  # noqa: E402
from iotkm.centre import FileKeyStore, Served  # noqa: E402

VECTORS = sorted(FOLDER.glob("microcert/*.json"))


class Device(Node):
    """A chip and, once it is opened, its association."""

    def begin(self) -> None:
        self.chip: Chip | None = None

    def open(self, chip: Chip) -> None:  # type: ignore[override]
        self.association = Microcert(self.platform, chip, cid=self.field("cid") if "cid" in self.about else None)
        self.chip = None

    def call(self, step: dict[str, Any]) -> dict[str, Any]:
        match step["do"]:
            case "enrol":
                invitation = bytes.fromhex(step["bytes"])
                self.chip = Chip.enrol(self.platform, seed_slot=1, state_slot=2, invitation=invitation)
                return {"bytes": self.chip.deposit().hex()}
            case "confirm":
                assert self.chip is not None
                self.chip.confirm(bytes.fromhex(step["bytes"]))
            case "open":
                assert self.chip is not None
                self.open(self.chip)
            case "sign":
                assert isinstance(self.association, Microcert)
                return {"bytes": self.association.sign(bytes.fromhex(step["payload"])).hex()}
            case "restart":
                seed = bytes.fromhex(step["seed"]) if "seed" in step else self.stored[1]
                state = bytes.fromhex(step["state"]) if "state" in step else self.stored[2]
                self.open(Chip.restore(self.platform, seed_slot=1, state_slot=2, seed=seed, state=state))
                if "bytes" in step:
                    self.association.restore(bytes.fromhex(step["bytes"]))
            case "chip":
                assert isinstance(self.association, Microcert)
                of = self.association.chip
                about = {"generation": of.generation, "years": list(of.years), "floor": of.floor}
                return {**about, "confirmed": of.confirmed, "revoked": of.revoked}
            case _:
                return super().call(step)
        return {}

    def drain(self) -> tuple[list[dict[str, Any]], int | None]:
        if self.chip is None:
            return super().drain()
        outputs: list[dict[str, Any]] = []
        while self.chip.needs_store:
            write = self.chip.seal(self.platform)
            self.stored[write.slot] = write.data
            self.chip.persisted()
            outputs.append({"persist": write.slot, "version": write.version, "bytes": write.data.hex()})
        return outputs, None


class Keys(FileKeyStore):
    """The keystore of a vector."""

    def __init__(self, keys: bytes) -> None:
        self._keys = {name: AES(keys[at : at + 32]) for name, at in (("trans", 0), ("store", 32), ("mac", 64))}


@dataclass(frozen=True)
class Row:
    state: bytes
    seed: bytes


class Rows:
    """A key database in memory, and what was written to it."""

    def __init__(self) -> None:
        self.rows: dict[bytes, Row] = {}
        self.written: list[dict[str, Any]] = []

    def get(self, id: bytes) -> Row | None:
        return self.rows.get(id)

    def swap(self, id: bytes, version: int, state: bytes, seed: bytes | None = None) -> bool:
        written = {"row": id.hex(), "version": version, "state": state.hex()}
        self.written.append(written if seed is None else {**written, "seed": seed.hex()})
        self.rows[id] = Row(state, self.rows[id].seed if seed is None else seed)
        return True


class Centre(Node):
    """A centre, and its side of the newest session."""

    def begin(self) -> None:
        self.rows, self.keystore = Rows(), Keys(self.field("keys"))
        self.outputs: list[dict[str, Any]] = []
        self.start()

    def start(self) -> None:
        self.centre = AuthCenter(self.platform, self.field("id"), shares=256, answers=16)
        self.served: Association | None = None

    def is_centres(self, data: bytes) -> bool:
        return data[:1] == b"\x15" or data[:2] == b"\x10\x30"

    def call(self, step: dict[str, Any]) -> dict[str, Any]:
        def argument(key: str) -> bytes:
            return bytes.fromhex(step[key])

        rows, keys = self.rows, self.keystore
        match step["do"]:
            case "invite":
                suite = getattr(iotkm, f"SUITE_{step['suite'].upper()}")
                made = self.centre.invite(rows, keys, argument("id"), suite=suite, clockless=step["clockless"])
                return {"bytes": made.hex()}
            case "enrol":
                id, confirmation = self.centre.enrol(rows, keys, argument("bytes"))
                return {"id": id.hex(), "bytes": confirmation.hex()}
            case "update":
                self.centre.update(rows, keys, argument("id"))
            case "revoke":
                self.centre.revoke(rows, keys, argument("id"))
            case "verify":
                signed = self.centre.verify(rows, keys, argument("bytes"), argument("payload"))
                return {} if signed is None else {"id": signed.id.hex(), "time": signed.time, "counter": signed.counter}
            case "row":
                row = rows.rows[argument("id")]
                of = read_row(row.state, row.seed)
                about = {"standing": of.standing, "generation": of.generation, "updating": of.updating}
                return {**about, "years": list(of.years), "counter": of.counter}
            case "restart":
                self.start()
                if "seed" in step:
                    rows.rows[argument("id")] = Row(argument("state"), argument("seed"))
                if "bytes" in step:
                    suite = getattr(iotkm, f"SUITE_{step['suite'].upper()}")
                    self.served = Served.at_rest(self.platform, argument("id"), suite=suite, cid=self.field("cid"))
                    self.served.restore(argument("bytes"))
            case "input" if self.is_centres(argument("bytes")):
                self.hear(argument("bytes"))
            case _:
                assert self.served is not None
                self.association = self.served
                return super().call(step)
        return {}

    def hear(self, datagram: bytes) -> None:
        source = self.about["other"].encode()
        [handled], _, _ = self.centre.handle_inputs(
            self.rows, self.keystore, {}, [(source, datagram)], self.field("cid")
        )
        if handled.error is not None:
            raise handled.error
        if handled.id is not None and handled.event is not None:
            self.outputs.append({"event": str(handled.event), "id": handled.id.hex()})
        if handled.reply is not None:
            self.outputs.append({"datagram": source.decode(), "bytes": handled.reply.hex()})
        if handled.session is not None:
            self.served = Served(self.platform, handled.session)

    def drain(self) -> tuple[list[dict[str, Any]], int | None]:
        outputs = self.rows.written + self.outputs
        self.rows.written, self.outputs = [], []
        if self.served is None:
            return outputs, None
        self.association = self.served
        said, wake = super().drain()
        return outputs + said, wake


def test_there_are_vectors() -> None:
    assert len(VECTORS) >= 24, f"in {FOLDER}"


@pytest.mark.parametrize("file", VECTORS, ids=lambda file: file.stem)
def test_vector(file: Path) -> None:
    vector = json.loads(file.read_text())
    play(vector, {"a": Device(vector["a"]), "b": Centre(vector["b"])})
