//! Two sides of the Hardened progression, as a handshake leaves them, and what a thief reads in their state.

use iotkm::crypto::group::Scalar;
use iotkm::crypto::{Rng, Secret};
use iotkm::engine::wire::{Reader, Writer};
use iotkm::noninteractive::Setting;
use iotkm::noninteractive::progress::{Parties, Progress};
use iotkm::{KeySlot, StaticKey};
use iotkm_netsim::SimRng;

pub use iotkm::crypto::keys::GrowingKey;

/// One side: elements have `N` bytes.
pub struct Side<const N: usize, const SHARE: usize> {
    pub setting: &'static Setting,
    pub parties: Parties,
    pub y: [u8; N],
    pub at: Progress<N>,
    pub key: GrowingKey<SHARE>,
}

impl<const N: usize, const SHARE: usize> Side<N, SHARE> {
    pub fn key_of(&mut self, epoch: u32) -> Secret<32> {
        self.at.advance(self.setting, epoch).unwrap();
        self.at.key(self.setting, &self.parties, &self.y, &self.key).unwrap()
    }
}

/// Both sides at epoch 1.
pub fn pair<const N: usize, const SHARE: usize>(setting: &'static Setting, seed: u64) -> [Side<N, SHARE>; 2] {
    let (rng, group) = (&mut SimRng::new(seed), setting.group);
    let element = |share: &[u8]| {
        let mut element = [0; N];
        group.element_of_share(share, &mut element).unwrap();
        element
    };
    let mut statics = || {
        let key = StaticKey::<SHARE>::generate(KeySlot(1), setting.kem, rng).unwrap();
        GrowingKey::new(key, group).unwrap()
    };
    let [key_a, key_s] = [statics(), statics()];
    let mut once = || {
        let (mut n, mut share) = (Secret::zero(), [0; SHARE]);
        group.generate(rng, &mut n, &mut share).unwrap();
        (n, element(&share))
    };
    let [(n_a, g_a), (n_s, g_s)] = [once(), once()];
    let (mut root, mut bind) = (Secret::zero(), [0; 32]);
    rng.fill(root.as_mut()).unwrap();
    rng.fill(&mut bind).unwrap();
    let parties = |a: bool| Parties { bind, a, slot: KeySlot(1) };
    let start = |n: Scalar, r: &[u8; N]| Progress::start(setting, root.clone(), n, r).unwrap();
    let (y_a, y_s) = (element(key_a.key().share()), element(key_s.key().share()));
    [
        Side { setting, parties: parties(true), y: y_s, at: start(n_a, &g_s), key: key_a },
        Side { setting, parties: parties(false), y: y_a, at: start(n_s, &g_a), key: key_s },
    ]
}

/// What is stored of a side.
pub fn stored<const N: usize>(at: &Progress<N>) -> Vec<u8> {
    let mut text = vec![0; Progress::<N>::LEN];
    at.write(&mut Writer::new(&mut text));
    text
}

/// What a thief reads in it.
pub struct Loot<const N: usize> {
    pub chain: Secret<32>,
    pub k: Scalar,
    pub r: [u8; N],
}

impl<const N: usize> Loot<N> {
    /// Of a side that has computed its key.
    pub fn of(at: &Progress<N>) -> Self {
        let text = stored(at);
        let mut r = Reader::new(&text);
        let (_epoch, chain, k) = (r.u32().unwrap(), r.secret().unwrap(), r.secret().unwrap());
        let peers = *r.secret::<N>().unwrap().expose();
        assert_eq!(r.u8().unwrap(), 0, "r is this epoch's");
        Self { chain, k, r: peers }
    }
}
