#!/usr/bin/env python3
"""vectors.py PLAYER VECTOR.json...: plays test vectors on a program like play.c (player.h) and compares all that comes out."""

import json
import os
import subprocess
import sys

TICKETED = ("other", "suites", "device", "id", "peer", "psk", "wall", "mtu", "cid", "life", "agent", "agent_key", "key", "ticket")
CREDITED = ("other", "suite", "device", "id", "peer", "psk", "wall", "mtu", "cid", "rekey_after", "interval", "length", "life",
            "operator", "operator_key", "lists_key", "key", "next_key", "credential")
FIELDS = ("other", "suite", "cpace", "device", "id", "peer", "sk", "t", "li", "psk", "place", "wall", "mtu", "cid", "rekey_after")
CHIPPED = ("other", "suite", "device", "wall", "cid")
CENTRED = ("other", "suites", "device", "id", "keys", "wall", "cid")
MICROCERT = {"invite": ("id", "suite", "clockless"), "enrol": ("bytes",), "confirm": ("bytes",), "sign": ("payload",),
             "verify": ("bytes", "payload"), "update": ("id",), "revoke": ("id",), "row": ("id",),
             "restart": ("bytes", "seed", "state", "id", "suite")}
RETURNED = ("error", "bytes", "payload", "time", "place", "confirmed", "counter", "floor", "generation", "id", "revoked", "standing",
            "updating", "years")
ARGUMENTS = {"input": ("bytes",), "send": ("payload",), "exporter": ("label", "context"), "restart": ("bytes", "peer"),
             "listen": ("secret", "window"), "start": ("secret",), "install": ("ticket",), "revoke": ("list",)}
NUMBERS = {"wall": 0, "mtu": 0, "rekey_after": 0, "life": 0, "interval": 60, "length": 1000}


def arguments(step):
    return ("credential",) if "credential" in step else ARGUMENTS.get(step["do"], ())


def words(source, keys):
    return [word(source, key) for key in keys]


def word(source, key):
    value = source.get(key, NUMBERS.get(key))
    if key == "peer" and value == "":
        return "forgotten"
    return ",".join(value) if isinstance(value, list) else str(value or NUMBERS.get(key, "-"))


def output(out):
    if "datagram" in out:
        return f"datagram {out['datagram']} {out['bytes']}"
    if "persist" in out:
        return f"persist {out['persist']} {out['version']} {out['bytes']}"
    if "row" in out:
        return f"row {out['row']} {out['version']} {out['state']} {out.get('seed', '-')}"
    more = [out[key] for key in ("fingerprint", "initiator", "generation", "id") if key in out]
    return " ".join(["event", out["event"], *(str(int(m) if isinstance(m, bool) else m) for m in more)])


def values(returned):
    """What a call returned, as the player says it."""
    for key in RETURNED:
        value = returned.get(key, [])
        for each in value if isinstance(value, list) else [value]:
            yield "0" if each is None else str(int(each) if isinstance(each, bool) else each) or "-"


def lines(vector):
    """What to tell the player, and what it should say."""
    told, said = [], []
    for name in "ab":
        kinds = {"ticket": ("T", TICKETED), "credential": ("K", CREDITED), "chip": ("J", CHIPPED), "keys": ("M", CENTRED)}
        kind, fields = next((kinds[key] for key in kinds if key in vector[name]), ("N", FIELDS))
        told.append(" ".join([kind, name, *words(vector[name], fields)]))
    for step in vector["steps"]:
        told += [f"R {draw}" for draw in step["random"]]
        given = MICROCERT.get(step["do"], arguments(step)) if "chip" in vector["a"] else arguments(step)
        told.append(" ".join(["C", step["node"], str(step["now"]), step["do"], *words(step, given)]))
        said.append(" ".join([step["do"], *values(step["returns"])]))
        said += map(output, step["outputs"])
        wake = step.get("wake")
        said.append(f"wake {'-' if wake is None else wake}")
    return told, said


def text(name):
    return (name or "").encode().hex() or "-"


def ticket_lines(vectors):
    """What to tell the player of tickets.json, and what it should say."""
    told, said = [], []

    def tell(agent, line, answer):
        about = vectors["agents"][agent]
        told.append(f"A {text(about['name'])} {about['algorithm']} {about['secret']} {about['public']}")
        told.append(line)
        said.extend(["", answer])

    for t in vectors["tickets"]:
        times = f"{t['issued_at']} {t['not_before'] or 0} {t['expires']}"
        tell(t["agent"], f"I {text(t['device'])} {t['group']} {t['key']} {t['serial']} {times} {text(t['scope'])}",
             f"ticket {t['bytes']} {t['reference']}")
    for each in vectors["lists"]:
        serials = ",".join(map(str, each["serials"])) or "-"
        tell(each["agent"], f"L {each['number']} {each['issued_at']} {serials}", f"list {each['bytes']}")
    for each in vectors["refused"]:
        tell(each["agent"], f"V {each['kind']} {each['bytes'] or '-'}", f"verify -{-each['code']}")
    for each in vectors["messages"]:
        if each["kind"] == "request":
            tell(0, f"Q {text(each['device'])} {each['group']} {each['key']} {each['lifetime']} {text(each['scope'])}",
                 f"request {each['bytes']}")
    wallet = vectors["wallet"]
    tell(wallet["agent"], f"W {text(wallet['device'])} {wallet['device_secret']}", "")
    for step in wallet["steps"]:
        told.append(f"S {step['wall'] or 0} {step['do']} {step['bytes'] or '-'}")
        returned = step["returns"]
        values = [returned["blob"], returned["version"]] if step["do"] == "store" else [int(returned)]
        serials = [*step["tickets"], 0, 0][:2]
        values += [step["floor"], step["list_number"], *serials, step["shown"] or 0, int(step["needs_store"])]
        said.append(" ".join(map(str, [step["do"], *values, step["acknowledgement"] or "-"])))
    return told, said


