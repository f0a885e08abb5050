//! Stored state: as it comes from a store that may be damaged, and authentic but of any content.
#![no_main]

use iotkm::crypto::{SUITE_0, Secret};
use iotkm::engine::state::{self, Kind};
use iotkm::engine::{Config, Endpoint};
use iotkm::history::pairing::{PairingMemory, Setup};
use iotkm::history::{Entry, History, HistoryMemory, Id, Pairing, Peer, Triple};
use iotkm::{Cx, Device, Instant, NoKeys, Slot};
use iotkm_fuzz::Source;
use libfuzzer_sys::fuzz_target;

type Memory = HistoryMemory<Peer, Vec<Entry>, 1, 0>;

fuzz_target!(|data: &[u8]| {
    let device = Device::new(Secret::new([1; 32]));
    let try_all = |blob: &[u8]| {
        if let Ok(mut peer) = Peer::restore(&device, Slot(1), 0, blob) {
            let mut out = [0; Peer::BLOB_MAX];
            let (len, _) = peer.seal(&device, &mut out).expect("what was read can be written");
            let again = Peer::restore(&device, Slot(1), 0, &out[..len]).expect("and read");
            assert_eq!(again.fingerprint(), peer.fingerprint());
        }
        let id = |n| Id::new(&[n]).expect("short");
        let triple = Triple::new(Secret::new([1; 32]), Secret::new([2; 32]), Secret::new([3; 32]), 0);
        let peer = Peer::provisioned(Slot(1), id(1), id(2), &SUITE_0, triple).expect("two ids");
        let mut a = History::open(peer, Vec::new(), &SUITE_0, Config::default(), Memory::new()).expect("valid");
        let mut rng = Source::default();
        let mut cx =
            Cx { now: Instant(0), wall: None, place: b"", rng: &mut rng, device: &device, keys: &NoKeys };
        let _ = Endpoint::restore(&mut a, &mut cx, blob);
        let setup = Setup {
            me: id(1),
            suite: &SUITE_0,
            cpace: &iotkm::crypto::cpace::CPACE_RISTRETTO255,
            peer_slot: Slot(1),
            attempts_slot: Slot(2),
        };
        let mut pairing = Pairing::open(setup, Config::default(), PairingMemory::<1, 0>::new()).expect("valid");
        let _ = pairing.restore_attempts(&device, 0, blob);
    };
    try_all(data);
    for kind in [Kind::HistoryPeer, Kind::Session, Kind::Attempts] {
        let mut out = vec![0; data.len() + state::OVERHEAD];
        out[state::OVERHEAD..].copy_from_slice(data);
        let len = state::seal(&device, kind, 3, &mut out, data.len()).expect("it fits");
        try_all(&out[..len]);
    }
});
