# shellcheck shell=bash
# What a script needs from the machine, what of that is missing, and how to bring it. Used by tests/run and by every other
# script that sets itself up. A need is one word:
#
#   command:package             a command in PATH, and the Debian package that brings it       cmake:cmake
#   /path/or/glob:package       a file, likewise                                               /usr/include/cbor.h:libcbor-dev
#   rust  rustfmt  clippy       a Rust that is new enough (toolchain.sh), cargo fmt, cargo clippy
#   bare-metal:TARGET           a Rust that builds for that target
#   crate:NAME@VERSION          a program from crates.io, built into build/cargo/bin
#   venv                        a Python that can make virtual environments (see `venv` below)
#
#   needs_missing WORD...       prints what is missing, one a line: `apt PACKAGE`, `crate NAME@VERSION` or `other REASON`
#   needs_install LINE...       brings such lines; system packages by apt, as root or by sudo
#   venv NAME REQUIREMENT...    makes build/venv-NAME with these packages from PyPI, once, and puts it first in PATH
#   as_root COMMAND...          runs it as root, by sudo where this is another user

. "$(dirname "${BASH_SOURCE[0]}")/toolchain.sh"
NEEDS_BUILD=${NEEDS_BUILD:-$TOOLCHAIN_ROOT/build}
case ":$PATH:" in *":$NEEDS_BUILD/cargo/bin:"*) ;; *) export PATH="$PATH:$NEEDS_BUILD/cargo/bin" ;; esac

can_be_root() { [ "$(id -u)" = 0 ] || { type -P sudo >/dev/null && sudo -n true 2>/dev/null; }; }
as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n -- "$@"; fi; }

# needs_rust_addition NAME PROGRAM PACKAGE: a part of Rust that comes in a package (or rustup component) of its own
needs_rust_addition() {
  if toolchain_rust && "$CARGO" "$1" --version >/dev/null 2>&1; then return; fi
  case "${CARGO:-/usr/bin/cargo}" in
    /usr/bin/*) echo "apt $3" ;;
    *) echo "other no cargo $1: rustup component add $2" ;;
  esac
}

needs_missing() {
  local need
  for need in "$@"; do
    case "$need" in
      rust)
        toolchain_rust || { echo "apt cargo-web"; echo "apt rustc-web"; }
        type -P cc >/dev/null || { echo "apt gcc"; echo "apt libc6-dev"; }
        if type -P apt-get >/dev/null && [ ! -s /etc/ssl/certs/ca-certificates.crt ]; then echo "apt ca-certificates"; fi ;;
      rustfmt) needs_missing rust; needs_rust_addition fmt rustfmt rustfmt-web ;;
      clippy) needs_missing rust; needs_rust_addition clippy clippy rust-web-clippy ;;
      bare-metal:*)
        needs_missing rust
        if ! toolchain_bare_metal "${need#*:}"; then
          if type -P apt-get >/dev/null; then
            # Debian's compiler takes its sources from a package; with rustup, Debian's compiler comes along.
            [ -x /usr/bin/rustc ] && toolchain_new_enough /usr/bin/rustc || { echo "apt cargo-web"; echo "apt rustc-web"; }
            echo "apt rust-web-src"
          else
            echo "other $TOOLCHAIN_WHY"
          fi
        fi ;;
      crate:*) need=${need#crate:}; type -P "${need%@*}" >/dev/null || { needs_missing rust; echo "crate $need"; } ;;
      venv) python3 -c 'import ensurepip, venv' 2>/dev/null || { echo "apt python3"; echo "apt python3-venv"; } ;;
      /*:*) compgen -G "${need%:*}" >/dev/null || echo "apt ${need##*:}" ;;
      *:*) type -P "${need%:*}" >/dev/null || echo "apt ${need##*:}" ;;
      *) echo "other unknown need '$need' (see tests/lib/needs.sh)" ;;
    esac
  done | sort -u
}

needs_install() {
  local line packages=() crates=()
  for line in "$@"; do
    case "$line" in
      "apt "*) packages+=("${line#apt }") ;;
      "crate "*) crates+=("${line#crate }") ;;
      *) echo "cannot be installed from here: ${line#other }"; return 1 ;;
    esac
  done
  if [ ${#packages[@]} -gt 0 ]; then
    type -P apt-get >/dev/null || { echo "no apt-get here to install: ${packages[*]}"; return 1; }
    can_be_root || { echo "not root, and no sudo without a password, to install: ${packages[*]}"; return 1; }
    local apt=(env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=600 -o Acquire::Retries=3)
    as_root "${apt[@]}" update || return 1
    as_root "${apt[@]}" install --yes --no-install-recommends "${packages[@]}" || return 1
  fi
  for line in "${crates[@]}"; do
    toolchain_rust || { echo "$TOOLCHAIN_WHY"; return 1; }
    "$CARGO" install --locked --root "$NEEDS_BUILD/cargo" "${line%@*}" --version "${line#*@}" || return 1
  done
}

venv() {
  local folder=$NEEDS_BUILD/venv-$1 stamp
  shift
  stamp=$(python3 --version; printf '%s\n' "$@"; local file; for file in "$@"; do [ -f "$file" ] && cat "$file"; done; true)
  if [ "$(cat "$folder/stamp" 2>/dev/null)" != "$stamp" ]; then
    rm -rf "$folder"
    python3 -m venv "$folder" || return 1
    "$folder/bin/python" -m pip install --quiet --disable-pip-version-check "$@" || return 1
    printf '%s\n' "$stamp" >"$folder/stamp"
  fi
  export VIRTUAL_ENV=$folder PATH="$folder/bin:$PATH"
}
