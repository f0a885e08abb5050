//! X25519, ristretto255, P-256 and the subgroups of Z_p*.

use crate::{Script, hex, hex32, scalar};
use iotkm::crypto::group::{
    Dh, FFC2048, FFC3072, GroupError, LONGEST, P256, PrimeGroup, Ristretto255, Scalar, X25519, lend,
};
use iotkm::crypto::{Rng, RngError, Secret};
use proptest::prelude::*;

const BAD: Result<(), GroupError> = Err(GroupError::BadElement);

static DH: [&dyn Dh; 5] = [&X25519, &Ristretto255, &P256, &FFC2048, &FFC3072];
static GROUPS: [&dyn PrimeGroup; 4] = [&Ristretto255, &P256, &FFC2048, &FFC3072];

fn power(group: &dyn PrimeGroup, element: &[u8], scalar: &Scalar) -> Result<Vec<u8>, GroupError> {
    let mut out = vec![0; group.element_len()];
    group.power(element, scalar, &mut out).map(|()| out)
}

fn base(group: &dyn PrimeGroup, scalar: &Scalar) -> Vec<u8> {
    let mut out = vec![0; group.element_len()];
    group.base(scalar, &mut out);
    out
}

fn double_power(group: &dyn PrimeGroup, a: &[u8], x: &Scalar, b: &[u8], y: &Scalar) -> Result<Vec<u8>, GroupError> {
    let mut out = vec![0; group.element_len()];
    group.double_power(a, x, b, y, &mut out).map(|()| out)
}

/// Where the lowest byte of a scalar is: ristretto255 is little-endian.
fn lowest(group: &dyn PrimeGroup) -> usize {
    if group.element_len() == 32 { 0 } else { 31 }
}

/// A small number in the group's byte order.
fn small(group: &dyn PrimeGroup, number: u8) -> Scalar {
    let mut bytes = [0; 32];
    bytes[lowest(group)] = number;
    Secret::new(bytes)
}

/// The order minus `number`.
fn negative(group: &dyn PrimeGroup, number: u8) -> Scalar {
    let mut bytes = hex32(order(group));
    bytes[lowest(group)] -= number;
    Secret::new(bytes)
}

fn order(group: &dyn PrimeGroup) -> &'static str {
    match group.element_len() {
        32 => RISTRETTO_ORDER,
        65 => P256_ORDER,
        256 => FFC2048_ORDER,
        _ => FFC3072_ORDER,
    }
}

const RISTRETTO_ORDER: &str = "edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010";
const FFC2048_ORDER: &str = "f904e52248d282eaefeaedad643766bda0dcc45595e3a94606a0abe929610d3b";
const FFC3072_ORDER: &str = "f04af57125d271e8bde55572ba1773b9082619c76156b7f4535268b596486e59";
const P256_ORDER: &str = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";

// X25519

fn x25519(scalar: &Scalar, u: &[u8]) -> Result<[u8; 32], GroupError> {
    let mut out = [0; 32];
    X25519.agree(scalar, u, &mut out).map(|()| out)
}

/// RFC 7748, section 5.2.
#[test]
fn x25519_is_rfc_7748() {
    for (k, u, result) in [
        (
            "a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4",
            "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c",
            "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552",
        ),
        (
            "4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d",
            "e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493",
            "95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957",
        ),
    ] {
        assert_eq!(x25519(&scalar(k), &hex(u)), Ok(hex32(result)));
    }
    let mut k = [0; 32];
    k[0] = 9;
    let mut u = k;
    for round in 1..=1000 {
        let result = x25519(&Secret::new(k), &u).unwrap();
        (u, k) = (k, result);
        if round == 1 {
            assert_eq!(k, hex32("422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079"));
        }
    }
    assert_eq!(k, hex32("684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51"));
}

/// RFC 7748, section 6.1.
#[test]
fn x25519_keys_are_rfc_7748() {
    let a = "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a";
    let b = "5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb";
    let (mut ka, mut kb, mut pa, mut pb) = (Secret::zero(), Secret::zero(), [0; 32], [0; 32]);
    X25519.generate(&mut Script(hex(a)), &mut ka, &mut pa).unwrap();
    X25519.generate(&mut Script(hex(b)), &mut kb, &mut pb).unwrap();
    assert_eq!(pa, hex32("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a"));
    assert_eq!(pb, hex32("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f"));
    let shared = hex32("4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742");
    assert_eq!((x25519(&ka, &pb), x25519(&kb, &pa)), (Ok(shared), Ok(shared)));
}

