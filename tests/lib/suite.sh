#!/usr/bin/env bash
# Runs one suite: `bash tests/lib/suite.sh FILE`. tests/run calls it with the output going to the suite's log. What a suite's
# `run` function finds here: it starts at the top of the checkout, with `set -euo pipefail`, and has
#
#   check NAME COMMAND...   one test that is a command: counted, its failure does not stop the suite
#   skip NAME REASON        one test that this machine cannot run: counted
#   cargo ...               the chosen cargo; CARGO, RUSTC, RUSTDOC are exported
#   bare_metal_cargo, venv, as_root        see toolchain.sh and needs.sh
#   $build  $scratch        the folder for what is worth keeping between runs; an empty one, removed afterwards
#
# Whatever else prints a summary that count.awk knows (cargo test, pytest, JUnit, ...) is counted from the log.
set -euo pipefail

. "$(dirname "${BASH_SOURCE[0]}")/needs.sh"
cd "$TOOLCHAIN_ROOT"
export TERM=dumb NO_COLOR=1 CARGO_TERM_COLOR=never # a log is read later, and elsewhere
build=$NEEDS_BUILD
scratch=$(mktemp -d)
checks_passed=0 checks_failed=0 checks_skipped=0

check() {
  local name=$1 status=0
  shift
  echo "-- $name"
  set +e
  (set -e; "$@")
  status=$?
  set -e
  if [ "$status" = 0 ]; then
    checks_passed=$((checks_passed + 1))
  else
    echo "FAILED: $name (status $status)"
    checks_failed=$((checks_failed + 1))
  fi
}

skip() {
  echo "skipped: $1 ($2)"
  checks_skipped=$((checks_skipped + 1))
}

cargo() { "$CARGO" "$@"; }

finish() {
  local status=$?
  rm -rf "$scratch"
  if [ $((checks_passed + checks_failed + checks_skipped)) -gt 0 ]; then
    echo "checks: $checks_passed passed, $checks_failed failed, $checks_skipped skipped"
  fi
  if [ "$status" = 0 ] && [ "$checks_failed" -gt 0 ]; then status=1; fi
  exit "$status"
}
trap finish EXIT
trap 'exit 143' TERM

toolchain_rust || true
# shellcheck source=/dev/null
. "$1"
run
