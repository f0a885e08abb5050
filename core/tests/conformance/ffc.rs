//! What the subgroups of Z_p* must refuse. `groups.rs` has what they share with the curves.

use crate::{Script, hex, hex32};
use crypto_bigint::{NonZero, U2048, U3072, Uint};
use iotkm::crypto::group::{FFC2048, FFC3072, GroupError, PrimeGroup};
use iotkm::crypto::{SUITE_FFC2048, SUITE_FFC3072, Secret, kdf};

const BAD: Result<(), GroupError> = Err(GroupError::BadElement);

const P2048: &str = "
    d4b04bbd58f9eda2c564da781f7a2c29d2893d9bcb083d7b33f14e259b2c35553375e66dd71e147832a42a50dace875a82d8
    d20b7001687b4f6d4a2331c8560385cb0ee2e749cce6395c4220a203e7f38122e0f3672df16b8c138c057c65e2dcab31c816
    055e4abbe0e9ba72fbd834e8269ab4dc658550bd2cdf402106ee7d8c7d0635b5b45b26c1ddf1899162f8eef60e119bf3e359
    b9e65dadf6fe0d18bc5b9615ba061b24916b33f37a8442282b541937ba0b1f12354d069b952a321c2d1f641475e48d078443
    d0e401558f230dcd9d4ca2eae6c1f2b33ee7c53eb7d6719350f5dfe2f49e694dc07532bab0763696ddfe3504f3f03f468b8a
    a9c1f2c3f843";
const P3072: &str = "
    f86add19128adca2de5eae2d7aeea49e38c04dd849ca96d56f3f2b46e0f49371050fe0b7401f2b9681142b2e892d464c2844
    a1087ce1c643031dd150552e45f5ec249a2370b4e5a8c3a7621eb4d0862eff110a05de6ed29d450cfc22a20ab24d4b622b7d
    8ebb828a3cdd1f458a96dc7d4f88adac915a4c7c69f250056d89f48d009d3ffdf07772b37db60e17c83564cc12d383e4a99d
    2b922b7d3e66c93b62f5a20fd38146744203490ede7c7bf502d53126c2d71549848b18cc89ad6125342012a1712891ba3e21
    3436aea74dccadf8e1ae734b830bb7ba444286721ed9fbf3a8c1dbe01ca93c81def341aa0acc1036a9ad410533209353b38c
    7666105780b8ed94b650e1f7a2eb9bbf215843f37d31a545724569acb410a64d31bc5c10da0275a65165f546e3697afafcb6
    986bc957fcaaad5b15326b18a0ec5660dd0edbae1904eab42dc0490eac833b2a1609e9f23d55e4638772c440052f0ffd3ecf
    407138151cfeeb11ea3d8882b163275dae8c85bbf68d6a88a28f9beced3983aa0ad3";

/// The modulus as its bytes, highest first.
pub fn modulus(group: &dyn PrimeGroup) -> Vec<u8> {
    hex(if group.element_len() == 256 { P2048 } else { P3072 })
}

/// `a b mod p` by crypto-bigint.
pub fn product(group: &dyn PrimeGroup, a: &[u8], b: &[u8]) -> Vec<u8> {
    fn of<const N: usize>([p, a, b]: [&[u8]; 3]) -> Vec<u8> {
        let [p, a, b] = [p, a, b].map(Uint::<N>::from_be_slice);
        a.mul_mod(&b, &NonZero::new(p).unwrap()).to_be_bytes()[..].to_vec()
    }
    let p = modulus(group);
    if p.len() == 256 { of::<{ U2048::LIMBS }>([&p, a, b]) } else { of::<{ U3072::LIMBS }>([&p, a, b]) }
}

/// `bytes + number`, or minus.
fn near(bytes: &[u8], number: i8) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let last = bytes.len() - 1;
    bytes[last] = bytes[last].checked_add_signed(number).unwrap();
    bytes
}

fn number(group: &dyn PrimeGroup, number: u8) -> Vec<u8> {
    near(&vec![0; group.element_len()], number as i8)
}