/// The points of small order, on the curve and its twist, reduced or not, give zero whatever the scalar.
#[test]
fn x25519_refuses_small_order() {
    for u in [
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    ] {
        let mut high = hex32(u);
        high[31] |= 0x80;
        for (k, u) in [[0; 32], [0xff; 32], [0x42; 32]].into_iter().flat_map(|k| [(k, hex32(u)), (k, high)]) {
            let mut out = [7; 32];
            assert_eq!(X25519.agree(&Secret::new(k), &u, &mut out), BAD);
            assert_eq!(out, [7; 32]);
        }
    }
}

/// Points that would be of small order if bit 255 counted (draft-irtf-cfrg-cpace-21, appendix B.1.10): RFC 7748 masks it.
#[test]
fn x25519_ignores_bit_255() {
    let s = scalar("af46e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449aff");
    for (u, result) in [
        (
            "daffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
            "d8e2c776bbacd510d09fd9278b7edcd25fc5ae9adfba3b6e040e8d3b71b21806",
        ),
        (
            "dbffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
            "c85c655ebe8be44ba9c0ffde69f2fe10194458d137f09bbff725ce58803cdb38",
        ),
        (
            "d9ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
            "db64dafa9b8fdd136914e61461935fe92aa372cb056314e1231bc4ec12417456",
        ),
        (
            "cdeb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b880",
            "e062dcd5376d58297be2618c7498f55baa07d7e03184e8aada20bca28888bf7a",
        ),
        (
            "4c9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f11d7",
            "993c6ad11c4c29da9a56f7691fd0ff8d732e49de6250b6c2e80003ff4629a175",
        ),
    ] {
        assert_eq!(x25519(&s, &hex(u)), Ok(hex32(result)));
    }
}

// ristretto255

/// RFC 9496, appendix A.1: multiples of the generator, from 1 on.
const MULTIPLES: [&str; 15] = [
    "e2f2ae0a6abc4e71a884a961c500515f58e30b6aa582dd8db6a65945e08d2d76",
    "6a493210f7499cd17fecb510ae0cea23a110e8d5b901f8acadd3095c73a3b919",
    "94741f5d5d52755ece4f23f044ee27d5d1ea1e2bd196b462166b16152a9d0259",
    "da80862773358b466ffadfe0b3293ab3d9fd53c5ea6c955358f568322daf6a57",
    "e882b131016b52c1d3337080187cf768423efccbb517bb495ab812c4160ff44e",
    "f64746d3c92b13050ed8d80236a7f0007c3b3f962f5ba793d19a601ebb1df403",
    "44f53520926ec81fbd5a387845beb7df85a96a24ece18738bdcfa6a7822a176d",
    "903293d8f2287ebe10e2374dc1a53e0bc887e592699f02d077d5263cdd55601c",
    "02622ace8f7303a31cafc63f8fc48fdc16e1c8c8d234b2f0d6685282a9076031",
    "20706fd788b2720a1ed2a5dad4952b01f413bcf0e7564de8cdc816689e2db95f",
    "bce83f8ba5dd2fa572864c24ba1810f9522bc6004afe95877ac73241cafdab42",
    "e4549ee16b9aa03099ca208c67adafcafa4c3f3e4e5303de6026e3ca8ff84460",
    "aa52e000df2e16f55fb1032fc33bc42742dad6bd5a8fc0be0167436c5948501f",
    "46376b80f409b29dc2b5f6f0c52591990896e5716f41477cd30085ab7f10301e",
    "e0c418f7c8d9c4cdd7395b93ea124f3ad99021bb681dfc3302a9d99a2e53e64e",
];

