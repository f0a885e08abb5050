//! HPKE against RFC 9180's own vectors (appendix A.7 and, for P-256, the document's test-vectors.json: both export-only).

use crate::{Script, hex, scalar};
use iotkm::crypto::group::Scalar;
use iotkm::crypto::hpke::{
    DHKEM_P256, DHKEM_X25519, Exporter, KEM_FFC2048, KEM_FFC3072, Kem, OwnKey, decapsulate, encapsulate,
};
use iotkm::crypto::keys::{KEY_BLOB, KeyError, KeySlot, NoKeys, StaticKey, StaticKeys};
use iotkm::crypto::remembered::Remembered;
use iotkm::crypto::{Secret, kdf};
use iotkm::{Device, Error};

const SLOT: KeySlot = KeySlot(7);

struct Vector {
    kem: &'static dyn Kem,
    sk_e: &'static str,
    enc: &'static str,
    sk_r: &'static str,
    pk_r: &'static str,
    sender: Option<[&'static str; 2]>,
    exports: [&'static str; 3],
}

/// The info and the exporter contexts of all of them.
const INFO: &str = "4f6465206f6e2061204772656369616e2055726e";
const CONTEXTS: [&str; 3] = ["", "00", "54657374436f6e74657874"];

const VECTORS: [Vector; 4] = [
    Vector {
        kem: &DHKEM_X25519,
        sk_e: "095182b502f1f91f63ba584c7c3ec473d617b8b4c2cec3fad5af7fa6748165ed",
        enc: "e5e8f9bfff6c2f29791fc351d2c25ce1299aa5eaca78a757c0b4fb4bcd830918",
        sk_r: "33d196c830a12f9ac65d6e565a590d80f04ee9b19c83c87f2c170d972a812848",
        pk_r: "194141ca6c3c3beb4792cd97ba0ea1faff09d98435012345766ee33aae2d7664",
        sender: None,
        exports: [
            "7a36221bd56d50fb51ee65edfd98d06a23c4dc87085aa5866cb7087244bd2a36",
            "d5535b87099c6c3ce80dc112a2671c6ec8e811a2f284f948cec6dd1708ee33f0",
            "ffaabc85a776136ca0c378e5d084c9140ab552b78f039d2e8775f26efff4c70e",
        ],
    },
    Vector {
        kem: &DHKEM_X25519,
        sk_e: "83d3f217071bbf600ba6f081f6e4005d27b97c8001f55cb5ff6ea3bbea1d9295",
        enc: "5ac1671a55c5c3875a8afe74664aa8bc68830be9ded0c5f633cd96400e8b5c05",
        sk_r: "ed88cda0e91ca5da64b6ad7fc34a10f096fa92f0b9ceff9d2c55124304ed8b4a",
        pk_r: "ffd7ac24694cb17939d95feb7c4c6539bb31621deb9b96d715a64abdd9d14b10",
        sender: Some([
            "c85f136e06d72d28314f0e34b10aadc8d297e9d71d45a5662c2b7c3b9f9f9405",
            "89eb1feae431159a5250c5186f72a15962c8d0debd20a8389d8b6e4996e14306",
        ]),
        exports: [
            "83c1bac00a45ed4cb6bd8a6007d2ce4ec501f55e485c5642bd01bf6b6d7d6f0a",
            "08a1d1ad2af3ef5bc40232a64f920650eb9b1034fac3892f729f7949621bf06e",
            "ff3b0e37a9954247fea53f251b799e2edd35aac7152c5795751a3da424feca73",
        ],
    },
    Vector {
        kem: &DHKEM_P256,
        sk_e: "2f18b059576a0ec5a17121c0fe7ec8f00ea86f7b046fa3889ac8f21f89dbd484",
        enc: "04d804370b7e24b94749eb1dc8df6d4d4a5d75f9effad01739ebcad5c54a40d5
              7aaa8b4190fc124dbde2e4f1e1d1b012a3bc4038157dc29b55533a932306d8d3
              8d",
        sk_r: "62c3868357a464f8461d03aa0182c7cebcde841036aea7230ddc7339f1088346",
        pk_r: "046c6bb9e1976402c692fef72552f4aaeedd83a5e5079de3d7ae732da0f397b1
              5921fb9c52c9866affc8e29c0271a35937023a9245982ec18bab1eb157cf16fc
              33",
        sender: None,
        exports: [
            "8cf837d5bf1994f0fac3ee1faa671d07e9a38b7f6153bdbb8a66b90159ef7d13",
            "3c7708f8ae1f510f4439fa514deb1c7ece7a29085a2e8270a84b6ad6481cc0b4",
            "f53fb127f67dabf35b14fae14b53e6ce5c49e572f95eb4ef7a3b3cb9cd85f12b",
        ],
    },
    Vector {
        kem: &DHKEM_P256,
        sk_e: "09228047560804d1c9c99341d7e0921645fb5be1783568ceac4cbebdce86e975",
        enc: "0418ea35546b901f2cd712396d05763e79276e7e7393aacd9d244f00f42e7e63
              4aa866c2043c1ed2a60108151838fa337ada8bae2049d4ece5e7d63cfffcdd3b
              fe",
        sk_r: "df694582fd039a35940e0a1b3e97f4a1faaacf55ba9d6d838bfbe71affb98d17",
        pk_r: "0473d6a15efe09154aa0a21ed9f34723c055a9307f652a9fa2f43d16a3f63384
              3e9381f76dafacb383da8c3a8b93d65df9b050db7e3931cfa5085545b993e481
              64",
        sender: Some([
            "20208fa66d40cf87d737f292e0d11ca3b6c2314a704a313f652fa11f7ca53d2e",
            "04730929f48619ac8544cf08d5a7a41e5a8964eb2dfa9cf76e37d357aef84fc6
              cc3f78040e8ab87ca436c2497bc042008d5bbe08fdc8664c261d623660b3a8ca
              67",
        ]),
        exports: [
            "0705caff521465ec01f7ca3e6e010d4598d90d9b523e6bd34a7fe73d73151a37",
            "d8ec855424e648177a882f90d2047b9111260cb94caf229adb31e34c0100b3ab",
            "e495136695183e2d5476b3467fb7f8e3a67101722c5e19be8a4fd6c7088b7d5e",
        ],
    },
];

fn exports(exporter: &Exporter) -> [Vec<u8>; 3] {
    CONTEXTS.map(|context| exporter.secret::<32>(&[&hex(context)]).expose().to_vec())
}

/// In P-256 our static keys have an even y; where the document's recipient has not, only the sender's side is ours.
#[test]
fn is_rfc_9180() {
    let mut sides = 0;
    for v in &VECTORS {
        let (enc, pk_r, info) = (hex(v.enc), hex(v.pk_r), hex(INFO));
        let key = |digits| StaticKey::<32>::new(SLOT, v.kem, &scalar(digits)).unwrap();
        let keeps_public = |digits, public: &str| {
            let mut whole = vec![0; v.kem.public_len()];
            v.kem.public(key(digits).share(), &mut whole).unwrap();
            whole == hex(public)
        };
        let expected = v.exports.map(hex);
        let (head, tail) = info.split_at(3);
        if v.sender.is_none_or(|[private, public]| keeps_public(private, public)) {
            let sender = v.sender.map(|[private, _]| key(private));
            let sender = sender.as_ref().map(|keys| OwnKey { keys, slot: SLOT });
            let made = encapsulate(v.kem, &scalar(v.sk_e), &enc, &pk_r, sender, &[head, tail]).unwrap();
            assert_eq!(exports(&made), expected);
            sides += 1;
        }
        if keeps_public(v.sk_r, v.pk_r) {
            let recipient = key(v.sk_r);
            let own = OwnKey { keys: &recipient, slot: SLOT };
            let sender = v.sender.map(|[_, public]| hex(public));
            let made = decapsulate(v.kem, &enc, own, sender.as_deref(), &[&info]).unwrap();
            assert_eq!(exports(&made), expected);
            sides += 1;
        }
    }
    assert_eq!(sides, 6);
}

static KEMS: [&dyn Kem; 4] = [&DHKEM_X25519, &DHKEM_P256, &KEM_FFC2048, &KEM_FFC3072];

/// A static key whose length is only known when it runs.
fn static_key(kem: &'static dyn Kem, number: u8) -> (Box<dyn StaticKeys>, Vec<u8>) {
    fn made<const N: usize>(kem: &'static dyn Kem, number: u8) -> (Box<dyn StaticKeys>, Vec<u8>) {
        let key = StaticKey::<N>::generate(SLOT, kem, &mut Script(vec![number; 48])).unwrap();
        let share = key.share().to_vec();
        (Box::new(key), share)
    }
    match kem.group().share_len() {
        32 => made::<32>(kem, number),
        256 => made::<256>(kem, number),
        _ => made::<384>(kem, number),
    }
}

fn ephemeral(kem: &dyn Kem) -> (Scalar, Vec<u8>) {
    let (mut scalar, mut enc) = (Secret::zero(), vec![0; kem.group().share_len()]);
    kem.group().generate(&mut Script((1..=48).collect()), &mut scalar, &mut enc).unwrap();
    (scalar, enc)
}

/// Both sides export the same, with shares as with whole points; and something else once anything differs.
#[test]
fn both_sides_agree_and_on_everything() {
    for kem in KEMS {
        let ((a, pk_a), (b, pk_b), (_, pk_c)) = (static_key(kem, 1), static_key(kem, 2), static_key(kem, 3));
        let [a, b] = [&a, &b].map(|keys| OwnKey { keys: &**keys, slot: SLOT });
        let (scalar, enc) = ephemeral(kem);
        let sent = |recipient: &[u8], sender, info: &[u8]| {
            exports(&encapsulate(kem, &scalar, &enc, recipient, sender, &[info]).unwrap())
        };
        let received = |sender, info: &[u8]| exports(&decapsulate(kem, &enc, b, sender, &[info]).unwrap());
        let (base, auth) = (sent(&pk_b, None, b"info"), sent(&pk_b, Some(a), b"info"));
        assert_eq!(base, received(None, b"info"));
        assert_eq!(auth, received(Some(&pk_a), b"info"));
        let mut whole = vec![0; kem.public_len()];
        kem.public(&pk_b, &mut whole).unwrap();
        assert_eq!(sent(&whole, None, b"info"), base);
        let others = [
            base.clone(),
            received(None, b"infO"),
            received(Some(&pk_a), b"info "),
            received(Some(&pk_c), b"info"),
            sent(&pk_c, None, b"info"),
            sent(&pk_a, Some(a), b"info"),
        ];
        for (i, other) in others.iter().enumerate() {
            assert_ne!(*other, auth);
            assert!(!others[..i].contains(other));
        }
    }
}

/// What is no element is refused where it comes in, on both sides; a token's word is handed on.
#[test]
fn refuses_what_is_no_key() {
    for kem in KEMS {
        let (a, pk_a) = static_key(kem, 1);
        let own = OwnKey { keys: &*a, slot: SLOT };
        let (scalar, enc) = ephemeral(kem);
        let length = enc.len();
        let mut bad = vec![vec![0; length], vec![0xff; length], enc[1..].to_vec(), [&enc[..], &[0]].concat(), vec![]];
        if length == 32 && kem.public_len() == 32 {
            // 2^255 - 1 is 18, a number like others.
            bad.remove(1);
        }
        if kem.public_len() == 65 {
            // x = 0 is on the curve.
            bad.remove(0);
            // A whole point off the curve whose x is on it, the compressed form, and the identity's.
            let mut point = vec![0; 65];
            kem.public(&pk_a, &mut point).unwrap();
            bad.push([&point[..64], &[point[64] ^ 1]].concat());
            bad.push([&[2], &pk_a[..]].concat());
            bad.push(vec![0; 65]);
        }
        for bad in bad {
            let failed = Err(KeyError::BadElement);
            assert_eq!(encapsulate(kem, &scalar, &enc, &bad, None, &[]).map(drop), failed, "{kem:?} {bad:02x?}");
            assert_eq!(encapsulate(kem, &scalar, &enc, &bad, Some(own), &[]).map(drop), failed);
            assert_eq!(decapsulate(kem, &bad, own, None, &[]).map(drop), failed, "{kem:?} {bad:02x?}");
            assert_eq!(decapsulate(kem, &enc, own, Some(&bad), &[]).map(drop), failed);
        }
        for (keys, error) in [(&NoKeys as &dyn StaticKeys, KeyError::NoKey), (&Slow, KeyError::Pending)] {
            let own = OwnKey { keys, slot: SLOT };
            assert_eq!(encapsulate(kem, &scalar, &enc, &pk_a, Some(own), &[]).map(drop), Err(error));
            assert_eq!(decapsulate(kem, &enc, own, None, &[]).map(drop), Err(error));
        }
    }
}

/// A token that has not finished.
struct Slow;

impl StaticKeys for Slow {
    fn public_key(&self, _: KeySlot, _: &dyn Kem, _: &mut [u8]) -> Result<(), KeyError> {
        Err(KeyError::Pending)
    }
    fn agree(&self, _: KeySlot, _: &dyn Kem, _: &[u8], _: &mut [u8]) -> Result<(), KeyError> {
        Err(KeyError::Pending)
    }
}

#[test]
fn kems_have_their_names() {
    assert_eq!(KEMS.map(|kem| kem.curve()), [4, 1, -21, -22]);
    assert_eq!(format!("{:?} {:?}", KEMS[0], KEMS[2]), "Kem(\\x00 ) Kem(iotkm FFC2048)");
}

/// A key is in one slot and of one group; several places are asked in turn, and the first that has it answers.
#[test]
fn keys_are_where_they_are() {
    for kem in KEMS {
        let (a, pk_a) = static_key(kem, 1);
        let (_, enc) = ephemeral(kem);
        let (mut share, mut secret) = (vec![0; enc.len()], vec![0; kem.group().secret_len()]);
        let other = KEMS.into_iter().find(|other| other.label() != kem.label()).unwrap();
        for (slot, named) in [(KeySlot(8), kem), (SLOT, other)] {
            assert_eq!(a.public_key(slot, named, &mut share), Err(KeyError::NoKey));
            assert_eq!(a.agree(slot, named, &enc, &mut secret), Err(KeyError::NoKey));
        }
        assert!(share.iter().chain(&secret).all(|byte| *byte == 0));
        let places: [&dyn StaticKeys; 3] = [&NoKeys, &*a, &Slow];
        let places: &dyn StaticKeys = &&places[..];
        assert_eq!(places.public_key(SLOT, kem, &mut share), Ok(()));
        assert_eq!(share, pk_a);
        assert_eq!(places.agree(SLOT, kem, &enc, &mut secret), Ok(()));
        assert_eq!(places.agree(SLOT, kem, &enc[1..], &mut secret), Err(KeyError::BadElement));
        assert_eq!(places.public_key(KeySlot(9), kem, &mut share), Err(KeyError::Pending));
        assert_eq!(NoKeys.agree(SLOT, kem, &enc, &mut secret), Err(KeyError::NoKey));
    }
}

/// A key that counts how often it is asked for a secret.
struct Counted<'a>(&'a dyn StaticKeys, std::cell::Cell<u32>);

impl StaticKeys for Counted<'_> {
    fn public_key(&self, slot: KeySlot, kem: &dyn Kem, share: &mut [u8]) -> Result<(), KeyError> {
        self.0.public_key(slot, kem, share)
    }
    fn agree(&self, slot: KeySlot, kem: &dyn Kem, share: &[u8], secret: &mut [u8]) -> Result<(), KeyError> {
        self.1.set(self.1.get() + 1);
        self.0.agree(slot, kem, share, secret)
    }
}

