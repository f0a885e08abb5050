"""``python -m iotkm``, and the command ``iotkm``."""

import sys


def main() -> None:
    """Runs the command; says what to install where its libraries are missing."""
    try:
        from iotkm.cli import app
    except ModuleNotFoundError as error:
        if error.name not in ("typer", "rich"):
            raise
        sys.exit(f"iotkm: the command needs {error.name}, which is not installed: pip install 'iotkm[cli]'")
    app(prog_name="iotkm")


if __name__ == "__main__":
    main()
