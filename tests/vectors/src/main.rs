//! Writes the vectors anew: `cargo run -p iotkm-vectors`, then `python3 tests/interop/test_vectors.py` for the values on the
//! way. Only after a change of the protocol that was meant.

fn main() -> std::io::Result<()> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let primitives = [
        ("primitives/hpke".into(), iotkm_vectors::hpke::vectors()),
        ("primitives/tickets".into(), iotkm_vectors::tickets::vectors()),
        ("primitives/renewal".into(), iotkm_vectors::renewal::vectors()),
        ("primitives/credentials".into(), iotkm_vectors::credentials::vectors()),
    ];
    for (name, vector) in iotkm_vectors::make::all().into_iter().chain(primitives) {
        let text = serde_json::to_string_pretty(&vector)?;
        let file = folder.join(format!("{name}.json"));
        std::fs::create_dir_all(file.parent().unwrap_or(folder))?;
        std::fs::write(file, text + "\n")?;
        println!("{name}.json");
    }
    Ok(())
}