/// Every way in says no, and writes nothing.
fn refused(group: &dyn PrimeGroup, bad: &[u8]) {
    let x = Secret::new(kdf::hash(&[b"x"]));
    let mut good = vec![0; group.element_len()];
    group.base(&x, &mut good);
    let mut out = vec![7; group.element_len()];
    assert_eq!(group.agree(&x, bad, &mut out), BAD);
    assert_eq!(group.power(bad, &x, &mut out), BAD);
    assert_eq!(group.double_power(bad, &x, &good, &x, &mut out), BAD);
    assert_eq!(group.double_power(&good, &x, bad, &x, &mut out), BAD);
    assert_eq!(group.element_of_share(bad, &mut out), BAD);
    assert_eq!(group.share_of_element(bad, &mut out), BAD);
    assert!(out.iter().all(|byte| *byte == 7));
}

static GROUPS: [&dyn PrimeGroup; 2] = [&FFC2048, &FFC3072];

/// SHA-256 of g^x, x = SHA-256("x") mod q, by Python's `pow`.
#[test]
fn powers_are_python_s() {
    for (group, expected) in GROUPS.into_iter().zip([
        "05279cb36572004cd8366adde16f17892aba0bb82fed065ff4a9f681993a3b2b",
        "c5339f345ccca8be821dfc822e11f6ec234727aa8e29a2942b81d296e5186426",
    ]) {
        let mut element = vec![0; group.element_len()];
        group.base(&Secret::new(kdf::hash(&[b"x"])), &mut element);
        assert_eq!(kdf::hash(&[&element]), hex32(expected));
    }
}

/// 0, 1 and p - 1 (of order two), and the same numbers not reduced, and whatever has the length but not the range.
#[test]
fn trivial_and_unreduced_elements() {
    for group in GROUPS {
        let p = modulus(group);
        let mut g = vec![0; group.element_len()];
        group.base(&Secret::new(kdf::hash(&[b"small"])), &mut g);
        refused(group, &number(group, 0));
        refused(group, &number(group, 1));
        for distance in [-1, 0, 1] {
            refused(group, &near(&p, distance));
        }
        refused(group, &vec![0xff; p.len()]);
        refused(group, &[&[0], &g[..]].concat());
        refused(group, &g[1..]);
        refused(group, &[]);
    }
}

/// Half of all numbers are squares, and of those one in (p - 1) / 2q is in the subgroup; the negative of an element and
/// its product with one of small order are not.
#[test]
fn outside_of_the_subgroup() {
    for group in GROUPS {
        let mut g = vec![0; group.element_len()];
        group.base(&Secret::new(kdf::hash(&[b"y"])), &mut g);
        refused(group, &product(group, &g, &near(&modulus(group), -1)));
        for small in 2..=17 {
            refused(group, &number(group, small));
            refused(group, &product(group, &g, &number(group, small)));
        }
        refused(group, &near(&g, if g[g.len() - 1] == 0xff { -1 } else { 1 }));
    }
}

/// A suite's group is the one that its number says.
#[test]
fn suites() {
    for (suite, id, length) in [(&SUITE_FFC2048, -21, 256), (&SUITE_FFC3072, -22, 384)] {
        let dh = suite.dh.unwrap();
        assert_eq!((suite.id, suite.mac_len, dh.share_len(), dh.secret_len()), (id, 8, length, length));
    }
}

/// 48 bytes a draw, reduced: also ones that no scalar has.
#[test]
fn one_draw_is_enough() {
    for group in GROUPS {
        let (mut scalar, mut reduced) = (Secret::zero(), Secret::zero());
        group.random_scalar(&mut Script(vec![0xff; 48]), &mut scalar).unwrap();
        group.reduce(&[0xff; 48], &mut reduced).unwrap();
        assert_eq!(scalar, reduced);
    }
}

/// The history scheme has room for the curves' shares only, and says so at once.
#[test]
fn history_refuses_the_long_groups() {
    use iotkm::history::{Id, Peer, Triple};
    let [a, b] = [b"a", b"b"].map(|id| Id::new(id).unwrap());
    let [sk, t, li] = [[1; 32], [2; 32], [3; 32]].map(Secret::new);
    let made = Peer::provisioned(iotkm::Slot(1), a, b, &SUITE_FFC2048, Triple::new(sk, t, li, 0));
    assert_eq!(made.err(), Some(iotkm::Error::BadArgument));
}
