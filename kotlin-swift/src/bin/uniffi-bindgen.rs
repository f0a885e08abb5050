//! Writes the Kotlin and Swift sources of this crate: see `generate`.

fn main() {
    uniffi::uniffi_bindgen_main();
}
