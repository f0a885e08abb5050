# Reads a suite's log, prints "PASSED FAILED SKIPPED". It knows the summaries of cargo test, pytest, unittest, Maven surefire,
# XCTest and ctest, and our own line for everything else: "[name: ]N passed, N failed[, N skipped]".

function number(pattern) { return match($0, pattern) ? substr($0, RSTART, RLENGTH) + 0 : 0 }
function after(word) { return match($0, word " *[0-9]+") ? substr($0, RSTART + length(word), RLENGTH - length(word)) + 0 : 0 }
function add(p, f, s) { passed += p; failed += f; skipped += s }

{ gsub(/\033\[[0-9;]*[A-Za-z]/, ""); sub(/\r$/, "") }

/^test result: / { add(number("[0-9]+ passed"), number("[0-9]+ failed"), number("[0-9]+ ignored")); next }

/^([A-Za-z0-9_.:\/ -]+: )?[0-9]+ passed, [0-9]+ failed(, [0-9]+ skipped)?$/ {
  add(number("[0-9]+ passed"), number("[0-9]+ failed"), number("[0-9]+ skipped")); next
}

# pytest: "= 1 failed, 5 passed, 2 skipped in 0.12s =", bare with -q
/^(=+ )?[0-9]+ (passed|failed|skipped|errors?|xfailed|xpassed|deselected|warnings?)(, | in ).*[0-9]s( \([0-9:]+\))?( =+)?$/ {
  add(number("[0-9]+ passed") + number("[0-9]+ xfailed") + number("[0-9]+ xpassed"),
      number("[0-9]+ failed") + number("[0-9]+ error"), number("[0-9]+ skipped")); next
}

/^Ran [0-9]+ tests? in / { ran = number("[0-9]+ test"); sub(/^Ran /, ""); ran = $0 + 0; next }
ran != "" && /^(OK|FAILED)( \(.*\))?$/ {
  sub(/expected failures=[0-9]+/, "")
  bad = after("failures=") + after("errors=") + after("unexpected successes="); left = after("skipped=")
  add(ran - bad - left, bad, left); ran = ""; next
}

# Maven repeats every class's line (with "Time elapsed") in a total
/Tests run: *[0-9]+, Failures: *[0-9]+, Errors: *[0-9]+, Skipped: *[0-9]+ *$/ {
  bad = after("Failures:") + after("Errors:"); left = after("Skipped:")
  add(after("Tests run:") - bad - left, bad, left); next
}

# XCTest repeats every level; the outermost one counts
/^Test Suite '(All|Selected) tests' (passed|failed)/ { outermost = 1; next }
outermost && /Executed [0-9]+ tests?, with / {
  bad = number("[0-9]+ failure"); left = number("[0-9]+ tests? skipped")
  add(after("Executed") - bad - left, bad, left); outermost = 0; next
}

/tests passed, [0-9]+ tests failed out of [0-9]+/ { add(after("out of") - number("[0-9]+ tests failed"), number("[0-9]+ tests failed"), 0) }

END { printf "%d %d %d\n", passed, failed, skipped }
