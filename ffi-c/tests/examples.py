#!/usr/bin/env python3
"""examples.py HEADER: the examples in its comments, each as a function, for a compiler."""

import re
import sys


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        text = file.read()
    head = "\n".join(re.findall(r"^ \*     (.*)$", text[: text.index("*/")], re.M))
    blocks = re.findall(r"^// Example:\n//\n((?://     .*\n)+)", text, re.M)
    examples = [head, *("\n".join(line[7:] for line in block.splitlines()) for block in blocks)]
    print('#include "examples.h"\n')
    for number, example in enumerate(examples):
        print(f"void example_{number}(void);\nvoid example_{number}(void) {{\n{example}\n}}\n")
    if len(blocks) < 17 or "iotkm_history_open" not in head:
        sys.exit(f"{len(blocks)} examples in {sys.argv[1]}")


if __name__ == "__main__":
    main()