/// RFC 9496, appendix A.2: not canonical, negative, not a square, negative xy, s = -1; and the identity, which is
/// an encoding but no element for us.
const INVALID: [&str; 30] = [
    "00ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "f3ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "01ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "ed57ffd8c914fb201471d1c3d245ce3c746fcbe63a3679d51b6a516ebebe0e20",
    "c34c4e1826e5d403b78e246e88aa051c36ccf0aafebffe137d148a2bf9104562",
    "c940e5a4404157cfb1628b108db051a8d439e1a421394ec4ebccb9ec92a8ac78",
    "47cfc5497c53dc8e61c91d17fd626ffb1c49e2bca94eed052281b510b1117a24",
    "f1c6165d33367351b0da8f6e4511010c68174a03b6581212c71c0e1d026c3c72",
    "87260f7a2f12495118360f02c26a470f450dadf34a413d21042b43b9d93e1309",
    "26948d35ca62e643e26a83177332e6b6afeb9d08e4268b650f1f5bbd8d81d371",
    "4eac077a713c57b4f4397629a4145982c661f48044dd3f96427d40b147d9742f",
    "de6a7b00deadc788eb6b6c8d20c0ae96c2f2019078fa604fee5b87d6e989ad7b",
    "bcab477be20861e01e4a0e295284146a510150d9817763caf1a6f4b422d67042",
    "2a292df7e32cababbd9de088d1d1abec9fc0440f637ed2fba145094dc14bea08",
    "f4a9e534fc0d216c44b218fa0c42d99635a0127ee2e53c712f70609649fdff22",
    "8268436f8c4126196cf64b3c7ddbda90746a378625f9813dd9b8457077256731",
    "2810e5cbc2cc4d4eece54f61c6f69758e289aa7ab440b3cbeaa21995c2f4232b",
    "3eb858e78f5a7254d8c9731174a94f76755fd3941c0ac93735c07ba14579630e",
    "a45fdc55c76448c049a1ab33f17023edfb2be3581e9c7aade8a6125215e04220",
    "d483fe813c6ba647ebbfd3ec41adca1c6130c2beeee9d9bf065c8d151c5f396e",
    "8a2e1d30050198c65a54483123960ccc38aef6848e1ec8f5f780e8523769ba32",
    "32888462f8b486c68ad7dd9610be5192bbeaf3b443951ac1a8118419d9fa097b",
    "227142501b9d4355ccba290404bde41575b037693cef1f438c47f8fbf35d1165",
    "5c37cc491da847cfeb9281d407efc41e15144c876e0170b499a96a22ed31e01e",
    "445425117cb8c90edcbc7c1cc0e74f747f2c1efa5630a967c64f287792a48a4b",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0000000000000000000000000000000000000000000000000000000000000000",
];

#[test]
fn ristretto_is_rfc_9496() {
    for (i, expected) in (1..).zip(MULTIPLES) {
        assert_eq!(base(&Ristretto255, &small(&Ristretto255, i)), hex(expected));
        assert_eq!(power(&Ristretto255, &hex(MULTIPLES[0]), &small(&Ristretto255, i)), Ok(hex(expected)));
    }
    refuse(&Ristretto255, INVALID.map(hex));
    for bad in INVALID {
        assert_eq!(Ristretto255.agree(&Secret::new([5; 32]), &hex(bad), &mut [0; 32]), BAD);
    }
}

/// RFC 9496, appendix A.3: the map that CPace takes from the library.
#[test]
fn ristretto_from_uniform_bytes_is_rfc_9496() {
    use curve25519_dalek::ristretto::RistrettoPoint;
    use sha2::{Digest, Sha512};
    for (label, expected) in [
        (
            "Ristretto is traditionally a short shot of espresso coffee",
            "3066f82a1a747d45120d1740f14358531a8f04bbffe6a819f86dfe50f44a0a46",
        ),
        (
            "made with the normal amount of ground coffee but extracted with",
            "f26e5b6f7d362d2d2a94c5d0e7602cb4773c95a2e5c31a64f133189fa76ed61b",
        ),
        (
            "about half the amount of water in the same amount of time",
            "006ccd2a9e6867e6a2c5cea83d3302cc9de128dd2a9a57dd8ee7b9d7ffe02826",
        ),
        ("by using a finer grind.", "f8f0c87cf237953c5890aec3998169005dae3eca1fbb04548c635953c817f92a"),
        (
            "This produces a concentrated shot of coffee per volume.",
            "ae81e7dedf20a497e10c304a765c1767a42d6e06029758d2d7e8ef7cc4c41179",
        ),
        (
            "Just pulling a normal shot short will produce a weaker shot",
            "e2705652ff9f5e44d3e841bf1c251cf7dddb77d140870d1ab2ed64f1a9ce8628",
        ),
        ("and is not a Ristretto as some believe.", "80bd07262511cdde4863f8a7434cef696750681cb9510eea557088f76d9e5065"),
    ] {
        let uniform = Sha512::digest(label).into();
        assert_eq!(RistrettoPoint::from_uniform_bytes(&uniform).compress().0, hex32(expected));
    }
}

