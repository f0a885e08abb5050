//! The history scheme: exchanges, records through the verbs, sizes.

use iotkm::crypto::{Secret, Suite};
use iotkm::engine::Config;
use iotkm::history::{Entry, History, HistoryMemory, Id, Peer, Triple};
use iotkm::{Association, Slot};

use super::pair::{Side, settle};
use crate::lab::Problem;
use crate::ops::{Op, repeat};

/// Places lent as firmware lends them: the association's size is without its peer, its log and its runs.
type Lent = History<&'static mut Peer, &'static mut [Entry], &'static mut Runs>;
type Runs = HistoryMemory<&'static mut Peer, &'static mut [Entry], 1, 0>;
type Owned = History<Peer, [Entry; 0], HistoryMemory<Peer, [Entry; 0], 1, 0>>;

/// `sizeof` an established association.
pub const ESTABLISHED: usize = size_of::<Lent>();
/// The same in a handshake, its memory for one run included.
pub const HANDSHAKE: usize = size_of::<Lent>() + size_of::<Runs>();

fn side(me: &str, peer: &str, suite: &'static Suite) -> Side<Owned> {
    let id = |name: &str| Id::new(name.as_bytes()).expect("a short name");
    let key = |byte| Secret::new([byte; 32]);
    let triple = Triple::new(key(1), key(2), key(3), 0);
    let peer = Peer::provisioned(Slot(1), id(me), id(peer), suite, triple).expect("two devices");
    Side::new(me, History::open(peer, [], suite, Config::default(), HistoryMemory::new()).expect("fits"))
}

/// C1 to ACK, both sides, again and again: as in a life, each run reserves its number and every sixteenth stores.
pub fn exchange(suite: &'static Suite) -> Result<Box<dyn Op>, Problem> {
    let (mut a, mut b) = (side("device-1", "gateway1", suite), side("gateway1", "device-1", suite));
    let to = b.addr;
    repeat(move || {
        a.with(|a, cx| a.connect(cx, &to)).expect("at rest");
        let wire = settle(&mut a, &mut b);
        assert!(a.association.is_established() && b.association.fingerprint() == a.association.fingerprint());
        wire
    })
}
