# shellcheck shell=bash
# Which Rust builds this project. Source this file, then call what you need:
#
#   toolchain_rust              chooses a cargo and rustc new enough for Cargo.toml's rust-version, exports CARGO, RUSTC and
#                               RUSTDOC and puts their folder first in PATH; or returns 1 with the reason in TOOLCHAIN_WHY
#   toolchain_bare_metal TARGET chooses how to build for a target without an operating system: rustup's own build of `core`
#                               where it is installed, else a rebuild of it from source; or returns 1 with TOOLCHAIN_WHY
#   bare_metal_cargo TARGET build ...   runs cargo that way; what it builds is in <target folder>/TARGET/<profile> either way

TOOLCHAIN_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
TOOLCHAIN_MINIMUM=$(sed -n 's/^rust-version = "\([0-9.]*\)".*/\1/p' "$TOOLCHAIN_ROOT/Cargo.toml" | head -n 1)
TOOLCHAIN_MINIMUM=${TOOLCHAIN_MINIMUM:-1.89}
TOOLCHAIN_HOW="apt-get install cargo-web rustc-web (Debian 12, from its security suite), or https://rustup.rs"

# toolchain_new_enough RUSTC: is it there, does it run, is it recent?
toolchain_new_enough() {
  local version
  [ -x "$1" ] && version=$("$1" --version 2>/dev/null) || return 1
  version=${version#rustc }
  version=${version%%[ -]*}
  if [ "$(printf '%s\n' "$TOOLCHAIN_MINIMUM" "$version" | sort -V | head -n 1)" = "$TOOLCHAIN_MINIMUM" ]; then return 0; fi
  TOOLCHAIN_WHY="$1 is $version; $TOOLCHAIN_MINIMUM or later is needed: $TOOLCHAIN_HOW"
  return 1
}

toolchain_rust() {
  local cargo folder
  TOOLCHAIN_WHY="there is no Rust here; $TOOLCHAIN_MINIMUM or later is needed: $TOOLCHAIN_HOW"
  for cargo in "${CARGO:-}" "$(type -P cargo)" "${CARGO_HOME:-${HOME:-/root}/.cargo}/bin/cargo" /usr/bin/cargo; do
    [ -n "$cargo" ] && [ -x "$cargo" ] || continue
    folder=$(dirname "$cargo")
    toolchain_new_enough "$folder/rustc" || continue
    export CARGO=$cargo RUSTC=$folder/rustc RUSTDOC=$folder/rustdoc
    if [ "$(type -P cargo)" != "$cargo" ]; then export PATH="$folder:$PATH"; fi
    TOOLCHAIN_WHY=
    return 0
  done
  return 1
}

# toolchain_sources RUSTC: has it the source of `core` beside it?
toolchain_sources() {
  local sysroot
  [ -x "$1" ] && sysroot=$("$1" --print sysroot 2>/dev/null) && [ -e "$sysroot/lib/rustlib/src/rust/library/core/Cargo.toml" ]
}

toolchain_bare_metal() {
  local target=$1 built
  toolchain_rust || return 1
  built=$("$RUSTC" --print sysroot)/lib/rustlib/$target/lib
  BARE_METAL=("$CARGO") BARE_METAL_FLAGS=(--target "$target")
  if compgen -G "$built/libcore-*.rlib" >/dev/null; then return 0; fi
  # Without the target: build `core` from its source. -Z is for nightly compilers, or for those who ask (RUSTC_BOOTSTRAP).
  BARE_METAL_FLAGS+=(-Zbuild-std=core)
  if toolchain_sources "$RUSTC"; then
    BARE_METAL=(env RUSTC_BOOTSTRAP=1 "$CARGO")
  elif [ -x /usr/bin/cargo ] && toolchain_new_enough /usr/bin/rustc && toolchain_sources /usr/bin/rustc; then
    BARE_METAL=(env RUSTC_BOOTSTRAP=1 RUSTC=/usr/bin/rustc RUSTDOC=/usr/bin/rustdoc /usr/bin/cargo)
  else
    TOOLCHAIN_WHY="this Rust cannot build for $target: rustup target add $target, or apt-get install rust-web-src (Debian 12)"
    return 1
  fi
}

bare_metal_cargo() {
  local target=$1 command=$2
  shift 2
  toolchain_bare_metal "$target" || { echo "$TOOLCHAIN_WHY" >&2; return 1; }
  "${BARE_METAL[@]}" "$command" "${BARE_METAL_FLAGS[@]}" "$@"
}
