"""What an authentication centre of the microcert scheme keeps: its keys, and the rows of its devices. Needs ``iotkm[ca]``."""

from iotkm.centre._keystore import Anchor, FileKeyStore, KeyStore

__all__ = ["Anchor", "FileKeyStore", "KeyStore"]
