#!/usr/bin/env python3
"""vectors.py PLAYER VECTOR.json...: plays test vectors on a program like play.c (player.h) and compares all that comes out."""

import json
import os
import subprocess
import sys

FIELDS = ("other", "suite", "cpace", "device", "id", "peer", "sk", "t", "li", "psk", "place", "wall", "mtu", "cid", "rekey_after")
ARGUMENTS = {"input": ("bytes",), "send": ("payload",), "exporter": ("label", "context"), "restart": ("bytes", "peer"),
             "listen": ("secret", "window"), "start": ("secret",)}
NUMBERS = {"wall": 0, "mtu": 0, "rekey_after": 0}


def words(source, keys):
    return [str(source.get(key, NUMBERS.get(key)) or NUMBERS.get(key, "-")) for key in keys]


def output(out):
    if "datagram" in out:
        return f"datagram {out['datagram']} {out['bytes']}"
    if "persist" in out:
        return f"persist {out['persist']} {out['version']} {out['bytes']}"
    more = [out[key] for key in ("fingerprint", "initiator", "generation") if key in out]
    return " ".join(["event", out["event"], *(str(int(m) if isinstance(m, bool) else m) for m in more)])


def lines(vector):
    """What to tell the player, and what it should say."""
    told, said = [], []
    for name in "ab":
        told.append(" ".join(["N", name, *words(vector[name], FIELDS)]))
    for step in vector["steps"]:
        told += [f"R {draw}" for draw in step["random"]]
        told.append(" ".join(["C", step["node"], str(step["now"]), step["do"], *words(step, ARGUMENTS.get(step["do"], ()))]))
        returned = step["returns"]
        said.append(" ".join([step["do"], *(str(returned[k]) or "-" for k in ("bytes", "payload", "time", "place") if k in returned)]))
        said += map(output, step["outputs"])
        wake = step.get("wake")
        said.append(f"wake {'-' if wake is None else wake}")
    return told, said


def play(player, path):
    with open(path, encoding="utf-8") as file:
        told, said = lines(json.load(file))
    done = subprocess.run(player, input="\n".join(told) + "\n", capture_output=True, text=True, check=False)
    heard = done.stdout.splitlines()
    if done.returncode == 0 and heard == said:
        return True
    at = next((i for i, pair in enumerate(zip(heard, said)) if pair[0] != pair[1]), min(len(heard), len(said)))
    print(f"{os.path.basename(path)}: differs at line {at + 1} of {len(said)}, status {done.returncode}: {done.stderr.strip()}")
    print("  should be:", *said[at : at + 1], "\n  is:       ", *heard[at : at + 1])
    return False


def main():
    player, *paths = sys.argv[1:]
    results = [play(player.split(), path) for path in paths]
    print(f"{sum(results)} of {len(results)} vectors")
    sys.exit(0 if results and all(results) else 1)


if __name__ == "__main__":
    main()