/// What is remembered gives the same exports, and the key is not asked for it again; what failed, and what another slot or
/// a longer share is about, is not remembered.
#[test]
fn known_peers_are_remembered() {
    for kem in KEMS {
        let ((a, pk_a), (b, pk_b)) = (static_key(kem, 1), static_key(kem, 2));
        let (scalar, enc) = ephemeral(kem);
        let curve = enc.len() == 32;
        let asked = Counted(&*a, std::cell::Cell::new(0));
        let keys = Remembered::<2>::new(&asked);
        let keys = OwnKey { keys: &keys, slot: SLOT };
        let plain = decapsulate(kem, &enc, OwnKey { keys: &*a, slot: SLOT }, Some(&pk_b), &[]).unwrap();
        for times in 1..4 {
            let got = decapsulate(kem, &enc, keys, Some(&pk_b), &[]).unwrap();
            assert_eq!(got.secret::<32>(&[]), plain.secret(&[]));
            assert_eq!(asked.1.get(), if curve { times + 1 } else { 2 * times }, "{kem:?}");
        }
        // As the sender, with the same two keys: the same secret.
        let before = asked.1.get();
        let sent = encapsulate(kem, &scalar, &enc, &pk_b, Some(keys), &[]).unwrap();
        assert_eq!(asked.1.get(), if curve { before } else { before + 1 });
        let own = OwnKey { keys: &*b, slot: SLOT };
        assert_eq!(decapsulate(kem, &enc, own, Some(&pk_a), &[]).unwrap().secret::<32>(&[]), sent.secret(&[]));
    }
    let kem = KEMS[0];
    let (a, _) = static_key(kem, 1);
    let asked = Counted(&*a, std::cell::Cell::new(0));
    let keys = Remembered::<2>::new(&asked);
    let agree = |slot, share: &[u8]| {
        let (mut secret, before) = ([0; 32], asked.1.get());
        (keys.agree_known(KeySlot(slot), kem, share, &mut secret), asked.1.get() - before)
    };
    let [one, two, three] = [2, 3, 4].map(|n| static_key(kem, n).1);
    assert_eq!([agree(SLOT.0, &one), agree(SLOT.0, &one)], [(Ok(()), 1), (Ok(()), 0)]);
    assert_eq!([agree(8, &one), agree(8, &one)], [(Err(KeyError::NoKey), 1); 2]);
    assert_eq!([agree(SLOT.0, &[0; 32]), agree(SLOT.0, &[0; 32])], [(Err(KeyError::BadElement), 1); 2]);
    assert_eq!([agree(SLOT.0, &two), agree(SLOT.0, &one)], [(Ok(()), 1), (Ok(()), 0)]);
    // The oldest gives way.
    assert_eq!(
        [agree(SLOT.0, &three), agree(SLOT.0, &two), agree(SLOT.0, &one)],
        [(Ok(()), 1), (Ok(()), 0), (Ok(()), 1)]
    );
    assert_eq!(format!("{keys:?}"), "Remembered(Known(2 of 2))");
    keys.forget();
    assert_eq!([agree(SLOT.0, &one), agree(SLOT.0, &one)], [(Ok(()), 1), (Ok(()), 0)]);
    assert_eq!(Remembered::<0>::new(&asked).agree_known(SLOT, kem, &one, &mut [0; 32]), Ok(()));
}

