//! Ciphers, groups, signatures, key derivation, sealed blobs: each with secret keys and, where it can fail, failing.

use crate::side::{SecretRng, assert_secret, code, device, key, published, show};
use crate::{Scenario, Verdict};
use iotkm::crypto::aead::{AES_CCM_8, AES_CCM_16, CHACHA20_POLY1305};
use iotkm::crypto::cpace::{CPACE_P256, CPACE_RISTRETTO255, Cpace, Inputs, Message, Role};
use iotkm::crypto::group::{FFC2048, P256, Ristretto255, Scalar, X25519};
use iotkm::crypto::hedge::Hedged;
use iotkm::crypto::hpke::{DHKEM_P256, DHKEM_X25519, KEM_FFC2048, Kem, OwnKey, decapsulate, encapsulate};
use iotkm::crypto::keys::{KeySlot, StaticKey};
use iotkm::crypto::sign::{Ed25519Key, Es256Key, SIGNATURE_LEN, Signer};
use iotkm::crypto::{Aead, Dh, PrimeGroup, Prk, Rng, Secret};
use iotkm::engine::state::{self, Kind};
use std::hint::black_box;

/// The list.
pub const SCENARIOS: &[Scenario] = &[
    ("AEADs", Verdict::Silent, || {
        [&AES_CCM_8 as &dyn Aead, &AES_CCM_16, &CHACHA20_POLY1305].into_iter().for_each(aead)
    }),
    ("key derivation and hedged randomness", Verdict::Silent, derivation),
    ("Diffie-Hellman", Verdict::Silent, || {
        // The identity, or no point at all.
        dh(&X25519, &[0; 32]);
        dh(&Ristretto255, &[0; 32]);
        dh(&P256, &[0xff; 32]);
        dh(&FFC2048, &[0; 256]);
    }),
    ("ristretto255", Verdict::Silent, || prime_group(&Ristretto255)),
    ("P-256", Verdict::Silent, || prime_group(&P256)),
    ("subgroup of Z_p*", Verdict::Silent, || prime_group(&FFC2048)),
    ("CPace", Verdict::Silent, || [&CPACE_RISTRETTO255 as &dyn Cpace, &CPACE_P256].into_iter().for_each(cpace)),
    ("HPKE and static keys", Verdict::Silent, || {
        hpke::<32>(&DHKEM_X25519);
        hpke::<32>(&DHKEM_P256);
        hpke::<256>(&KEM_FFC2048);
    }),
    ("signatures", Verdict::Silent, || {
        sign(&Ed25519Key::new(key(9)));
        sign(&Es256Key::new(key(9)));
    }),
    ("sealed blobs", Verdict::Silent, blobs),
];

fn aead(cipher: &dyn Aead) {
    let secret: Secret<32> = key(1);
    let (key, nonce) = (&secret.expose()[..cipher.key_len()], &[7; 13][..cipher.nonce_len()]);
    for len in [0, 1, 16, 100, 700] {
        let (mut text, mut tag) = (vec![3; len], vec![0; cipher.tag_len()]);
        cipher.seal(key, nonce, b"header", &mut text, &mut tag);
        assert_secret("ciphertext", &text);
        assert_secret("tag", &tag);
        let (sealed, mut tag) = (published(&text), published(&tag));
        assert!(cipher.open(key, nonce, b"header", &mut text, &tag).is_ok());
        assert_eq!(published(&text), vec![3; len]);
        tag[0] ^= 1;
        text.copy_from_slice(&sealed);
        assert!(cipher.open(key, nonce, b"header", &mut text, &tag).is_err());
    }
}

fn derivation() {
    let prk = Prk::extract("history", &[key::<32>(1).expose()], &[key::<32>(2).expose(), key::<70>(3).expose()]);
    show(&prk);
    let derived: Secret<80> = prk.secret("label", &[b"context"]);
    assert_secret("derived", derived.expose());
    let (hedge, mut counter, mut source, mut out) = (key(4), 0, SecretRng::new(1), [0; 100]);
    Hedged::new(&hedge, &mut counter, &mut source).fill(&mut out).unwrap();
    assert_secret("hedged", &out);
}

fn dh(group: &dyn Dh, bad: &[u8]) {
    let mut rng = SecretRng::new(5);
    let mut side = || {
        let (mut scalar, mut share) = (Scalar::zero(), vec![0; group.share_len()]);
        group.generate(&mut rng, &mut scalar, &mut share).unwrap();
        assert_secret("scalar", scalar.expose());
        (scalar, published(&share))
    };
    let ((a, to_b), (b, to_a)) = (side(), side());
    let agreed = [(a, to_a), (b, to_b)].map(|(scalar, share)| {
        let mut secret = vec![0; group.secret_len()];
        group.agree(&scalar, &share, &mut secret).unwrap();
        assert_secret("shared secret", &secret);
        let mut none = vec![0; group.secret_len()];
        assert!(group.agree(&scalar, bad, &mut none).is_err());
        published(&secret)
    });
    assert_eq!(agreed[0], agreed[1]);
}

