//! Where a panic ends without an operating system.

use core::arch::global_asm;
use core::panic::PanicInfo;

// A weak default: it waits for the watchdog. Firmware that defines `iotkm_panic` itself replaces it.
#[cfg(target_arch = "arm")]
global_asm!(
    ".section .text.iotkm_panic,\"ax\",%progbits",
    ".weak iotkm_panic",
    ".type iotkm_panic,%function",
    ".thumb_func",
    "iotkm_panic: b iotkm_panic",
    ".size iotkm_panic, . - iotkm_panic",
    ".text"
);
#[cfg(any(target_arch = "riscv32", target_arch = "riscv64"))]
global_asm!(
    ".section .text.iotkm_panic,\"ax\",@progbits",
    ".weak iotkm_panic",
    ".type iotkm_panic,@function",
    "iotkm_panic: j iotkm_panic",
    ".size iotkm_panic, . - iotkm_panic",
    ".text"
);
#[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
global_asm!(
    ".section .text.iotkm_panic,\"ax\",@progbits",
    ".weak iotkm_panic",
    ".type iotkm_panic,@function",
    "iotkm_panic: jmp iotkm_panic",
    ".size iotkm_panic, . - iotkm_panic",
    ".text"
);

unsafe extern "C" {
    fn iotkm_panic() -> !;
}

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    // SAFETY: takes nothing, and whoever defines it promises not to return.
    unsafe { iotkm_panic() }
}
