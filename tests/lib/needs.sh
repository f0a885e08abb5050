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
#   needs_missing WORD...       prints what is missing, one a line: `apt PACKAGE`, `crate NAME@VERSION`, `rustup ARGUMENTS`
#                               or `other REASON`
#   needs_install LINE...       brings such lines; system packages by apt, as root or by sudo
#   venv NAME REQUIREMENT...    makes build/venv-NAME with these packages from PyPI, once, and puts it first in PATH
#   as_root COMMAND...          runs it as root, by sudo where this is another user

. "$(dirname "${BASH_SOURCE[0]}")/toolchain.sh"
NEEDS_BUILD=${NEEDS_BUILD:-$TOOLCHAIN_ROOT/build}
case ":$PATH:" in *":$NEEDS_BUILD/cargo/bin:"*) ;; *) export PATH="$PATH:$NEEDS_BUILD/cargo/bin" ;; esac

can_be_root() { [ "$(id -u)" = 0 ] || { type -P sudo >/dev/null && sudo -n true 2>/dev/null; }; }
as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n -- "$@"; fi; }

# needs_rust_part ARGUMENTS PACKAGE...: a part of Rust that comes by itself, as `rustup ARGUMENTS` or in Debian's packages
needs_rust_part() {
  local arguments=$1
  shift
  if [ -n "${CARGO:-}" ] && [ -x "$(dirname "$CARGO")/rustup" ]; then
    echo "rustup $arguments"
  elif type -P apt-get >/dev/null; then
    printf 'apt %s\n' "$@"
  else
    echo "other ${TOOLCHAIN_WHY:-a whole Rust: rustup $arguments}"
  fi
}

# Registries speak https; a minimal Debian trusts nobody.
needs_certificates() {
  if type -P apt-get >/dev/null && [ ! -s /etc/ssl/certs/ca-certificates.crt ]; then echo "apt ca-certificates"; fi
}

needs_missing() {
  local need
  for need in "$@"; do
    case "$need" in
      rust)
        toolchain_rust || { echo "apt cargo-web"; echo "apt rustc-web"; }
        type -P cc >/dev/null || { echo "apt gcc"; echo "apt libc6-dev"; }
        needs_certificates ;;
      rustfmt)
        needs_missing rust
        toolchain_rust && "$CARGO" fmt --version >/dev/null 2>&1 || needs_rust_part "component add rustfmt" rustfmt-web ;;
      clippy)
        needs_missing rust
        toolchain_rust && "$CARGO" clippy --version >/dev/null 2>&1 || needs_rust_part "component add clippy" rust-web-clippy ;;
      bare-metal:*)
        needs_missing rust
        toolchain_bare_metal "${need#*:}" || needs_rust_part "target add ${need#*:}" cargo-web rustc-web rust-web-src ;;
      crate:*) need=${need#crate:}; type -P "${need%@*}" >/dev/null || { needs_missing rust; echo "crate $need"; } ;;
      venv)
        python3 -c 'import ensurepip, venv' 2>/dev/null || { echo "apt python3"; echo "apt python3-venv"; }
        needs_certificates ;;
      /*:*) compgen -G "${need%:*}" >/dev/null || echo "apt ${need##*:}" ;;
      *:*) type -P "${need%:*}" >/dev/null || echo "apt ${need##*:}" ;;
      *) echo "other unknown need '$need' (see tests/lib/needs.sh)" ;;
    esac
  done | sort -u
}

# One that cannot be had does not keep the others away.
needs_install() {
  local line words status=0 packages=() crates=() parts=()
  for line in "$@"; do
    case "$line" in
      "apt "*) packages+=("${line#apt }") ;;
      "crate "*) crates+=("${line#crate }") ;;
      "rustup "*) parts+=("${line#rustup }") ;;
      *) echo "cannot be installed from here: ${line#other }"; status=1 ;;
    esac
  done
  if [ ${#packages[@]} -gt 0 ]; then
    if ! type -P apt-get >/dev/null; then
      echo "no apt-get here to install: ${packages[*]}"
      status=1
    elif ! can_be_root; then
      echo "not root, and no sudo without a password, to install: ${packages[*]}"
      status=1
    else
      local apt=(env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=600 -o Acquire::Retries=3)
      as_root "${apt[@]}" update
      apt+=(install --yes --no-install-recommends)
      as_root "${apt[@]}" "${packages[@]}" || for line in "${packages[@]}"; do as_root "${apt[@]}" "$line" || status=1; done
    fi
  fi
  for line in "${parts[@]}"; do
    read -ra words <<<"$line"
    toolchain_rust && "$(dirname "$CARGO")/rustup" "${words[@]}" || status=1
  done
  for line in "${crates[@]}"; do
    toolchain_rust || { echo "$TOOLCHAIN_WHY"; status=1; continue; }
    # Pinned, so never mind the version of Rust that it asks for; built in half the time that the authors' release profile takes.
    CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 CARGO_PROFILE_RELEASE_OPT_LEVEL=2 \
      "$CARGO" install --locked --ignore-rust-version --root "$NEEDS_BUILD/cargo" "${line%@*}" --version "${line#*@}" || status=1
  done
  return "$status"
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
