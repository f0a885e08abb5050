//! CPace, draft-irtf-cfrg-cpace-21, appendix B.3 (ristretto255) and B.5 (P-256).

use crate::{Script, hex, scalar};
use iotkm::crypto::cpace::{CPACE_P256, CPACE_RISTRETTO255, Cpace, Inputs, MAX_ISK, MAX_SHARE, Message, Role};
use iotkm::crypto::group::{GroupError, P256, PrimeGroup, Ristretto255};
use iotkm::crypto::{Dh, RngError, Secret};

struct Vector {
    suite: &'static dyn Cpace,
    sid: &'static str,
    /// The scalar one, which shows the generator.
    one: &'static str,
    generator: &'static str,
    ya: &'static str,
    yb: &'static str,
    /// Shares as our side sends them: for P-256 x alone.
    a: &'static str,
    b: &'static str,
    /// Shares as the draft prints them.
    draft_a: &'static str,
    draft_b: &'static str,
    isk_ir: &'static str,
    isk_oc: &'static str,
}

const PRS: &[u8] = b"Password";
const CI: &[u8] = b"\x0bA_initiator\x0bB_responder";

const VECTORS: [Vector; 2] = [
    Vector {
        suite: &CPACE_RISTRETTO255,
        sid: "7e4b4791d6a8ef019b936c79fb7f2c57",
        one: "0100000000000000000000000000000000000000000000000000000000000000",
        generator: "222b6b195fe84b1652badb6f6a3ae3d24341e7306967f0b8115b40d5698c7e56",
        ya: "da3d23700a9e5699258aef94dc060dfda5ebb61f02a5ea77fad53f4ff0976d08",
        yb: "d2316b454718c35362d83d69df6320f38578ed5984651435e2949762d900b80d",
        a: "d6bac480f2c386c394efc7c47adb9925dcd2630b64f240c50f8d0eec482b9157",
        b: "3ea7e0b19560d7c0b0f5734f63b955286dfa8232b5ebe63324e2d9e7433f7258",
        draft_a: "d6bac480f2c386c394efc7c47adb9925dcd2630b64f240c50f8d0eec482b9157",
        draft_b: "3ea7e0b19560d7c0b0f5734f63b955286dfa8232b5ebe63324e2d9e7433f7258",
        isk_ir: "b69effbf61b51d56401c0f65601abe428de8206feaaf0e32198896dcae7b35cd2b38950a39dfd5d4a79164614c2984f7daa460b588c1e80c3fa2068af7900447",
        isk_oc: "544199d71f62f8d9a1fee55727e24fe4a45844593c2b6013c4fa3969d0e5debb2244675c0b43397cbb68d342b01fc0f98fc961469a25134de9f0f813c1a57476",
    },
    Vector {
        suite: &CPACE_P256,
        sid: "34b36454cab2e7842c389f7d88ecb7df",
        one: "0000000000000000000000000000000000000000000000000000000000000001",
        generator: "39bff2b051701594d3e9c7e93be9213af15db42214dfc4f7ee929a6697f774d7",
        ya: "37574cfbf1b95ff6a8e2d7be462d4d01e6dde2618f34f4de9df869b24f532c5d",
        yb: "e5672fc9eb4e721f41d80181ec4c9fd9886668acc48024d33c82bb102aecba52",
        a: "cf55f0a53a1b4c43002e1be8171f42737cf20b7cd6177b901ef962c2e2d486b2",
        b: "6f538f9b8eb4e628bcace0fbba7d36fea44e98334d233c22101a2f28eb3afc1a",
        draft_a: "04cf55f0a53a1b4c43002e1be8171f42737cf20b7cd6177b901ef962c2e2d486b2f738263c6da5aa902fe185ae2cda587df8d27a16fc19c32a7b31aab097919736",
        draft_b: "046f538f9b8eb4e628bcace0fbba7d36fea44e98334d233c22101a2f28eb3afc1a61b2bd14c0f11b222b5ea34df7756d104e2b5da09c9e8ffa330c150f47e84cef",
        isk_ir: "d67704f1c69b85736f273e73198a79fe5e4f60cb405e32f708e0aff5fdb5f9db",
        isk_oc: "724ffa2de3685f12a10bb2eb013cb6c0378acef40b78f5b21dbd69f72478e32b",
    },
];

fn start(suite: &dyn Cpace, sid: &[u8], scalar: Vec<u8>) -> (Secret<32>, Vec<u8>) {
    let mut drawn = Secret::zero();
    let mut share = vec![0; suite.share_len()];
    let inputs = Inputs { prs: PRS, ci: CI, sid };
    suite.start(&inputs, &mut Script(scalar), &mut drawn, &mut share).unwrap();
    (drawn, share)
}

fn finish(
    suite: &dyn Cpace,
    scalar: &Secret<32>,
    sid: &[u8],
    own: (&[u8], &[u8]),
    peer: (&[u8], &[u8]),
    role: Role,
) -> Result<Vec<u8>, GroupError> {
    let mut isk = vec![0; suite.isk_len()];
    let [own, peer] = [own, peer].map(|(share, ad)| Message { share, ad });
    suite.finish(scalar, sid, own, peer, role, &mut isk).map(|()| isk)
}

