//! What an attacker puts in the place of honest parts: keys that are another's, groups whose shares are no elements.
//!
//! The attacker runs the library's own associations with these, so that all else about the messages is right.

use iotkm::crypto::group::{Dh, GroupError, Scalar};
use iotkm::crypto::hpke::Kem;
use iotkm::crypto::{PrimeGroup, Rng};
use iotkm::{KeyError, KeySlot, StaticKeys};
use iotkm_netsim::node::Keys;
use std::rc::Rc;

/// Where every device of these tests has its key.
pub const SLOT: KeySlot = KeySlot(1);

/// A device's keys, and a thief's copy of them.
#[derive(Clone)]
pub struct Copied(pub Rc<dyn StaticKeys>);

impl Copied {
    /// Takes a copy of a node's keys.
    pub fn of(keys: &mut Keys) -> Self {
        let honest = std::mem::replace(&mut keys.0, Box::new(iotkm::NoKeys));
        let copied = Self(Rc::from(honest));
        keys.0 = Box::new(copied.clone());
        copied
    }

    /// The public key.
    pub fn public(&self, kem: &dyn Kem) -> Vec<u8> {
        let mut share = vec![0; kem.group().share_len()];
        self.0.public_key(SLOT, kem, &mut share).expect("it is there");
        share
    }
}

impl StaticKeys for Copied {
    fn public_key(&self, slot: KeySlot, kem: &dyn Kem, share: &mut [u8]) -> Result<(), KeyError> {
        self.0.public_key(slot, kem, share)
    }
    fn agree(&self, slot: KeySlot, kem: &dyn Kem, share: &[u8], secret: &mut [u8]) -> Result<(), KeyError> {
        self.0.agree(slot, kem, share, secret)
    }
    fn step(
        &self,
        slot: KeySlot,
        kem: &dyn Kem,
        step: &iotkm::crypto::keys::Step<'_>,
        out: &mut [u8],
    ) -> Result<(), KeyError> {
        self.0.step(slot, kem, step, out)
    }
}

/// Key compromise impersonation: whose private key she has not, she shows the public key of; what that key and her victim's
/// share, the victim's key gives; for all else she guesses.
pub struct Impersonator {
    /// The public key that she shows.
    pub shown: Vec<u8>,
    /// The victim's.
    pub victim: Vec<u8>,
    /// The victim's private key.
    pub stolen: Copied,
    /// What she guesses.
    pub guess: u8,
}

impl StaticKeys for Impersonator {
    fn public_key(&self, _: KeySlot, _: &dyn Kem, share: &mut [u8]) -> Result<(), KeyError> {
        share.copy_from_slice(&self.shown);
        Ok(())
    }
    fn agree(&self, slot: KeySlot, kem: &dyn Kem, share: &[u8], secret: &mut [u8]) -> Result<(), KeyError> {
        if share == self.victim {
            return self.stolen.agree(slot, kem, &self.shown, secret);
        }
        match self.guess {
            0 => return self.stolen.agree(slot, kem, share, secret),
            1 => secret.copy_from_slice(&share[..secret.len()]),
            fill => secret.fill(fill),
        }
        Ok(())
    }
}

/// A group whose ephemeral shares are this: the secrets of such a share are taken for `secret`, whoever it is shared with.
pub struct Crooked {
    /// What the group is to all others.
    pub dh: &'static dyn Dh,
    /// The same with its algebra, where the scheme needs that.
    pub prime: Option<&'static dyn PrimeGroup>,
    /// The KEM that it pretends to be.
    pub kem: &'static dyn Kem,
    /// Itself, as a group.
    pub this: std::sync::OnceLock<&'static Crooked>,
    /// What it sends.
    pub share: Vec<u8>,
    /// What she takes the secret for.
    pub secret: Vec<u8>,
}

impl Crooked {
    /// Such a group, for as long as the test lives.
    pub fn new(
        kem: &'static dyn Kem,
        prime: Option<&'static dyn PrimeGroup>,
        share: &[u8],
        secret: &[u8],
    ) -> &'static Self {
        let dh = kem.group();
        let (share, secret) = (share.to_vec(), secret.to_vec());
        let this: &'static Self = Box::leak(Box::new(Self { dh, prime, kem, this: Default::default(), share, secret }));
        let _ = this.this.set(this);
        this
    }

    fn prime(&self) -> &'static dyn PrimeGroup {
        self.prime.expect("the scheme needs it")
    }
}

