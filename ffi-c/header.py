#!/usr/bin/env python3
"""header.py <CBINDGEN'S: headings and examples (ffi-c/examples) before the groups of functions, and where each other function is
shown: in a program that the tests compile. A function that is shown nowhere is an error."""

import re
import sys
from pathlib import Path

HERE = Path(__file__).parent
PROGRAMS = [
    *(HERE.parent / "examples" / "c" / f"{name}.c" for name in ("one", "tickets", "operator", "epochs", "device", "hub", "meter")),
    *sorted((HERE.parent / "examples" / "firmware" / "cortex-m").glob("*.c")),
]
# What a group's first item starts with, its heading, its example.
GROUPS = [
    ("#define IOTKM_STORE_EMPTY", "sizes, numbers and their names", None),
    ("typedef struct iotkm_cpace", "types", None),
    ("extern const iotkm_suite iotkm_suite_0;", "algorithms: what is not named is not linked", None),
    ("const char *iotkm_strerror", "errors", None),
    ("size_t iotkm_association_size", "the verbs, on associations of any scheme", "verbs"),
    ("size_t iotkm_history_peer_size", "history: peers", "history_peers"),
    ("int iotkm_history_pairing_open", "history: first contact", "history_pairing"),
    ("int iotkm_history_open(", "history: associations", "history"),
    ("int iotkm_hub_open", "hubs: many associations on one socket", "hub"),
    ("int iotkm_hedge_init", "randomness from a source that may be weak", "hedge"),
    ("int iotkm_static_key_generate", "static keys in memory", "static_keys"),
    ("int iotkm_remembered_init", "static keys: what they share with known peers", "remembered"),
    ("int iotkm_signing_public_key", "tickets: agents", None),
    ("int iotkm_revocation_list_verify", "tickets: revocation lists", "revocation"),
    ("int iotkm_ticket_verify", "tickets", "tickets"),
    ("int iotkm_wallet_init", "tickets: a device", "wallet"),
    ("int iotkm_ticket_message_read", "tickets: what agent, operator and device say to each other", "ticket_messages"),
    ("int iotkm_ticket_agent_init(", "tickets: a ticket agent", "ticket_agent"),
    ("int iotkm_operator_init(", "tickets: an operator", "operator"),
    ("size_t iotkm_interactive_peer_size", "interactive: peers", "interactive_peers"),
    ("int iotkm_interactive_open(", "interactive: associations", "interactive"),
    ("int iotkm_holder_init(", "credentials: a device", "holder"),
    ("int iotkm_credential_read(", "credentials: asked for, issued", "credentials"),
    ("int iotkm_holder_due_at(", "credentials: a device's next one, over an association", "renewal"),
    ("size_t iotkm_noninteractive_peer_size", "noninteractive: peers", "noninteractive_peers"),
    ("int iotkm_noninteractive_open(", "noninteractive: associations", "noninteractive"),
    ("size_t iotkm_chip_size", "microcert: chips", "chip"),
    ("int iotkm_microcert_open(", "microcert: associations with the centre", "microcert"),
    ("int iotkm_centre_open(", "microcert: a centre", "centre"),
    ("int iotkm_served_open(", "microcert: a centre's sessions", "served"),
]


def calls(text):
    return set(re.findall(r"\biotkm_\w+", text))


def main():
    text = sys.stdin.read()
    examples = {name: (HERE / "examples" / f"{name}.c").read_text() for _, _, name in GROUPS if name}
    head = "\n".join(re.findall(r"^ \*     (.*)$", text[: text.index("*/")], re.M))
    in_header = calls(head).union(*map(calls, examples.values()))
    programs = [(path.relative_to(HERE.parent).as_posix(), calls(path.read_text())) for path in PROGRAMS]
    waiting, comment, nowhere = list(GROUPS), [], []
    for line in text.splitlines():
        if line.startswith("// ") or line == "//":
            comment.append(line)
            continue
        for group in [each for each in waiting if line.startswith(each[0])]:
            waiting.remove(group)
            print(f"// ---- {group[1]} ----\n")
            if group[2]:
                print("// Example:\n//")
                print("\n".join(f"//     {each}" for each in examples[group[2]].splitlines()) + "\n")
        function = re.match(r"[a-z][\w *]*\b(iotkm_\w+)\(", line)
        if function and function[1] not in in_header:
            where = next((path for path, names in programs if function[1] in names), None)
            comment.append(f"// Shown in {where}.")
            nowhere += [function[1]] if where is None else []
        if comment:
            print("\n".join(comment))
        comment = []
        print(line)
    if waiting or nowhere:
        sys.exit(f"no item starts with {[each[0] for each in waiting]}; shown nowhere: {nowhere}")


if __name__ == "__main__":
    main()
