"""The command ``iotkm``: pair devices, talk between them, look at state and datagrams, simulate. Needs ``iotkm[cli]``."""

from iotkm.cli._app import app

__all__ = ["app"]