fn prime_group(group: &dyn PrimeGroup) {
    let mut rng = SecretRng::new(6);
    let mut scalar = Scalar::zero();
    group.random_scalar(&mut rng, &mut scalar).unwrap();
    let [mut base, mut twice, mut both] = [0; 3].map(|_| vec![0; group.element_len()]);
    group.base(&scalar, &mut base);
    let base = published(&base);
    let mut reduced = Scalar::zero();
    group.reduce(key(9).expose(), &mut reduced).unwrap();
    assert_secret("reduced", reduced.expose());
    let mut grown = Scalar::zero();
    group.mul_add(&scalar, &reduced, &key(8), &mut grown).unwrap();
    assert_secret("grown", grown.expose());
    group.power(&base, &grown, &mut twice).unwrap();
    group.double_power(&base, &reduced, &published(&twice), &scalar, &mut both).unwrap();
    // The form byte of an uncompressed point is no secret.
    assert_secret("power", &twice[group.element_len() & 1..]);
    assert_secret("double power", &both[group.element_len() & 1..]);
}

fn cpace(cpace: &dyn Cpace) {
    let mut rng = SecretRng::new(7);
    let isks = ["a code", "a code", "another"].map(|text| {
        let prs = code(text);
        let inputs = Inputs { prs: &prs, ci: b"a b", sid: b"session" };
        let mut start = || {
            let (mut scalar, mut share) = (Scalar::zero(), [0; 32]);
            cpace.start(&inputs, &mut rng, &mut scalar, &mut share).unwrap();
            assert_secret("share before it leaves", &share);
            (scalar, share)
        };
        let ((a, share_a), (b, share_b)) = (start(), start());
        let mut isk = [[0; 64]; 2];
        let theirs = [published(&share_b), published(&share_a)];
        for ((((scalar, own), theirs), role), isk) in
            [(a, share_a), (b, share_b)].iter().zip(&theirs).zip([Role::Initiator, Role::Responder]).zip(&mut isk)
        {
            let (own, peer) = (Message { share: own, ad: b"" }, Message { share: theirs, ad: b"" });
            cpace.finish(scalar, b"session", own, peer, role, isk).unwrap();
            assert_secret("ISK", &isk[..cpace.isk_len()]);
        }
        let isk = isk.map(|isk| published(&isk));
        assert_eq!(isk[0], isk[1]);
        isk[0].clone()
    });
    assert_ne!(isks[0], isks[2]);
}

fn hpke<const SHARE: usize>(kem: &'static dyn Kem) {
    let (mut rng, slot) = (SecretRng::new(8), KeySlot(1));
    let [sender, recipient] = [0; 2].map(|_| StaticKey::<SHARE>::generate(slot, kem, &mut rng).unwrap());
    show(&recipient);
    let restored = StaticKey::<SHARE>::new(slot, kem, recipient.scalar()).unwrap();
    assert_eq!(restored.share(), recipient.share());
    let (mut scalar, mut enc) = (Scalar::zero(), [0; SHARE]);
    kem.group().generate(&mut rng, &mut scalar, &mut enc).unwrap();
    let from = OwnKey { keys: &sender, slot };
    let to = OwnKey { keys: &recipient, slot };
    let made = encapsulate(kem, &scalar, &enc, recipient.share(), Some(from), &[b"info"]).unwrap();
    let found = decapsulate(kem, &enc, to, Some(sender.share()), &[b"info"]).unwrap();
    let [made, found] = [made, found].map(|exporter| {
        show(&exporter);
        let secret: Secret<40> = exporter.secret(&[b"context"]);
        assert_secret("export", secret.expose());
        published(secret.expose())
    });
    assert_eq!(made, found);
}

fn sign(signer: &dyn Signer) {
    // Not inlined: suppressions find a function by its name.
    let signer = black_box(signer);
    let public = signer.public_key().unwrap();
    show(&public);
    let mut signature = [0; SIGNATURE_LEN];
    signer.sign(&[b"mess", b"age"], &mut signature).unwrap();
    let signature: [u8; SIGNATURE_LEN] = published(&signature).try_into().unwrap();
    public.verify(&[b"message"], &signature).unwrap();
}

fn blobs() {
    let device = device(1);
    let mut blob = vec![0; state::OVERHEAD + 50];
    blob[state::OVERHEAD..].copy_from_slice(key::<50>(2).expose());
    let len = state::seal(&device, Kind::Session, 3, &mut blob, 50).unwrap();
    let mut blob = published(&blob[..len]);
    let mut text = [0; 50];
    assert_eq!(state::open(&device, Kind::Session, 0, &blob, &mut text), Ok((3, 50)));
    assert_secret("opened", &text);
    assert!(state::open(&device, Kind::Session, 4, &blob, &mut text).is_err());
    blob[40] ^= 1;
    assert!(state::open(&device, Kind::Session, 0, &blob, &mut text).is_err());
}
