"""The commands of docs/centre.md, as they stand there."""

import json
import os
import re
import shlex
from contextlib import ExitStack
from pathlib import Path

import pytest
from helpers import free_port
from test_cli import iotkm, running

pytest.importorskip("argon2")
pytest.importorskip("prometheus_client")
pytest.importorskip("cryptography.hazmat.primitives.hpke")

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "centre.md"


def test_the_guide(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "\n".join(re.findall(r"```sh\n(.*?)```", GUIDE.read_text(), re.S))
    lines = [line for line in text.splitlines() if line.startswith(("iotkm ", "rm "))]
    assert len(lines) >= 19
    monkeypatch.chdir(tmp_path)
    Path("word").write_text("correct horse\n")
    Path("ids").write_text("lamp-1\nlamp-2\n")
    ports = {"0.0.0.0:5683": f"127.0.0.1:{free_port()}", "127.0.0.1:9183": f"127.0.0.1:{free_port()}"}
    ports["127.0.0.1:5683"] = ports["0.0.0.0:5683"]
    ports["/another/disk"] = str(tmp_path / "disk")
    digest = ""
    with ExitStack() as serving:
        for line in lines:
            words = [ports.get(word, word).replace("DIGEST", digest) for word in shlex.split(line)]
            if words[0] == "rm":
                for file in Path().glob(f"{words[1]}*"):
                    os.unlink(file)
            elif words[-1] == "&":
                serving.enter_context(running(*words[1:-1]))
            elif "--repair" in words:
                serving.close()  # it says: stop serve
                iotkm(*words[1:])
            elif "export" in words:
                digest = json.loads(iotkm(*words[1:], "--json"))["digest"]
            else:
                iotkm(*words[1:])
    assert json.loads(iotkm("centre", "status", "city", "lamp-7", "--json", "--passphrase-file", "word"))["standing"] == "revoked"
