"""What may be linked, and whether the measuring harness counts right."""

import os
import re
import subprocess
import tempfile
import unittest

RUST_WITH_A_HEAP = """
#![no_std]
extern crate alloc;
use core::alloc::{GlobalAlloc, Layout};
struct Null;
unsafe impl GlobalAlloc for Null {
    unsafe fn alloc(&self, _: Layout) -> *mut u8 { core::ptr::null_mut() }
    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
}
#[global_allocator]
static NULL: Null = Null;
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! { loop {} }
#[unsafe(no_mangle)]
pub extern "C" fn sum(n: u32) -> u32 { (0..n).collect::<alloc::vec::Vec<_>>().iter().sum() }
"""
ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
MAIN = "int main(void) {{ {} }}\n"


def m4(command):
    """Runs a line of bash with the functions of tests/lib/baremetal.sh."""
    return subprocess.run(["bash", "-c", f". {ROOT}/tests/lib/baremetal.sh; {command}"], capture_output=True, text=True)


class NoHeap(unittest.TestCase):
    def link(self, source):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "main.c")
            with open(path, "w") as file:
                file.write(source)
            return m4(f"m4_link {folder}/image.elf {path}")

    def refused(self, source):
        done = self.link(source)
        self.assertNotEqual(done.returncode, 0, "it linked")
        self.assertRegex(done.stderr, "no heap on this device: something references")

    def test_an_image_without_heap_links(self):
        done = self.link("#include <string.h>\n" + MAIN.format("char a[40]; memset(a, 1, sizeof a); return a[3];"))
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_each_allocator_call_is_refused(self):
        for call in ("return malloc(4) != 0;", "return calloc(4, 4) != 0;", "return realloc(0, 4) != 0;", "free(0); return 0;",
                     "return aligned_alloc(8, 8) != 0;"):
            self.refused("#include <stdlib.h>\n" + MAIN.format(call))

    def test_an_allocator_behind_a_library_function_is_refused(self):
        self.refused("#include <stdio.h>\n" + MAIN.format('printf("%d", 4); return 0;'))
        self.refused("char *strdup(const char *);\n" + MAIN.format('return strdup("text") != 0;'))

    def test_a_reference_from_dead_code_is_refused(self):
        self.refused("#include <stdlib.h>\nvoid *never(void) { return malloc(4); }\n" + MAIN.format("return 0;"))

    def test_an_allocator_of_ones_own_is_refused(self):
        self.refused("#include <stddef.h>\nstatic char heap[64];\nvoid *malloc(size_t n);\n"
                     "void *malloc(size_t n) { return heap + n; }\n" + MAIN.format("return malloc(4) != 0;"))
        self.refused("void *_sbrk(int);\nvoid *_sbrk(int n) { return (void *)n; }\n" + MAIN.format("return _sbrk(4) != 0;"))

    def test_a_rust_archive_with_a_heap_is_refused(self):
        """Where `core` is built from source there is no `alloc` to compile with; elsewhere linking refuses it."""
        package = '[package]\nname = "heap"\nversion = "0.0.0"\nedition = "2024"\n'
        files = {
            "Cargo.toml": package + '[workspace]\n[profile.firmware]\ninherits = "release"\npanic = "abort"\nlto = "fat"\n',
            "Cargo.lock": 'version = 4\n[[package]]\nname = "heap"\nversion = "0.0.0"\n',
            "src/lib.rs": RUST_WITH_A_HEAP,
            "main.c": "unsigned sum(unsigned);\n" + MAIN.format("return (int)sum(4);"),
        }
        with tempfile.TemporaryDirectory() as folder:
            os.mkdir(f"{folder}/src")
            for name, text in files.items():
                with open(f"{folder}/{name}", "w") as file:
                    file.write(text)
            done = m4(f"m4_build {folder}/heap.a {folder}/Cargo.toml firmware"
                      f" && m4_link {folder}/image.elf {folder}/main.c {folder}/heap.a")
        self.assertNotEqual(done.returncode, 0, "it linked")
        self.assertRegex(done.stderr, "no heap on this device|can't find crate for `alloc`")


class Harness(unittest.TestCase):
    def measure(self, flags="", shift=0):
        with tempfile.TemporaryDirectory() as folder:
            harness = f"{ROOT}/tests/bench/m4"
            done = m4(f"m4_link {folder}/s.elf {flags} -I{harness} {harness}/main.c {harness}/selftest.c"
                      f" && M4_SHIFT={shift} m4_run {folder}/s.elf")
        return done.returncode, dict(re.findall(r"^(\S+) (\d+) \S+$", done.stdout, re.M)), done.stdout + done.stderr

    def test_counts_known_instructions_and_stack(self):
        for shift, resolution in ((0, 40), (6, 1)):
            code, figures, output = self.measure(shift=shift)
            self.assertEqual(code, 0, output)
            self.assertAlmostEqual(int(figures["calibration.counted"]), 1_000_000, delta=resolution)
            # the loop, and moving its counter into place
            self.assertAlmostEqual(int(figures["instructions_2000.instructions"]), 2001, delta=resolution + 1)
            self.assertAlmostEqual(int(figures["stack_512.stack"]), 512, delta=16)

    def test_repeats_to_the_instruction(self):
        first = self.measure()
        self.assertEqual(first[0], 0)
        self.assertEqual(self.measure(), first)

    def test_a_wrong_result_fails_the_run(self):
        code, _, output = self.measure("-DWRONG")
        self.assertEqual(code, 1)
        self.assertIn("error: wrong result in wrong\n", output)
