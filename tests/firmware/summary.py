"""Runs the tests of this folder (those whose name has one of the given words in it) and ends in the one line that tests/run
counts; unittest's own summary would be counted as well."""

import os
import sys
import unittest


class Progress(unittest.TestResult):
    def startTest(self, test):
        super().startTest(test)
        print(test.id(), flush=True)


loader, result = unittest.TestLoader(), Progress()
loader.testNamePatterns = [f"*{word}*" for word in sys.argv[1:]] or None
loader.discover(os.path.dirname(os.path.abspath(__file__))).run(result)
for test, trace in result.failures + result.errors:
    print(f"\nFAILED: {test.id()}\n{trace}")
failed, skipped = len(result.failures) + len(result.errors), len(result.skipped)
print(f"{result.testsRun - failed - skipped} passed, {failed} failed, {skipped} skipped")
sys.exit(failed > 0 or result.testsRun == 0)