def renewal_lines(vector):
    """What to tell the player of renewal.json, and what it should say."""
    about, desk = vector["agent"], vector["operator"]
    told = [f"A {text(about['name'])} {about['algorithm']} {about['secret']} {about['public']}", f"G {vector['device_secret']}",
            f"H {desk['capacity']} {desk['lead']} {desk['retry']}"]
    said = ["", "", ""]
    for step in vector["ticket_agent"]:
        name, returned = step["do"], step.get("returns")
        words = {"issue": "{now} {request}", "revoke": "{now} {list}", "restore": "{floor}"}.get(name, "")
        told.append(f"Y {name} " + words.format(**step, list=",".join(map(str, step.get("serials", []))) or "-"))
        if name == "restore":
            returned = text(returned)
        said.append(" ".join(map(str, [name, *(returned.values() if isinstance(returned, dict) else [returned or ""])])).strip())
    for step in desk["steps"]:
        name, returned = step["do"], step["returns"]
        given = [text(step["device"])] if "device" in step else []
        told.append(" ".join(["Z", name, *given, *(str(step[key]) for key in ("ticket", "now", "message") if key in step)]))
        values = [] if name == "forget" else [text(returned) if name == "ask" else int(returned)]
        devices = [(text(d["device"]), d["expires"], d["asked_at"] or 0, d["waiting"] or "-") for d in step["devices"]]
        said.append(" ".join(map(str, [name, *values, step["wake_at"] or 0, *(value for device in devices for value in device)])))
    return told, said


def credential_lines(vectors, without):
    """What to tell the player of credentials.json, and what it should say; nothing of the suites that are left out."""
    told, said = [], []

    def tell(operator, draws, line, answer):
        about = vectors["operators"][operator]
        if about["suite"] in without:
            return
        told.append(f"O {text(about['name'])} {about['suite']} {about['x']} {about['key']} {about['lists_key']}")
        told.extend([*(f"R {draw}" for draw in draws), line])
        said.extend(["", answer])

    for c in vectors["credentials"]:
        terms = f"{text(c['device'])} {c['serial']} {c['issued_at']} {c['life']}"
        taken = f"{c['credential']} {c['reference']} {c['key']}"
        if c["split"]:
            draws = c["device_draws"] + c["operator_draws"]
            tell(c["operator"], draws, f"B {terms}", f"split {c['request']} {c['answer']} {taken}")
        else:
            tell(c["operator"], c["operator_draws"], f"P {terms}", f"printed {c['x']} {taken}")
    for c in vectors["refused"]:
        line = f"F {text(c['device'])} {c['k1']} {c['wall']} {c['bytes']}"
        tell(c["operator"], [], line, f"refused -{-c['code']}")
    return told, said


def holder_lines(vectors, without):
    """The same of messages 5 to 7, and of devices that get their next credential by them."""
    told, said = [], []
    for m in vectors["messages"]:
        told.append(f"X {m['kind']} {m['object'] or '-'}")
        said.append(f"{m['kind']} {m['bytes']}")
    keys = {(c["operator"], c["credential"]): c["key"] for c in vectors["credentials"]}
    for holder in vectors["holders"]:
        about = vectors["operators"][holder["operator"]]
        if about["suite"] in without:
            continue
        told.append(f"O {text(about['name'])} {about['suite']} {about['x']} {about['key']} {about['lists_key']}")
        told.append(f"U {text(holder['device'])} {holder['device_secret']} {holder['lead']}")
        said += ["", ""]
        for step in holder["steps"]:
            told += [f"R {draw}" for draw in step.get("random", [])]
            told.append(f"E {step['wall'] or 0} {step['do']} {step.get('bytes', step.get('counter', '-'))}")
            returned = step["returns"]
            if isinstance(returned, dict):
                credential = returned.get("credential")
                values = ["next", credential, keys[holder["operator"], credential]] if credential else returned.values()
            elif returned is None:
                values = []
            else:
                values = [returned if isinstance(returned, str) else 0 if returned is True else returned]
            state = [step[name] or 0 for name in ("floor", "list_number", "serial", "due_at")]
            state += [int(step[name]) for name in ("is_asking", "needs_store")]
            state += [step[name] or "-" for name in ("request", "acknowledgement")]
            said.append(" ".join(map(str, [step["do"], *values, *state])))
    return told, said


def script(path, without=()):
    """The lines for this file, and what they are answered with; of credentials, without those of some suites."""
    with open(path, encoding="utf-8") as file:
        vector = json.load(file)
    if "operators" in vector:
        both = credential_lines(vector, without), holder_lines(vector, without)
        return [line for told, _ in both for line in told], [line for _, said in both for line in said]
    if "ticket_agent" in vector:
        return renewal_lines(vector)
    return ticket_lines(vector) if "agents" in vector else lines(vector)


def answers(line):
    """Whether the player says something to this line."""
    return line[0] not in "NTKJMR"


def play(player, path):
    told, said = script(path)
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