#[test]
fn generators_and_shares_are_the_drafts() {
    for v in VECTORS {
        let sid = hex(v.sid);
        assert_eq!(start(v.suite, &sid, hex(v.one)).1, hex(v.generator));
        assert_eq!(start(v.suite, &sid, hex(v.ya)).1, hex(v.a));
        assert_eq!(start(v.suite, &sid, hex(v.yb)).1, hex(v.b));
    }
}

#[test]
fn keys_are_the_drafts() {
    for v in VECTORS {
        let sid = hex(v.sid);
        let (ya, yb) = (scalar(v.ya), scalar(v.yb));
        let (a, b) = (hex(v.draft_a), hex(v.draft_b));
        let (to_a, to_b) = ((&a[..], &b"ADa"[..]), (&b[..], &b"ADb"[..]));
        for (scalar, own, peer, role, isk) in [
            (&ya, to_a, to_b, Role::Initiator, v.isk_ir),
            (&yb, to_b, to_a, Role::Responder, v.isk_ir),
            (&ya, to_a, to_b, Role::Parallel, v.isk_oc),
            (&yb, to_b, to_a, Role::Parallel, v.isk_oc),
        ] {
            assert_eq!(finish(v.suite, scalar, &sid, own, peer, role), Ok(hex(isk)), "{role:?}");
        }
    }
}

/// With our shares, too, both sides get one key, and nobody else does.
#[test]
fn both_sides_agree_only_on_the_same() {
    for v in VECTORS {
        let sid = hex(v.sid);
        let (ya, a) = start(v.suite, &sid, hex(v.ya));
        let (yb, b) = start(v.suite, &sid, hex(v.yb));
        let key = finish(v.suite, &ya, &sid, (&a, b"x"), (&b, b"y"), Role::Initiator).unwrap();
        assert_eq!(finish(v.suite, &yb, &sid, (&b, b"y"), (&a, b"x"), Role::Responder).unwrap(), key);
        for other in [
            finish(v.suite, &yb, &sid, (&b, b"y"), (&a, b"x"), Role::Initiator),
            finish(v.suite, &yb, &sid, (&b, b"y"), (&a, b"z"), Role::Responder),
            finish(v.suite, &yb, &sid, (&b, b""), (&a, b"x"), Role::Responder),
            finish(v.suite, &yb, &[], (&b, b"y"), (&a, b"x"), Role::Responder),
            finish(v.suite, &ya, &sid, (&a, b"x"), (&a, b"x"), Role::Parallel),
        ] {
            assert_ne!(other.unwrap(), key);
        }
        for (prs, ci, sid) in [(&b"password"[..], CI, &sid[..]), (PRS, &CI[1..], &sid), (PRS, CI, b"")] {
            let (mut scalar, mut share) = (Secret::zero(), vec![0; v.suite.share_len()]);
            v.suite.start(&Inputs { prs, ci, sid }, &mut Script(hex(v.ya)), &mut scalar, &mut share).unwrap();
            assert_ne!(share, a);
        }
    }
}

/// The draft's `lv_cat`, from its definition (appendix A.1.3).
fn lv_cat(fields: &[&[u8]]) -> Vec<u8> {
    let mut out = Vec::new();
    for field in fields {
        let mut length = field.len();
        while length >= 128 {
            out.push((length % 128) as u8 | 0x80);
            length /= 128;
        }
        out.push(length as u8);
        out.extend_from_slice(field);
    }
    out
}

/// Lengths that take one, two and three bytes, codes within the first block and beyond.
#[test]
fn any_length_of_input() {
    use curve25519_dalek::ristretto::RistrettoPoint;
    use sha2::{Digest, Sha512};
    let long = [b'p'; 20_000];
    let dsi = b"CPaceRistretto255";
    for length in [0, 1, 22, 99, 107, 108, 109, 110, 127, 128, 129, 16383, 16384, 20_000] {
        let (prs, ci, sid) = (&long[..length], &long[..length / 2], &long[..length / 3]);
        let pad = 127usize.saturating_sub(lv_cat(&[prs]).len() + lv_cat(&[dsi]).len());
        let string = lv_cat(&[dsi, prs, &vec![0; pad], ci, sid]);
        let expected = RistrettoPoint::from_uniform_bytes(&Sha512::digest(string).into()).compress();
        let (mut scalar, mut share) = (Secret::zero(), [0; 32]);
        let one = hex(VECTORS[0].one);
        CPACE_RISTRETTO255.start(&Inputs { prs, ci, sid }, &mut Script(one), &mut scalar, &mut share).unwrap();
        assert_eq!(share, expected.0, "{length}");

        let (a, b) = (hex(VECTORS[0].a), hex(VECTORS[0].b));
        let mut k = [0; 32];
        Ristretto255.power(&b, &crate::scalar(VECTORS[0].ya), &mut k).unwrap();
        let ya = crate::scalar(VECTORS[0].ya);
        let hash = |order: &[&[u8]], fields: &[&[u8]]| {
            let head = lv_cat(&[b"CPaceRistretto255_ISK", sid, &k]);
            Sha512::digest([&head, &order.concat()[..], &lv_cat(fields)].concat()).to_vec()
        };
        let isk = |role| finish(&CPACE_RISTRETTO255, &ya, sid, (&a, prs), (&b, ci), role).unwrap();
        assert_eq!(isk(Role::Initiator), hash(&[], &[&a, prs, &b, ci]));
        assert_eq!(isk(Role::Responder), hash(&[], &[&b, ci, &a, prs]));
        // The draft's A is the greater: its share is d6..., B's 3e...
        assert_eq!(isk(Role::Parallel), hash(&[b"oc"], &[&a, prs, &b, ci]));
        // One share on both sides: the associated data decide, a shorter one by its length.
        let isk = |role| finish(&CPACE_RISTRETTO255, &ya, sid, (&b, prs), (&b, ci), role).unwrap();
        let [first, second] = if lv_cat(&[prs]) > lv_cat(&[ci]) { [prs, ci] } else { [ci, prs] };
        assert_eq!(isk(Role::Parallel), hash(&[b"oc"], &[&b, first, &b, second]));
    }
}

