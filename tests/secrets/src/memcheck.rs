//! Valgrind's client requests (`valgrind.h`, `memcheck.h`), as far as they are needed here: a few words in memory and an
//! instruction sequence that does nothing on a real processor and that valgrind knows.
#![allow(unsafe_code, reason = "a client request is an instruction sequence, and memory is marked by its address")]

/// `VG_USERREQ_TOOL_BASE('M', 'C')`, where memcheck's own requests begin.
const MEMCHECK: u64 = 0x4d43_0000;
const MAKE_MEM_UNDEFINED: u64 = MEMCHECK + 1;
const MAKE_MEM_DEFINED: u64 = MEMCHECK + 2;
const GET_VBITS: u64 = MEMCHECK + 8;
const RUNNING_ON_VALGRIND: u64 = 0x1001;
const COUNT_ERRORS: u64 = 0x1201;

/// Makes a request; 0 without valgrind, and on processors whose sequence is not written down here.
#[cfg_attr(not(any(target_arch = "x86_64", target_arch = "aarch64")), allow(unused_mut, unused_variables))]
fn request(number: u64, arguments: [u64; 3]) -> u64 {
    let [first, second, third] = arguments;
    let words = [number, first, second, third, 0, 0];
    let mut result = 0u64;
    #[cfg(target_arch = "x86_64")]
    // SAFETY: four rotations by 128 bits together and an exchange of a register with itself change nothing; valgrind reads
    // the six words and writes the result. What it does to the memory named in them is bookkeeping of its own.
    unsafe {
        std::arch::asm!(
            "rol rdi, 3", "rol rdi, 13", "rol rdi, 61", "rol rdi, 51", "xchg rbx, rbx",
            in("rax") words.as_ptr(), inout("rdx") result,
        );
    }
    #[cfg(target_arch = "aarch64")]
    // SAFETY: as above.
    unsafe {
        std::arch::asm!(
            "ror x12, x12, #3", "ror x12, x12, #13", "ror x12, x12, #51", "ror x12, x12, #61", "orr x10, x10, x10",
            in("x4") words.as_ptr(), inout("x3") result,
        );
    }
    result
}

/// Whether valgrind watches this program.
pub fn is_there() -> bool {
    request(RUNNING_ON_VALGRIND, [0; 3]) != 0
}

/// Errors that memcheck has reported so far, suppressed ones apart.
pub fn errors() -> u64 {
    request(COUNT_ERRORS, [0; 3])
}

/// From here on these bytes, and all that is computed from them, are secret.
pub fn mark(bytes: &mut [u8]) {
    request(MAKE_MEM_UNDEFINED, [bytes.as_ptr() as u64, bytes.len() as u64, 0]);
}

/// From here on these bytes are not secret.
pub fn unmark(bytes: &mut [u8]) {
    unmark_at(bytes.as_ptr(), bytes.len());
}

/// The same, by address: what the core calls.
pub fn unmark_at(bytes: *const u8, len: usize) {
    request(MAKE_MEM_DEFINED, [bytes as u64, len as u64, 0]);
}

/// How many of these bytes are secret, if only in one bit.
pub fn secret_bytes(bytes: &[u8]) -> usize {
    let mut bits = vec![0u8; bytes.len()];
    request(GET_VBITS, [bytes.as_ptr() as u64, bits.as_mut_ptr() as u64, bytes.len() as u64]);
    bits.iter().filter(|bits| **bits != 0).count()
}