/// A stored scalar gives the same key again; one out of range gives none.
#[test]
fn keys_come_back_from_their_scalar() {
    fn check<const N: usize>(kem: &'static dyn Kem) {
        let drawn =
            StaticKey::<N>::generate(SLOT, kem, &mut Script(kdf::hash(&[b"a"]).repeat(2)[..48].to_vec())).unwrap();
        let again = StaticKey::<N>::new(SLOT, kem, drawn.scalar()).unwrap();
        assert_eq!((again.share(), again.scalar()), (drawn.share(), drawn.scalar()));
        assert!(format!("{again:?}").starts_with("StaticKey(7, Kem("));
        let (device, mut blob) = (Device::new(Secret::new([5; 32])), [0; KEY_BLOB]);
        assert_eq!(drawn.seal(&device, &mut blob[..KEY_BLOB - 1]), Err(Error::BufferTooSmall { needed: KEY_BLOB }));
        assert_eq!(drawn.seal(&device, &mut blob), Ok(KEY_BLOB));
        assert_eq!(StaticKey::<N>::restore(SLOT, kem, &device, &blob).unwrap().share(), drawn.share());
        for (device, kem, len) in [
            (&Device::new(Secret::new([6; 32])), kem, KEY_BLOB),
            (&device, if N == 32 && kem.public_len() == 32 { &DHKEM_P256 } else { &DHKEM_X25519 }, KEY_BLOB),
            (&device, kem, KEY_BLOB - 1),
        ] {
            assert_eq!(StaticKey::<N>::restore(SLOT, kem, device, &blob[..len]).map(drop), Err(Error::BadBlob));
        }
        let wrong = StaticKey::<33>::generate(SLOT, kem, &mut Script(vec![1; 48]));
        assert_eq!(wrong.map(drop), Err(KeyError::Failed));
        let none = StaticKey::<N>::generate(SLOT, kem, &mut Script(vec![]));
        assert_eq!(none.map(drop), Err(KeyError::Failed));
        if N > 32 || kem.public_len() == 65 {
            assert_eq!(StaticKey::<N>::new(SLOT, kem, &Secret::zero()).map(drop), Err(KeyError::Failed));
        }
    }
    check::<32>(&DHKEM_X25519);
    check::<32>(&DHKEM_P256);
    check::<256>(&KEM_FFC2048);
    check::<384>(&KEM_FFC3072);
}

/// Exports of any length up to HKDF's limit; a longer one is not a prefix of a shorter.
#[test]
fn exports_have_any_length() {
    let (a, pk_a) = static_key(&DHKEM_X25519, 1);
    let own = OwnKey { keys: &*a, slot: SLOT };
    let (scalar, enc) = ephemeral(&DHKEM_X25519);
    let sent = encapsulate(&DHKEM_X25519, &scalar, &enc, &pk_a, None, &[]).unwrap();
    let received = decapsulate(&DHKEM_X25519, &enc, own, None, &[]).unwrap();
    let (mut long, mut same) = (vec![0; 255 * 32], vec![0; 255 * 32]);
    sent.export(&[b"con", b"text"], &mut long);
    received.export(&[b"context"], &mut same);
    assert_eq!(long, same);
    assert_ne!(sent.secret::<16>(&[b"context"]).expose()[..], long[..16]);
    assert_eq!(format!("{sent:?}"), "Exporter(..)");
}
