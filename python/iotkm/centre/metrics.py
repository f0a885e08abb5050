"""What a server of an authentication centre does, for Prometheus. Needs ``iotkm[metrics]``.

    registry = CollectorRegistry()
    registry.register(CentreCollector(server, store, backups))
    start_http_server(9183, registry=registry)
"""

import time
from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from iotkm._errors import IotkmError
from iotkm._outputs import CentreEvent
from iotkm.centre._backup import Backups
from iotkm.centre._server import Server
from iotkm.centre._sqlite import SqliteSeedStore

_EVENTS = [event.value for event in CentreEvent]


class CentreCollector(Collector):
    """The figures of one server, its key database and its back-ups, asked for when they are wanted. Nothing in them names a
    device or is secret."""

    def __init__(self, server: Server, store: SqliteSeedStore, backups: Backups) -> None:
        self._server, self._store, self._backups = server, store, backups

    def describe(self) -> Iterator[Metric]:
        """Names alone: nothing is asked for yet."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """The figures now."""
        counts, server = self._server.counts, self._server
        for name, help, value in (
            ("datagrams", "Datagrams received and taken in", counts.datagrams),
            ("datagrams_lost", "Datagrams for which there was no room", server.lost),
            ("replies", "Datagrams sent", counts.replies),
            ("batches", "Commits, each for the datagrams that came together", counts.batches),
            ("batch_datagrams", "Datagrams that were answered in them", counts.asked),
            ("batch_seconds", "Seconds that they took", counts.seconds),
            ("messages", "Messages received in sessions", counts.messages),
            ("troubles", "Failures of key database, keystore or randomness: nothing was answered", counts.troubles),
        ):
            yield CounterMetricFamily(f"iotkm_centre_{name}", help, value=value)
        events = CounterMetricFamily("iotkm_centre_events", "What happened to devices", labels=["event"])
        for name in _EVENTS:
            events.add_metric([name], counts.events[name])
        yield events
        drops = GaugeMetricFamily("iotkm_centre_drops", "Datagrams dropped; 65535 is that many or more", labels=["reason"])
        for reason, value in server.centre.drops.items():
            drops.add_metric([reason], value)
        yield drops
        newest = next(iter(self._backups.snapshots()), None)
        gauges = [
            ("sessions", "Sessions held", len(server.sessions)),
            ("database_version", "Commits that the key database has had", self._store.head.version),
            ("database_failing", "1: the key database could not be written when it was tried last", self._store.trouble is not None),
            ("backup_pending", "Rows whose last change is not in the back-up yet", self._backups.pending),
            ("backup_failing", "1: the back-up could not be written when it was tried last", self._backups.trouble is not None),
            ("snapshot_age_seconds", "Age of the newest snapshot", time.time() - newest.stat().st_mtime if newest else None),
        ]
        try:
            gauges.append(("devices", "Rows of the key database", self._store.count()))
        except IotkmError:
            pass  # it is told as trouble
        for name, help, gauge in gauges:
            if gauge is not None:
                yield GaugeMetricFamily(f"iotkm_centre_{name}", help, value=gauge)