/// The draft's valid and invalid points: "the protocol MUST abort".
#[test]
fn bad_points_end_the_run() {
    let valid = "2c3c6b8c4f3800e7aef6864025b4ed79bd599117e427c41bd47d93d654b4a51c";
    let s = scalar("7cd0e075fa7955ba52c02759a6c90dbbfc10e6d40aea8d283e407d88cf538a05");
    let mut out = [0; 32];
    Ristretto255.power(&hex(valid), &s, &mut out).unwrap();
    assert_eq!(out[..], hex("7c13645fe790a468f62c39beb7388e541d8405d1ade69d1778c5fe3e7f6b600e"));
    for bad in ["2b3c6b8c4f3800e7aef6864025b4ed79bd599117e427c41bd47d93d654b4a51c", &"00".repeat(32), "", &valid[..62]]
    {
        let own = (&hex(valid)[..], &b""[..]);
        let done = finish(&CPACE_RISTRETTO255, &s, b"", own, (&hex(bad), b""), Role::Initiator);
        assert_eq!(done, Err(GroupError::BadElement));
    }

    let x = "24648eb986c2be0af636455cef0550671d6bcd8aa26e0d72ffa1b1fd12ba4e0f";
    let y = "78da2b6d2184f31af39e566aef127014b6936c9a37346d10a4ab2514faef5831";
    let (valid, off) = (format!("04{x}{y}"), format!("04{x}{}57", &y[..62]));
    let s = scalar("f012501c091ff9b99a123fffe571d8bc01e8077ee581362e1bd213990835643b");
    let mut out = [0; 65];
    P256.power(&hex(&valid), &s, &mut out).unwrap();
    let product = "f5a191f078c87c36633b78c701751159d56c59f3fe9105b5720673470f303ab9
        25b6a7fd1cdd8f649a21cf36b68d9e9c4a11919a951892519786104b27033757";
    assert_eq!(out[1..], hex(product));
    let mut secret = [0; 32];
    P256.agree(&s, &hex(x), &mut secret).unwrap();
    assert_eq!(secret, out[1..33]);
    // Also an x with no point, and one that is not reduced.
    let (no_point, large) = (format!("{:064x}", 1), "ff".repeat(32));
    for bad in [&off, "00", "", &no_point, &large, &valid[..64], &valid[..128]] {
        let own = (&hex(&valid)[..], &b""[..]);
        let done = finish(&CPACE_P256, &s, b"", own, (&hex(bad), b""), Role::Initiator);
        assert_eq!(done, Err(GroupError::BadElement));
        let done = finish(&CPACE_P256, &s, b"", (&hex(bad), b""), own, Role::Initiator);
        assert_eq!(done, Err(GroupError::BadElement));
    }
}

#[test]
fn failures_of_the_caller() {
    for v in VECTORS {
        assert!(v.suite.share_len() <= MAX_SHARE && v.suite.isk_len() <= MAX_ISK);
        let inputs = Inputs { prs: PRS, ci: b"", sid: b"" };
        let (mut scalar, mut share) = (Secret::zero(), [0; MAX_SHARE]);
        let failed = v.suite.start(&inputs, &mut Script(vec![]), &mut scalar, &mut share);
        assert_eq!(failed, Err(GroupError::Rng(RngError)));
        // Buffers that are too short.
        let failed = v.suite.start(&inputs, &mut Script(hex(v.ya)), &mut scalar, &mut share[..31]);
        assert_eq!(failed, Err(GroupError::BadElement));
        let (a, b) = (hex(v.a), hex(v.b));
        let [own, peer] = [&a, &b].map(|share| Message { share, ad: b"" });
        let failed = v.suite.finish(&scalar, b"", own, peer, Role::Initiator, &mut [0; 31]);
        assert_eq!(failed, Err(GroupError::BadElement));
    }
}
