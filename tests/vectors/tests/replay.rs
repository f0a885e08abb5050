//! The committed vectors, played; and made again, byte for byte.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use iotkm::crypto::Secret;
use iotkm::history::{Id, keys};
use std::path::Path;

fn committed(name: &str) -> serde_json::Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("{name}.json"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_str(&text).unwrap()
}

#[test]
fn every_vector_plays() {
    for (folder, least) in [("", 21), ("interactive/", 17), ("noninteractive/", 19), ("microcert/", 26)] {
        let entries = std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)).unwrap();
        let names: Vec<_> = entries
            .filter_map(|entry| entry.unwrap().file_name().to_str()?.strip_suffix(".json").map(String::from))
            .collect();
        assert!(names.len() >= least, "{names:?}");
        for name in names {
            iotkm_vectors::play::play(&committed(&format!("{folder}{name}")));
        }
    }
}

#[test]
fn the_committed_vectors_are_what_the_code_makes() {
    for (name, vector) in iotkm_vectors::make::all() {
        let mut committed = committed(&name);
        let steps = committed["steps"].as_array_mut().unwrap().iter_mut();
        steps.for_each(|step| drop(step.as_object_mut().unwrap().remove("values").expect("tests/interop writes them")));
        assert!(
            vector == committed,
            "{name}.json differs: run `cargo run -p iotkm-vectors` and tests/interop/test_vectors.py if that was meant"
        );
    }
}

/// The values on the way come from a second implementation; its bytes would be others if they were not the core's, but the
/// core's own functions can be asked too.
#[test]
fn the_values_are_the_cores() {
    let vector = committed("history-life-suite-4");
    let about = &vector["a"];
    let bytes = |key: &str| iotkm_vectors::unhex(&about[key]);
    let key = |name| Secret::new(<[u8; 32]>::try_from(bytes(name)).unwrap());
    let (sk, t, li) = (key("sk"), key("t"), key("li"));
    let [me, peer] = ["id", "peer"].map(|name| Id::new(&bytes(name)).unwrap());
    let aux = keys::aux(&sk, &t, &li, 0);
    let hints = keys::hints(&aux, me.is_lower_than(&peer), 0);
    let terms = keys::Terms { suite: 4, dh: true, psk: false, generation: 0 };
    let th_0 = keys::th_0(&terms, &me, &peer);

    let first = vector["steps"][0]["values"].as_array().unwrap();
    let value = |name: &str, bytes: &[u8]| format!("{name} {}", iotkm_vectors::hex(bytes).as_str().unwrap());
    for line in [value("aux", aux.expose()), value("hint", &hints), value("hash", th_0.as_bytes())] {
        assert!(first.iter().any(|v| *v == line), "{line} is not in {first:?}");
    }
    // Each exchange has all of its keys, on both sides.
    for node in ["a", "b"] {
        let steps = vector["steps"].as_array().unwrap().iter().filter(|step| step["node"] == node);
        let values: Vec<_> =
            steps.flat_map(|step| step["values"].as_array().unwrap()).filter_map(|v| v.as_str()).collect();
        for label in ["c1", "c2", "c3", "dh", "extract", "tag", "key", "iv", "root", "mast", "upd", "sk", "t", "li"] {
            let count = values.iter().filter(|v| v.split(' ').next() == Some(label)).count();
            assert!(count >= 1, "{node} has no {label}");
        }
    }
}

#[test]
fn the_committed_primitives_are_what_the_code_makes() {
    let made = [
        ("hpke", iotkm_vectors::hpke::vectors()),
        ("tickets", iotkm_vectors::tickets::vectors()),
        ("renewal", iotkm_vectors::renewal::vectors()),
        ("credentials", iotkm_vectors::credentials::vectors()),
    ];
    for (name, vectors) in made {
        assert!(vectors == committed(&format!("primitives/{name}")), "primitives/{name}.json differs");
    }
}
