# shellcheck shell=bash
# Building, linking, measuring and running images for the Cortex-M4 of qemu-system-arm. Source it.
# $m4_needs is what that takes, in the words of needs.sh.
#
#   m4_build OUT.a MANIFEST PROFILE [CARGO...]   a crate as a static library; PROFILE is firmware (z) or firmware-speed (3)
#   m4_link OUT.elf INPUT...                     C files, archives and flags, with the board support, to an image
#   m4_run IMAGE [QEMU...]                       runs it; semihosting output on stdout, the image's exit code
#   m4_size IMAGE BASELINE NAME                  prints `NAME.flash bytes B` and so on, what the image has above the baseline
#
# M4_SHIFT: one instruction takes 2^M4_SHIFT ns of emulated time (0). M4_TIMEOUT: seconds an image may run (300).

. "$(dirname "${BASH_SOURCE[0]}")/toolchain.sh"
m4_target=thumbv7em-none-eabi
m4_needs="bare-metal:$m4_target arm-none-eabi-gcc:gcc-arm-none-eabi qemu-system-arm:qemu-system-arm
  /usr/lib/arm-none-eabi/newlib/thumb/v7e-m/nofp/libc.a:libnewlib-arm-none-eabi"
m4_out=${CARGO_TARGET_DIR:-$TOOLCHAIN_ROOT/target}/m4
m4_board=$TOOLCHAIN_ROOT/examples/firmware/cortex-m/board
m4_cc=(arm-none-eabi-gcc -mcpu=cortex-m4 -mthumb -mfloat-abi=soft -std=c11 -Os -g -ffreestanding
  -Wall -Wextra -Wpedantic -Werror -ffunction-sections -fdata-sections)

# What a small image wants of the cryptographic crates: rounds in loops. SHA-256 alone is 6 kB smaller so, for 1.8 k instructions
# a block; AES 1.7 kB, for next to nothing. And words of 32 bits: to compilers that take -Z the Cortex-M4 is an ARMv7, where
# these crates take 64, some 6 kB more in P-256 and AES. A cfg is the only way they offer.
m4_small='--cfg sha2_backend_soft="compact" --cfg aes_backend_soft="compact" --cfg cpubits="32"'

m4_build() {
  local out=$1 manifest=$2 profile=$3 messages archive flags=${RUSTFLAGS:-}
  shift 3
  if [ "$profile" = firmware ]; then flags+=" $m4_small"; fi
  # A target directory of its own: another compiler than the host's builds would only wait for their lock.
  messages=$(CARGO_TARGET_DIR=$m4_out/rust RUSTFLAGS=$flags bare_metal_cargo $m4_target rustc --manifest-path "$manifest" \
    --lib --crate-type staticlib --profile "$profile" --locked --message-format json-render-diagnostics "$@") || return
  archive=$(sed -n 's/.*"filenames":\["\([^"]*\.a\)".*/\1/p' <<<"$messages" | tail -n 1)
  [ -n "$archive" ] && mkdir -p "$(dirname "$out")" && cp "$archive" "$out"
}

# Memory functions of the C library's, small and there anyway in most firmware: named before Rust's own come to be looked at,
# which are 3.6 kB larger. They are in every image, also where nothing calls them.
m4_memory=(memcpy memmove memset memcmp __aeabi_mem{cpy,move,set,clr}{,4,8})
m4_memory=("${m4_memory[@]/#/-Wl,-u,}" -lc)

m4_link() {
  local out=$1
  shift
  mkdir -p "$(dirname "$out")"
  "${m4_cc[@]}" -I"$m4_board" -I"$TOOLCHAIN_ROOT/include" -T "$m4_board/mps2.ld" -nostartfiles -nostdlib \
    -Wl,--gc-sections,--fatal-warnings,-z,noexecstack,--no-warn-rwx-segments,-Map="$out.map" \
    -o "$out" "$m4_board"/*.c "${m4_memory[@]}" "$@" -lc -lgcc || return
  # mps2.ld refuses the C allocator; Rust's comes with its `alloc` crate, whose functions have these names.
  if arm-none-eabi-nm "$out" | grep -E '_5alloc|_ZN5alloc|__rust_alloc' >&2; then
    echo "no heap on this device: the archive brings the Rust allocator" >&2
    rm -f "$out"
    return 1
  fi
}

# The board's network card is not used, but QEMU warns where it has no peer.
m4_run() {
  local image=$1
  shift
  timeout --kill-after=5 "${M4_TIMEOUT:-300}" qemu-system-arm -M mps2-an386 -nodefaults -display none -monitor none \
    -icount "shift=${M4_SHIFT:-0}" -chardev stdio,id=results -semihosting-config enable=on,target=native,chardev=results \
    -nic user,restrict=on,model=lan9118 -kernel "$image" "$@" </dev/null
}

m4_size() {
  { arm-none-eabi-size -A "$2"; echo minuend; arm-none-eabi-size -A "$1"; } | awk -v name="$3" '
    /^minuend/ { second = 1 }
    $1 ~ /^\.(text|rodata|data|bss)$/ { size[substr($1, 2)] += second ? $2 : -$2 }
    END {
      for (n = split("text rodata data bss", section); i++ < n;) print name "." section[i], size[section[i]] + 0, "B"
      print name ".flash", size["text"] + size["rodata"] + size["data"], "B"
      print name ".ram", size["data"] + size["bss"], "B"
    }'
}
