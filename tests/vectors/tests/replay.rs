//! The committed vectors, played; and made again, byte for byte.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::Path;

fn committed(name: &str) -> serde_json::Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("{name}.json"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_str(&text).unwrap()
}

#[test]
fn every_vector_plays() {
    let folder = std::fs::read_dir(env!("CARGO_MANIFEST_DIR")).unwrap();
    let names: Vec<_> = folder
        .filter_map(|entry| entry.unwrap().file_name().to_str()?.strip_suffix(".json").map(String::from))
        .collect();
    assert!(names.len() >= 14, "{names:?}");
    for name in names {
        iotkm_vectors::play::play(&committed(&name));
    }
}

#[test]
fn the_committed_vectors_are_what_the_code_makes() {
    for (name, vector) in iotkm_vectors::make::all() {
        assert!(vector == committed(&name), "{name}.json differs: run `cargo run -p iotkm-vectors` if that was meant");
    }
}
