"""The authentication centre of the microcert scheme, and what it keeps: its keys, and the rows of its devices. Needs
``iotkm[ca]``. `AuthCenter` does the work.

>>> import tempfile, pathlib
>>> from iotkm.authority import Cost
>>> with tempfile.TemporaryDirectory() as name:
...     folder = pathlib.Path(name)
...     keys = FileKeyStore.create(folder / "keys", b"correct horse", cost=Cost(1, 64, 1))
...     backups = Backups(folder / "backups", keys)
...     with SqliteSeedStore.create(folder / "centre.db", keys, backups=backups) as store:
...         store.commit([Change(b"lamp-7", 0, seed=b"its sealed seed", state=b"its counter")])
...         store.get([b"lamp-7"])
...     audit(folder / "centre.db", keys, backups).clean
...     backups.close()
[1]
[Row(id=b'lamp-7', version=1, seed=b'its sealed seed', state=b'its counter')]
True
"""

from iotkm._iotkm import Accepted, Served
from iotkm._outputs import CentreEvent, DeviceInfo, Handled, Signed
from iotkm.centre._backup import Backups, Finding, Report, audit, restore
from iotkm.centre._batch import Batch
from iotkm.centre._center import AuthCenter
from iotkm.centre._control import Control, Desk, OpenDesk, RemoteDesk
from iotkm.centre._keystore import Anchor, FileKeyStore, KeyStore
from iotkm.centre._server import Server
from iotkm.centre._sqlite import SqliteSeedStore
from iotkm.centre._store import (
    BackupFailedError,
    Change,
    RolledBackError,
    Row,
    SeedStore,
    StoreFailedError,
    TamperedError,
)

__all__ = [
    "Accepted",
    "Anchor",
    "AuthCenter",
    "BackupFailedError",
    "Backups",
    "Batch",
    "CentreEvent",
    "Change",
    "Control",
    "Desk",
    "DeviceInfo",
    "FileKeyStore",
    "Finding",
    "Handled",
    "KeyStore",
    "OpenDesk",
    "RemoteDesk",
    "Report",
    "RolledBackError",
    "Row",
    "SeedStore",
    "Served",
    "Server",
    "Signed",
    "SqliteSeedStore",
    "StoreFailedError",
    "TamperedError",
    "audit",
    "restore",
]