// P-256

/// RFC 5903, section 8.1.
const I: &str = "c88f01f510d9ac3f70a292daa2316de544e9aab8afe84049c62a9c57862d1433";
const G_I: [&str; 2] = [
    "dad0b65394221cf9b051e1feca5787d098dfe637fc90b9ef945d0c3772581180",
    "5271a0461cdb8252d61f1c456fa3e59ab1f45b33accf5f58389e0577b8990bb3",
];
const R: &str = "c6ef9c5d78ae012a011164acb397ce2088685d8f06bf9be0b283ab46476bee53";
const G_R: [&str; 2] = [
    "d12dfb5289c8d4f81208b70270398c342296970a0bccb74c736fc7554494bf63",
    "56fbf3ca366cc23e8157854c13c58d6aac23f046ada30f8353e74f33039872ab",
];
const G_IR: &str = "d6840f6b42f6edafd13116e0e12565202fef8e9ece7dce03812464d04b9442de";

fn point([x, y]: [&str; 2]) -> Vec<u8> {
    hex(&format!("04{x}{y}"))
}

#[test]
fn p256_is_rfc_5903() {
    assert_eq!(base(&P256, &scalar(I)), point(G_I));
    assert_eq!(base(&P256, &scalar(R)), point(G_R));
    for (mine, theirs) in [(I, G_R), (R, G_I)] {
        assert_eq!(power(&P256, &point(theirs), &scalar(mine)).unwrap()[1..33], hex(G_IR));
        let mut secret = [0; 32];
        P256.agree(&scalar(mine), &hex(theirs[0]), &mut secret).unwrap();
        assert_eq!(secret, hex32(G_IR));
    }
}

/// Both keys above have an odd y: the generator takes the negative scalar, the share is the same x.
#[test]
fn p256_generates_even_y() {
    let mut parities = [0, 0];
    for number in 1..=40u8 {
        let drawn = small(&P256, number);
        let (mut kept, mut share) = (Secret::zero(), [0; 32]);
        P256.generate(&mut Script(drawn.expose().to_vec()), &mut kept, &mut share).unwrap();
        let (before, after) = (base(&P256, &drawn), base(&P256, &kept));
        assert_eq!((after[64] % 2, &after[1..33]), (0, &share[..]));
        assert_eq!(share[..], before[1..33]);
        assert_eq!(kept, if before[64] % 2 == 0 { drawn } else { negative(&P256, number) });
        parities[usize::from(before[64] % 2)] += 1;
    }
    assert!(parities[0] > 5 && parities[1] > 5);
}

#[test]
fn p256_refuses_what_is_no_point() {
    let good = point(G_I);
    let p = "ffffffff00000001000000000000000000000000ffffffffffffffffffffffff";
    let ones = "ff".repeat(32);
    // (0, y) is on the curve; x = p is the same number, not reduced.
    let y0 = "66485c780e2f83d72433bd5d84a06bb6541c2af31dae871728bf856a174f93f4";
    assert!(power(&P256, &point([&"00".repeat(32), y0]), &small(&P256, 2)).is_ok());
    refuse(&P256, [[p, y0], [G_I[0], G_R[1]], [G_I[0], p], [ones.as_str(); 2]].map(point));
    // The identity, the other forms of SEC 1 (compressed, hybrid), and any other length.
    refuse(&P256, [vec![0], vec![0; 65]]);
    refuse(&P256, (0..=255).filter(|form| *form != 4).map(|form| [&[form], &good[1..]].concat()));
    refuse(&P256, (0..=255).map(|form| [&[form], &good[1..33]].concat()));
    refuse(&P256, (0..65).chain([66, 97]).map(|length| good.iter().copied().cycle().take(length).collect()));
}

