"""The board support by itself: datagrams, stored state over resets and power cuts, randomness, stack."""

import os
import random
import tempfile
import time
import unittest

from qemu import END, ESC, Board, slip_encode

IMAGE = os.path.join(os.environ["M4_IMAGES"], "echo.elf")


class Radio(unittest.TestCase):
    def setUp(self):
        self.board = self.enterContext(Board(IMAGE))
        self.board.expect("boot")

    def echo(self, datagram):
        self.board.send(datagram)
        self.assertEqual(self.board.receive(), datagram)

    def test_every_byte_and_length(self):
        self.echo(bytes(range(256)))
        self.echo(bytes([END, ESC] * 300))
        for length in (1, 2, 127, 640, 1279, 1280):
            self.echo(os.urandom(length))

    def test_a_burst_while_the_device_is_busy_waits_for_it(self):
        self.board.type("sleep 200")
        burst = [os.urandom(300) for _ in range(50)]
        for datagram in burst:
            self.board.send(datagram)
        self.assertEqual([self.board.receive() for _ in burst], burst)

    def test_garbage_is_dropped_and_the_next_datagram_gets_through(self):
        for garbage in (b"no end" * 300, slip_encode(os.urandom(1281)), bytes([END, ESC, 1, END]), bytes([END, 7, ESC, END]),
                        bytes([END] * 20)):
            self.board.send_raw(garbage + bytes([END]))
            self.echo(b"after it")

    def test_reset_between_datagrams(self):
        self.echo(b"before")
        self.board.reset()
        self.board.expect("boot")
        self.echo(b"after")


class Stored(unittest.TestCase):
    def setUp(self):
        folder = self.enterContext(tempfile.TemporaryDirectory())
        self.board = self.enterContext(Board(IMAGE, flash=os.path.join(folder, "flash.bin")))

    def test_outlives_reset_and_power_cut(self):
        self.assertEqual(self.board.expect("boot"), "1")
        self.board.reset()
        self.assertEqual(self.board.expect("boot"), "2")
        self.board.type("reset")
        self.assertEqual(self.board.expect("boot"), "3")
        self.board.power_cut()
        self.assertEqual(self.board.expect("boot"), "4")

    def test_empty_and_erased(self):
        self.assertEqual(self.board.ask("load", "loaded"), "nothing")
        self.board.ask("store 7", "stored")
        self.assertEqual(self.board.ask("load", "loaded"), "7")
        self.board.ask("erase", "erased")
        self.assertEqual(self.board.ask("load", "loaded"), "nothing")

    def cut_everywhere(self, command, answer, before, after):
        """Lets the power fail at every word that `command` changes, from whatever the last cut left behind."""
        for word in self.words():
            self.board.ask(f"store {before}", "stored")
            self.board.type(f"cut {word}")
            self.board.type(command)
            self.board.type("cut 0")
            self.board.type("load")
            line = self.board.expect_any(("boot", answer))
            if line.startswith(answer):
                self.assertEqual(self.board.expect("loaded"), after)
                return word
            self.assertIn(self.board.ask("load", "loaded"), (before, after), f"cut at word {word}")
        self.fail(f"{command} never came to its end")

    @staticmethod
    def words():
        """A sector is erased in 1024 words: some of those, and every one of what follows."""
        yield from (1, 2, 3, 4, 5, 6, 7, 8, 9, 512, 1023)
        yield from range(1024, 1100)
        yield from (1500, 2047)
        yield from range(2048, 2100)

    def test_a_cut_at_any_word_leaves_the_old_value_or_the_new(self):
        self.assertGreater(self.cut_everywhere("store 22", "stored", "11", "22"), 1024)

    def test_a_cut_while_erasing_leaves_the_value_or_nothing(self):
        self.board.ask("store 33", "stored")  # an older value, which must not come back
        self.assertGreater(self.cut_everywhere("erase", "erased", "44", "nothing"), 2048)

    def test_a_damaged_copy_gives_way_to_the_one_before(self):
        self.board.ask("store 1", "stored")
        self.board.ask("store 2", "stored")
        self.board.kill()
        with open(self.board.flash, "r+b") as flash:
            content = flash.read(65536)
            flash.seek(content.index(bytes([2] * 7)))
            flash.write(b"\x03")
        self.board.start()
        self.assertEqual(self.board.ask("load", "loaded"), "1")


class Randomness(unittest.TestCase):
    def test_is_what_the_host_feeds(self):
        for _ in range(2):
            with Board(IMAGE, entropy=random.Random(5).randbytes) as board:
                self.assertEqual(board.ask("random 40", "random"), random.Random(5).randbytes(40).hex())

    def test_a_mute_source_is_an_error(self):
        with Board(IMAGE, entropy=None) as board:
            self.assertEqual(board.ask("random 4", "random"), "failed")


class Machine(unittest.TestCase):
    def setUp(self):
        self.board = self.enterContext(Board(IMAGE))
        self.board.expect("boot")

    def test_milliseconds(self):
        start, first = time.monotonic(), int(self.board.ask("time", "time"))
        time.sleep(0.5)
        passed, taken = int(self.board.ask("time", "time")) - first, (time.monotonic() - start) * 1000
        self.assertGreaterEqual(passed, 498)
        self.assertLessEqual(passed, taken + 1)

    def test_stack_report_shows_the_deepest_call(self):
        self.board.ask("time", "time")
        shallow = self.board.result("stack.used")
        self.board.ask("deep 10", "deep")
        deep = self.board.result("stack.used", above=shallow)
        self.assertGreater(deep, shallow + 10 * 256)
        self.assertLess(deep, self.board.result("stack.size"))

    def test_exit_code(self):
        self.board.type("exit 42")
        self.assertEqual(self.board.wait(), 42)

    def test_a_fault_ends_the_run(self):
        self.board.type("crash")
        self.assertEqual(self.board.wait(), 255)
        self.assertEqual(self.board.results()["fault.exception"], 3)

    def test_a_stack_overflow_ends_the_run_before_it_eats_data(self):
        self.board.type("deep 1000")
        self.assertNotEqual(self.board.wait(), 0)
