"""Tokens in software: SoftHSM2, in a folder of the test run's own."""

import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from iotkm.pkcs11 import Token

MODULES = ["/usr/lib/softhsm/libsofthsm2.so", "/usr/lib64/pkcs11/libsofthsm2.so", "/usr/local/lib/softhsm/libsofthsm2.so"]
LABELS = ["acme", "main", "second", "third"]
PIN, SO_PIN = "123456", "12345678"


class SoftHsm:
    """The library reads its configuration, and which tokens there are, once in a process."""

    def __init__(self, folder: Path) -> None:
        module = next((module for module in MODULES if Path(module).exists()), None)
        if module is None:
            pytest.skip("SoftHSM2 is not installed: apt install softhsm2")
        pytest.importorskip("pkcs11")
        self.module = module
        (folder / "tokens").mkdir()
        (folder / "conf").write_text(f"directories.tokendir = {folder / 'tokens'}\nlog.level = ERROR\n")
        os.environ["SOFTHSM2_CONF"] = str(folder / "conf")
        for label in LABELS:
            command = ["softhsm2-util", "--init-token", "--free", "--label", label, "--pin", PIN, "--so-pin", SO_PIN]
            subprocess.run(command, check=True, capture_output=True)

    def token(self, label: str) -> "Token":
        """A session of one of the tokens."""
        from iotkm.pkcs11 import Token

        return Token(self.module, label, PIN)


@pytest.fixture(scope="session")
def softhsm(tmp_path_factory: pytest.TempPathFactory) -> SoftHsm:
    return SoftHsm(tmp_path_factory.mktemp("softhsm"))
