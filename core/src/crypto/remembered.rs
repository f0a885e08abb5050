//! What a device shares with the peers that it knows, remembered: half of the private key's work when it meets them again.
//!
//! In phase 1 of the schemes with credentials ([`phase1`](crate::phase1)) each side's private key is asked twice: for what it
//! shares with the other's ephemeral key, which is new every time, and with the other's own public key, which is not. Where
//! a private key is slow (a secure element takes tens of ms, a card over USB more), or where a hub meets many peers, the
//! second is worth 32 bytes each.
//!
//! It costs little: who reads these secrets can be nobody's peer by them, since both ephemeral keys and the private keys
//! themselves go into every session. He could make an M2 that A takes for S's, and ends in nothing when M4 does not come.

use super::hpke::Kem;
use super::keys::{KeyError, KeySlot, StaticKeys, Step};
use super::secret::Secret;
use core::cell::RefCell;
use core::fmt;

/// The curves' shares and secrets in bytes. Others are longer, and asked for each time.
const LEN: usize = 32;

/// One peer's.
struct Shared {
    slot: KeySlot,
    curve: i8,
    share: [u8; LEN],
    secret: Secret<LEN>,
}

/// A place for what is shared with one peer, about 80 bytes: what [`KnownIn`]'s memory is made of.
#[derive(Default)]
pub struct Place(Option<Shared>);

impl Place {
    /// Nobody's yet.
    pub const EMPTY: Self = Self(None);
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Place({})", if self.0.is_some() { "taken" } else { "empty" })
    }
}

/// What is shared with the `PEERS` peers met last. In memory only.
pub type Known<const PEERS: usize> = KnownIn<[Place; PEERS]>;

/// A [`Known`] in memory of the caller's: `P` holds a place for each peer.
pub struct KnownIn<P> {
    peers: P,
    /// The place that the next one takes: the oldest's.
    next: usize,
}

impl<const PEERS: usize> Known<PEERS> {
    /// Nobody is known yet.
    pub const fn new() -> Self {
        Self::within([Place::EMPTY; PEERS])
    }
}

impl<P> KnownIn<P> {
    /// In this memory, whose places are empty.
    pub const fn within(peers: P) -> Self {
        Self { peers, next: 0 }
    }
}

impl<P: AsRef<[Place]> + AsMut<[Place]>> KnownIn<P> {
    fn all(&self) -> impl Iterator<Item = &Shared> {
        self.peers.as_ref().iter().filter_map(|place| place.0.as_ref())
    }

    /// Writes the secret that the key in `slot`, of the group that [`Kem::curve`] calls so, shares with the holder of `share`.
    /// Whether it was known.
    pub fn recall(&self, slot: KeySlot, curve: i8, share: &[u8], secret: &mut [u8]) -> bool {
        let same = |one: &&Shared| one.slot == slot && one.curve == curve && one.share == share;
        let Some(one) = self.all().find(same).filter(|_| secret.len() == LEN) else { return false };
        secret.copy_from_slice(one.secret.expose());
        true
    }

    /// Keeps a secret that the key has just given; longer ones than the curves' are not kept.
    pub fn learn(&mut self, slot: KeySlot, curve: i8, share: &[u8], secret: &[u8]) {
        let (Ok(share), Ok(given)) = (share.try_into(), <&[u8; LEN]>::try_from(secret)) else { return };
        let mut secret = Secret::zero();
        secret.as_mut().copy_from_slice(given);
        let peers = self.peers.as_mut();
        let count = peers.len();
        if let Some(place) = peers.get_mut(self.next) {
            *place = Place(Some(Shared { slot, curve, share, secret }));
            self.next = self.next.saturating_add(1).checked_rem(count).unwrap_or(0);
        }
    }

    /// Wipes what was remembered.
    pub fn forget(&mut self) {
        self.peers.as_mut().fill_with(Place::default);
        self.next = 0;
    }
}

impl<const PEERS: usize> Default for Known<PEERS> {
    fn default() -> Self {
        Self::new()
    }
}

impl<P: AsRef<[Place]> + AsMut<[Place]>> fmt::Debug for KnownIn<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Known({} of {})", self.all().count(), self.peers.as_ref().len())
    }
}

/// Static keys, and what they share with the `PEERS` peers met last: see the [module](self).
///
/// After a key in a slot is replaced by another, [`forget`](Self::forget).
///
/// ```
/// use iotkm::crypto::hpke::{DHKEM_X25519, Kem};
/// use iotkm::crypto::keys::{KeySlot, StaticKey, StaticKeys};
/// use iotkm::crypto::remembered::Remembered;
/// # use iotkm::crypto::{Rng, RngError};
/// # struct Fixed(u8);
/// # impl Rng for Fixed {
/// #     fn fill(&mut self, out: &mut [u8]) -> Result<(), RngError> {
/// #         Ok(out.fill(self.0))
/// #     }
/// # }
/// # let (mut rng, mut other) = (Fixed(1), Fixed(2));
/// let ours = StaticKey::<32>::generate(KeySlot(0), &DHKEM_X25519, &mut rng)?; // or a secure element
/// let theirs = StaticKey::<32>::generate(KeySlot(0), &DHKEM_X25519, &mut other)?;
/// let keys = Remembered::<16>::new(&ours); // give it to `Cx::keys`
/// let mut secret = [0; 32];
/// keys.agree_known(KeySlot(0), &DHKEM_X25519, theirs.share(), &mut secret)?; // asks the key
/// keys.agree_known(KeySlot(0), &DHKEM_X25519, theirs.share(), &mut secret)?; // does not
/// # let mut again = [0; 32];
/// # theirs.agree(KeySlot(0), &DHKEM_X25519, ours.share(), &mut again)?;
/// # assert_eq!(secret, again);
/// # Ok::<(), iotkm::crypto::keys::KeyError>(())
/// ```
pub struct Remembered<'k, const PEERS: usize> {
    keys: &'k dyn StaticKeys,
    known: RefCell<Known<PEERS>>,
}

impl<'k, const PEERS: usize> Remembered<'k, PEERS> {
    /// Nothing is remembered yet.
    pub const fn new(keys: &'k dyn StaticKeys) -> Self {
        Self { keys, known: RefCell::new(Known::new()) }
    }

    /// Wipes what was remembered.
    pub fn forget(&self) {
        self.known.borrow_mut().forget();
    }
}

impl<const PEERS: usize> StaticKeys for Remembered<'_, PEERS> {
    fn public_key(&self, slot: KeySlot, kem: &dyn Kem, share: &mut [u8]) -> Result<(), KeyError> {
        self.keys.public_key(slot, kem, share)
    }

    fn agree(&self, slot: KeySlot, kem: &dyn Kem, share: &[u8], secret: &mut [u8]) -> Result<(), KeyError> {
        self.keys.agree(slot, kem, share, secret)
    }

    fn agree_known(&self, slot: KeySlot, kem: &dyn Kem, share: &[u8], secret: &mut [u8]) -> Result<(), KeyError> {
        if self.known.borrow().recall(slot, kem.curve(), share, secret) {
            return Ok(());
        }
        self.keys.agree_known(slot, kem, share, secret)?;
        self.known.borrow_mut().learn(slot, kem.curve(), share, secret);
        Ok(())
    }

    fn step(&self, slot: KeySlot, kem: &dyn Kem, step: &Step<'_>, out: &mut [u8]) -> Result<(), KeyError> {
        self.keys.step(slot, kem, step, out)
    }
}

impl<const PEERS: usize> fmt::Debug for Remembered<'_, PEERS> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Remembered").field(&*self.known.borrow()).finish()
    }
}