impl Dh for Crooked {
    fn share_len(&self) -> usize {
        self.dh.share_len()
    }
    fn secret_len(&self) -> usize {
        self.dh.secret_len()
    }
    fn generate(&self, _: &mut dyn Rng, scalar: &mut Scalar, share: &mut [u8]) -> Result<(), GroupError> {
        *scalar = Scalar::new([0xe1; 32]);
        share.copy_from_slice(&self.share);
        Ok(())
    }
    fn agree(&self, scalar: &Scalar, share: &[u8], out: &mut [u8]) -> Result<(), GroupError> {
        if *scalar == Scalar::new([0xe1; 32]) {
            out.copy_from_slice(&self.secret);
            return Ok(());
        }
        self.dh.agree(scalar, share, out)
    }
}

impl Kem for Crooked {
    fn label(&self) -> &'static [u8] {
        self.kem.label()
    }
    fn curve(&self) -> i8 {
        self.kem.curve()
    }
    fn group(&self) -> &'static dyn Dh {
        *self.this.get().expect("set")
    }
    fn public_len(&self) -> usize {
        self.kem.public_len()
    }
    fn share<'k>(&self, key: &'k [u8]) -> &'k [u8] {
        self.kem.share(key)
    }
    fn public(&self, key: &[u8], out: &mut [u8]) -> Result<(), GroupError> {
        if key != self.share {
            return self.kem.public(key, out);
        }
        // A context that nobody honest ever has.
        out.fill(0);
        out[..key.len()].copy_from_slice(key);
        Ok(())
    }
}

impl PrimeGroup for Crooked {
    fn element_len(&self) -> usize {
        self.prime().element_len()
    }
    fn random_scalar(&self, rng: &mut dyn Rng, scalar: &mut Scalar) -> Result<(), GroupError> {
        self.prime().random_scalar(rng, scalar)
    }
    fn one(&self) -> Scalar {
        self.prime().one()
    }
    fn reduce(&self, wide: &[u8; 48], scalar: &mut Scalar) -> Result<(), GroupError> {
        self.prime().reduce(wide, scalar)
    }
    fn mul_add(&self, a: &Scalar, b: &Scalar, c: &Scalar, out: &mut Scalar) -> Result<(), GroupError> {
        self.prime().mul_add(a, b, c, out)
    }
    fn base(&self, scalar: &Scalar, out: &mut [u8]) {
        self.prime().base(scalar, out);
    }
    fn power(&self, element: &[u8], scalar: &Scalar, out: &mut [u8]) -> Result<(), GroupError> {
        self.prime().power(element, scalar, out)
    }
    fn double_power(&self, a: &[u8], x: &Scalar, b: &[u8], y: &Scalar, out: &mut [u8]) -> Result<(), GroupError> {
        self.prime().double_power(a, x, b, y, out)
    }
    fn element_of_share(&self, share: &[u8], element: &mut [u8]) -> Result<(), GroupError> {
        self.prime().element_of_share(share, element)
    }
    fn share_of_element(&self, element: &[u8], share: &mut [u8]) -> Result<(), GroupError> {
        self.prime().share_of_element(element, share)
    }
}

/// Bytes that are no share of a group, or one of small order, each with what a secret made with it would be.
pub fn bad_shares(label: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
    let hex = |text: &str| -> Vec<u8> {
        (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).expect("hex")).collect()
    };
    let ending = |len: usize, last: u8| {
        let mut bytes = vec![0; len];
        bytes[len - 1] = last;
        bytes
    };
    match label {
        // X25519: the points of small order (RFC 7748, section 6.1), and non-canonical forms of them.
        [0, 0x20] => [
            "0000000000000000000000000000000000000000000000000000000000000000",
            "0100000000000000000000000000000000000000000000000000000000000000",
            "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
            "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
            "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        ]
        .iter()
        .map(|share| (hex(share), vec![0; 32]))
        .collect(),
        // P-256: no point of the curve has these x.
        [0, 0x10] => [ending(32, 1), ending(32, 2), vec![0xff; 32]].map(|share| (share, vec![0; 32])).to_vec(),
        // ristretto255: the identity, a negative and a non-canonical encoding.
        b"iotkm ristretto255" => {
            let mut odd = vec![0; 32];
            odd[0] = 1;
            [vec![0; 32], odd, vec![0xff; 32]].map(|share| (share, vec![0; 32])).to_vec()
        }
        // Z_p*: 0, 1, and numbers outside the subgroup.
        label => {
            let len = if label.ends_with(b"2048") { 256 } else { 384 };
            [(0, 0), (1, 1), (2, 4), (3, 9)].map(|(share, secret)| (ending(len, share), ending(len, secret))).to_vec()
        }
    }
}
