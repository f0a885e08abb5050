"""Second implementations of the schemes history, interactive and noninteractive, each written from its page alone.

It is there to show that the page is enough, and to be read beside it: one module a section, plain Python, nothing clever,
nothing constant-time. `node.py` puts the parts together. Use it for tests and never for secrets.
"""
