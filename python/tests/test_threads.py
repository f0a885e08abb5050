"""Threads: the interpreter lock is let go while the core works, one association serves one thread at a time."""

import sys
import threading
import time

import pytest

import iotkm
from iotkm import History, Peer, Platform, Triple, sim

KEY = bytes(32)


def history(platform: Platform) -> History:
    triple = Triple(KEY, KEY, KEY)
    return History(platform, Peer.provisioned(slot=1, own_id=b"a", id=b"b", triple=triple))


def test_others_run_while_the_core_works() -> None:
    """The interpreter never takes its lock away here: another thread counts only if calls let it go."""
    counted = 0
    stop = False

    def count() -> None:
        nonlocal counted
        while not stop:
            counted += 1
            time.sleep(0)

    before = sys.getswitchinterval()
    thread = threading.Thread(target=count)
    try:
        sys.setswitchinterval(1_000)
        thread.start()
        seen = counted
        for _ in range(10_000):
            history(Platform(KEY)).connect(b"x")
            if counted > seen + 2:
                break
        assert counted > seen + 2
    finally:
        stop = True
        sys.setswitchinterval(before)
        thread.join()


def test_a_call_that_waits_for_another_holds_nobody_up() -> None:
    inside, go_on = threading.Event(), threading.Event()

    def slow(n: int) -> bytes:
        inside.set()
        assert go_on.wait(20)
        return bytes(n)

    association = history(Platform(KEY, rng=slow))
    first = threading.Thread(target=association.connect, args=(b"x",))
    first.start()
    assert inside.wait(20)
    results: list[bool] = []
    second = threading.Thread(target=lambda: results.append(association.is_established))
    second.start()
    time.sleep(0.05)
    assert not results, "one thread at a time"
    go_on.set()
    first.join(20)
    second.join(20)
    assert results == [False]


def test_a_callback_that_calls_back_is_told() -> None:
    errors: list[BaseException] = []

    def nosy(n: int) -> bytes:
        for call in (association.poll, lambda: association.is_established, lambda: repr(association)):
            with pytest.raises(iotkm.BusyError) as caught:
                call()
            errors.append(caught.value)
        return bytes(n)

    association = history(Platform(KEY, rng=nosy))
    association.connect(b"x")
    assert len(errors) >= 3 and all(isinstance(error, RuntimeError) for error in errors)


def test_many_threads_on_one_association() -> None:
    net = sim.history_pair()
    net.a.connect(net.b.address)
    net.drive(until=lambda: net.a.is_established and net.b.is_established)
    sent: list[bytes] = []

    def work() -> None:
        for _ in range(200):
            sent.append(net.a.history.send(b"x").data)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(set(sent)) == 800, "no record twice"
    taken = [net.b.history.handle_input(net.a.address, data) for data in sorted(sent)]
    assert sum(message is not None for message in taken) > 100