#[test]
fn p256_refuses_x_without_a_point() {
    let p = "ffffffff00000001000000000000000000000000ffffffffffffffffffffffff";
    let mut secret = [7; 32];
    for x in [format!("{:064x}", 1), format!("{:064x}", 2), p.into(), "ff".repeat(32), G_I[0][2..].into()] {
        assert_eq!(P256.agree(&scalar(I), &hex(&x), &mut secret), BAD);
        assert_eq!(secret, [7; 32]);
    }
    assert_eq!(P256.agree(&scalar(I), &hex(&format!("{:064x}", 5)), &mut secret), Ok(()));
}

// All of them

fn refuse(group: &dyn PrimeGroup, bad: impl IntoIterator<Item = Vec<u8>>) {
    let (two, good) = (small(group, 2), base(group, &small(group, 3)));
    for bad in bad {
        assert_eq!(power(group, &bad, &two), Err(GroupError::BadElement), "{bad:02x?}");
        assert_eq!(double_power(group, &bad, &two, &good, &two), Err(GroupError::BadElement));
        assert_eq!(double_power(group, &good, &two, &bad, &two), Err(GroupError::BadElement));
    }
}

#[test]
fn two_sides_agree() {
    for dh in DH {
        let draw = if dh.share_len() == 32 { 32 } else { 48 };
        let mut rng = Script((1..=2 * draw).collect());
        let (mut a, mut b) = (Secret::zero(), Secret::zero());
        let (mut ga, mut gb) = (vec![0; dh.share_len()], vec![0; dh.share_len()]);
        dh.generate(&mut rng, &mut a, &mut ga).unwrap();
        dh.generate(&mut rng, &mut b, &mut gb).unwrap();
        assert!(rng.0.is_empty());
        let (mut ab, mut ba) = (vec![0; dh.secret_len()], vec![0; dh.secret_len()]);
        dh.agree(&a, &gb, &mut ab).unwrap();
        dh.agree(&b, &ga, &mut ba).unwrap();
        assert_eq!(ab, ba);
        assert_ne!(ab, vec![0; dh.secret_len()]);
        // What does not fit is refused, and nothing written.
        for wrong in [&ga[1..], &[&ga[..], &[0]].concat(), &[]] {
            assert_eq!(dh.agree(&a, wrong, &mut ab), BAD);
        }
        let mut short = vec![7; dh.secret_len() - 1];
        assert_eq!(dh.agree(&a, &gb, &mut short), BAD);
        assert!(short.iter().all(|byte| *byte == 7));
        assert_eq!(dh.generate(&mut Script(vec![1; 48]), &mut a, &mut short), BAD);
    }
}

#[test]
fn no_randomness_no_key() {
    for dh in DH {
        let (mut scalar, mut share) = (Secret::zero(), [7; 32]);
        let failed = dh.generate(&mut Script(vec![1; 31]), &mut scalar, &mut share);
        assert_eq!((failed, share), (Err(GroupError::Rng(RngError)), [7; 32]));
    }
}

/// A source of one byte for ever.
struct Only(u8);

impl Rng for Only {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), RngError> {
        out.fill(self.0);
        Ok(())
    }
}

#[test]
fn scalars_are_in_range() {
    let mut drawn = Secret::zero();
    for group in GROUPS {
        assert_eq!(group.random_scalar(&mut Only(0), &mut drawn), Err(GroupError::Rng(RngError)));
        assert_eq!(group.random_scalar(&mut Script(vec![]), &mut drawn), Err(GroupError::Rng(RngError)));
    }
    // ristretto255: 252 bits.
    Ristretto255.random_scalar(&mut Only(0xff), &mut drawn).unwrap();
    assert_eq!(drawn, Secret::new(hex32(&["ff".repeat(31), "0f".into()].concat())));
    // P-256: what is not below the order is drawn again, but not for ever.
    assert_eq!(P256.random_scalar(&mut Only(0xff), &mut drawn), Err(GroupError::Rng(RngError)));
    assert_eq!(drawn, Secret::zero());
    let draws = [P256_ORDER, &"00".repeat(32), I].concat();
    P256.random_scalar(&mut Script(hex(&draws)), &mut drawn).unwrap();
    assert_eq!(drawn, scalar(I));
    P256.random_scalar(&mut Script(negative(&P256, 1).expose().to_vec()), &mut drawn).unwrap();
    assert_eq!(drawn, negative(&P256, 1));
}

