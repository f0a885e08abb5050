"""The complete transcripts of tests/vectors, played byte for byte on the board: both nodes of each; tickets, credentials, renewal."""

import glob
import os
import sys
import unittest

from qemu import Board

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
sys.path.append(os.path.join(ROOT, "ffi-c", "tests"))
import vectors  # noqa: E402

IMAGE = os.path.join(os.environ["M4_IMAGES"], "replay.elf")


# Of this suite, *noninteractive* and issuing would take the emulator more than a minute: *interactive* alone plays it here.
SLOW = "-22"


class Vectors(unittest.TestCase):
    def play(self, path):
        told, said = vectors.script(path, without=(SLOW,))
        with Board(IMAGE) as board:
            heard = []
            for line in told:
                board.send(line.encode())
                if vectors.answers(line):
                    answer = board.receive(timeout=120)
                    self.assertIsNotNone(answer, f"{line}: {board.output}")
                    heard += answer.decode().splitlines()
                    self.assertEqual(heard, said[: len(heard)], line)
            self.assertEqual(heard, said)

    def test_there_are_some(self):
        self.assertGreater(len(self.paths()), 82)

    @staticmethod
    def paths():
        folder = os.path.join(ROOT, "tests", "vectors")
        kinds = ("*.json", "interactive/*.json", "noninteractive/*.json", "microcert/*.json")
        found = [path for kind in kinds for path in glob.glob(os.path.join(folder, kind))]
        found = [path for path in found if not path.endswith("noninteractive/life-suite-minus-22.json")]
        return sorted(found) + [os.path.join(folder, "primitives", f"{name}.json") for name in ("tickets", "credentials", "renewal")]


def add(path):
    name = os.path.relpath(path, os.path.join(ROOT, "tests", "vectors")).removesuffix(".json").replace("-", "_").replace("/", "_")
    setattr(Vectors, f"test_{name}", lambda self: self.play(path))


for each in Vectors.paths():
    add(each)
