//! Vectors of HPKE, for others' implementations to be checked with: `primitives/hpke.json`.

use crate::hex;
use iotkm::crypto::hpke::{DHKEM_P256, DHKEM_X25519, Exporter, Kem, OwnKey, decapsulate, encapsulate};
use iotkm::crypto::keys::{KeySlot, StaticKey};
use iotkm::crypto::{Secret, kdf};
use serde_json::{Value, json};

const SLOT: KeySlot = KeySlot(0);

/// A key from a sentence, and its public key as it stands in contexts.
fn key(kem: &'static dyn Kem, sentence: &str) -> (StaticKey, Vec<u8>) {
    let key = StaticKey::new(SLOT, kem, &Secret::new(kdf::hash(&[sentence.as_bytes()]))).expect("a scalar in range");
    let mut public = vec![0; kem.public_len()];
    kem.public(key.share(), &mut public).expect("a point");
    (key, public)
}

/// Both modes on both registered KEMs; what both sides export.
pub fn vectors() -> Value {
    let kems: [(u16, &'static dyn Kem); 2] = [(0x0020, &DHKEM_X25519), (0x0010, &DHKEM_P256)];
    let cases = (0..12).flat_map(|number| kems.map(|(id, kem)| (number, id, kem)));
    cases.map(|(number, id, kem)| one(number, id, kem)).collect()
}

fn one(number: usize, id: u16, kem: &'static dyn Kem) -> Value {
    let [(e, enc), (r, pk_r), (s, pk_s)] = ["e", "r", "s"].map(|who| key(kem, &format!("hpke {number} {id} {who}")));
    let [own_r, own_s] = [&r, &s].map(|keys| OwnKey { keys, slot: SLOT });
    let (auth, info) = (number % 2 == 1, kdf::hash(&[&[number as u8]])[..number].to_vec());
    let sent = encapsulate(kem, e.scalar(), e.share(), &pk_r, auth.then_some(own_s), &[&info]).expect("keys");
    let received = decapsulate(kem, e.share(), own_r, auth.then_some(&pk_s), &[&info]).expect("keys");
    let exports = [(vec![], 32), (b"N_0".to_vec(), 16), (vec![0; 300], 100)].map(|(context, length)| {
        let export = |exporter: &Exporter| {
            let mut out = vec![0; length];
            exporter.export(&[&context], &mut out);
            out
        };
        assert_eq!(export(&sent), export(&received));
        json!({ "context": hex(&context), "value": hex(&export(&sent)) })
    });
    let sender = auth.then(|| json!({ "private": hex(s.scalar().expose()), "public": hex(&pk_s) }));
    json!({
        "kem": id,
        "info": hex(&info),
        "ephemeral": hex(e.scalar().expose()),
        "enc": hex(&enc),
        "recipient": { "private": hex(r.scalar().expose()), "public": hex(&pk_r) },
        "sender": sender,
        "exports": exports,
    })
}