/// 48 bytes in the group's byte order, as Python computes it.
#[test]
fn reduction() {
    let ramp: [u8; 48] = core::array::from_fn(|i| (i as u8).wrapping_mul(37).wrapping_add(11));
    let mut reduced = Secret::zero();
    for (group, wide, expected) in [
        (GROUPS[0], ramp, "5d828d989b1f3d6667b6eb7c70bfa9a4d8e78fd876d2d445fa882f444454530e"),
        (GROUPS[0], [0xff; 48], "70622aa02921823995dd4f5e437f4ab631c1a2305aced97e9a3286d015621002"),
        (GROUPS[1], ramp, "7b6636cafdc26d654e21efa830cb372efcc95a04beafab5c518ca70ccd81f518"),
        (GROUPS[1], [0xff; 48], "431905529c0166ce652e96b7ccca0a99679b73e19ad16947f01cf013fc632550"),
        (GROUPS[2], ramp, "001888b5d9f1f00b0dd1f71db9ce2030d75185922ed10612f2b3f2e1582d0ea7"),
        (GROUPS[2], [0xff; 48], "14f887ac7fdf321c6326d47f9c95916121d9a022f47bf504ff5e83b760e3b5b5"),
        (GROUPS[3], ramp, "592aec631f6ad2af099f94a359d51d8c58f1f855d77c3f63d6d32f4c13a92c11"),
        (GROUPS[3], [0xff; 48], "1ba116484c427ad343edef770161903230f80dd0f576b18f23c43c850b2bdea9"),
    ] {
        group.reduce(&wide, &mut reduced).unwrap();
        assert_eq!(reduced, scalar(expected));
    }
    for group in GROUPS {
        let order = [&[0; 16], &hex32(order(group))[..], &[0; 16]].concat();
        let order = if lowest(group) == 0 { &order[16..] } else { &order[..48] };
        assert_eq!(group.reduce(&[0; 48], &mut reduced), BAD);
        assert_eq!(group.reduce(order.try_into().unwrap(), &mut reduced), BAD);
    }
}

/// g^(ab + c) = (g^a)^b g^c, and what adds up to nothing is refused.
#[test]
fn scalars_multiply_and_add() {
    for group in GROUPS {
        let wide = |byte| [byte; 48];
        let [a, b, c] = [1, 2, 3].map(|byte| reduced(group, &wide(byte)));
        let (one, zero) = (small(group, 1), small(group, 0));
        let mut sum = Secret::zero();
        group.mul_add(&a, &b, &c, &mut sum).unwrap();
        let ga = base(group, &a);
        assert_eq!(base(group, &sum), double_power(group, &ga, &b, &base(group, &one), &c).unwrap());
        group.mul_add(&a, &one, &zero, &mut sum).unwrap();
        assert_eq!(sum, a);
        group.mul_add(&negative(group, 3), &negative(group, 5), &negative(group, 7), &mut sum).unwrap();
        assert_eq!(sum, small(group, 8));
        assert_eq!(group.mul_add(&a, &zero, &zero, &mut sum), BAD);
        assert_eq!(group.mul_add(&small(group, 3), &small(group, 2), &negative(group, 6), &mut sum), BAD);
    }
}

/// Shares as elements and back; an element whose y is odd has no share.
#[test]
fn shares_are_elements() {
    for group in GROUPS {
        let (mut scalar, mut share) = (Secret::zero(), vec![0; group.share_len()]);
        group.generate(&mut Script((1..=48).collect()), &mut scalar, &mut share).unwrap();
        let (mut element, mut again) = (vec![0; group.element_len()], vec![0; group.share_len()]);
        group.element_of_share(&share, &mut element).unwrap();
        assert_eq!(element, base(group, &scalar));
        group.share_of_element(&element, &mut again).unwrap();
        assert_eq!(again, share);
        for wrong in [&share[1..], &[]] {
            assert_eq!(group.element_of_share(wrong, &mut element), BAD);
        }
        assert_eq!(group.element_of_share(&share, &mut element[1..]), BAD);
        let mut shares = [0, 0];
        for number in 1..=20 {
            let element = base(group, &small(group, number));
            let odd = element.len() == 65 && element[64] % 2 == 1;
            assert_eq!(group.share_of_element(&element, &mut share).is_err(), odd);
            shares[usize::from(odd)] += 1;
        }
        assert_eq!(shares[1] > 3, group.element_len() == 65);
    }
}

