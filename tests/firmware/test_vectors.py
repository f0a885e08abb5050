"""The complete transcripts of tests/vectors, played byte for byte on the board: both nodes of each."""

import glob
import json
import os
import sys
import unittest

from qemu import Board

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
sys.path.append(os.path.join(ROOT, "ffi-c", "tests"))
import vectors  # noqa: E402

IMAGE = os.path.join(os.environ["M4_IMAGES"], "replay.elf")


class Vectors(unittest.TestCase):
    def play(self, path):
        with open(path, encoding="utf-8") as file:
            told, said = vectors.lines(json.load(file))
        with Board(IMAGE) as board:
            heard = []
            for line in told:
                board.send(line.encode())
                if line.startswith("C "):
                    answer = board.receive()
                    self.assertIsNotNone(answer, f"{line}: {board.output}")
                    heard += answer.decode().splitlines()
                    self.assertEqual(heard, said[: len(heard)], line)
            self.assertEqual(heard, said)

    def test_there_are_some(self):
        self.assertGreater(len(self.paths()), 20)

    @staticmethod
    def paths():
        return sorted(glob.glob(os.path.join(ROOT, "tests", "vectors", "*.json")))


def add(path):
    name = os.path.basename(path).removesuffix(".json").replace("-", "_")
    setattr(Vectors, f"test_{name}", lambda self: self.play(path))


for each in Vectors.paths():
    add(each)