/// Zero and the order itself give the identity, which nobody takes.
#[test]
fn no_identity_comes_out() {
    for group in GROUPS {
        let g = base(group, &small(group, 1));
        let (one, minus_one) = (small(group, 1), negative(group, 1));
        for zero in [small(group, 0), negative(group, 0)] {
            assert_eq!(power(group, &g, &zero), Err(GroupError::BadElement));
            refuse(group, [base(group, &zero)]);
            assert_eq!(double_power(group, &g, &zero, &g, &zero), Err(GroupError::BadElement));
            assert_eq!(double_power(group, &g, &zero, &g, &one), Ok(g.clone()));
        }
        assert_eq!(double_power(group, &g, &one, &g, &minus_one), Err(GroupError::BadElement));
        assert_eq!(double_power(group, &g, &one, &g, &one), power(group, &g, &small(group, 2)));
    }
}

#[test]
fn short_buffers_are_refused() {
    for group in GROUPS {
        let two = small(group, 2);
        let g = base(group, &two);
        let mut short = vec![7; group.element_len() - 1];
        group.base(&two, &mut short);
        assert_eq!(group.power(&g, &two, &mut short), BAD);
        assert_eq!(group.double_power(&g, &two, &g, &two, &mut short), BAD);
        assert!(short.iter().all(|byte| *byte == 7));
    }
}

/// A scalar that any 48 bytes stand for.
fn reduced(group: &dyn PrimeGroup, wide: &[u8]) -> Scalar {
    let mut scalar = Secret::zero();
    group.reduce(wide.try_into().unwrap(), &mut scalar).unwrap();
    scalar
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    /// (g^s)^x is (g^x)^s, and a^x b^y, with a = g^s and b = g^t, is the product of its powers.
    #[test]
    fn powers_commute_and_multiply(wide in prop::collection::vec(1u8.., 4 * 48)) {
        for group in GROUPS {
            let mut scalars = wide.chunks(48).map(|wide| reduced(group, wide));
            let [s, t, x, y] = core::array::from_fn(|_| scalars.next().unwrap());
            let (a, b) = (base(group, &s), base(group, &t));
            let (ax, by) = (power(group, &a, &x).unwrap(), power(group, &b, &y).unwrap());
            prop_assert_eq!(&ax, &power(group, &base(group, &x), &s).unwrap());
            let one = small(group, 1);
            let product = double_power(group, &ax, &one, &by, &one).unwrap();
            prop_assert_eq!(&product, &sum_of_library(group, &ax, &by));
            prop_assert_eq!(&double_power(group, &a, &x, &b, &y).unwrap(), &product);
        }
    }
}

/// The product of two elements from the libraries alone.
fn sum_of_library(group: &dyn PrimeGroup, a: &[u8], b: &[u8]) -> Vec<u8> {
    if group.element_len() > 65 {
        crate::ffc::product(group, a, b)
    } else if group.element_len() == 65 {
        use p256::PublicKey;
        use p256::elliptic_curve::sec1::ToSec1Point;
        let [a, b] = [a, b].map(|bytes| PublicKey::from_sec1_bytes(bytes).unwrap().to_projective());
        (a + b).to_affine().to_sec1_point(false).as_bytes().to_vec()
    } else {
        use curve25519_dalek::ristretto::CompressedRistretto;
        let [a, b] = [a, b].map(|bytes| CompressedRistretto::from_slice(bytes).unwrap().decompress().unwrap());
        (a + b).compress().0.to_vec()
    }
}

#[test]
fn buffers_are_lent_by_length() {
    for length in [0, 1, 65, 66, 256, 257, LONGEST] {
        assert!(lend(length, &mut |buffer| buffer.len() == length && buffer.iter().all(|byte| *byte == 0)));
    }
    assert_eq!(lend(LONGEST + 1, &mut |buffer| buffer.len()), 0);
}
