#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::panic,
    reason = "tests"
)]

use super::*;
use crate::Device;
use crate::crypto::kdf::hash;
use crate::engine::transcript::Transcript;
use crate::interactive::master::Origin;
use crate::phase1::keys::N_LEN;
use std::vec::Vec;

fn origin(was_a: bool) -> Origin {
    Origin {
        bind: Transcript::from([2; 32]),
        n_a0: Secret::new([3; N_LEN]),
        n_s0: Secret::new([4; N_LEN]),
        suite: -21,
        psk: true,
        was_a,
        ends: 1 << 40,
        left: 3600,
    }
}

fn peers() -> [Peer; 2] {
    let names = ["lamp", "switch"].map(|name| Subject::new(name).unwrap());
    let of = |me: usize| Peer::new(Slot(1), names[me], names[1 - me], None).unwrap();
    [of(0), of(1)]
}

/// Both after a phase 1.
fn authenticated() -> [Peer; 2] {
    let [mut a, mut s] = peers();
    s.authenticated(Master::first(Secret::new([1; 32]), origin(false)), None);
    a.acknowledged(Master::first(Secret::new([1; 32]), origin(true)), None);
    [a, s]
}

/// What travels. `key`: under which PMK the tag is; whoever has that PMK verifies it.
#[derive(Clone, Debug)]
enum Sent {
    K1 { run: u32, key: Secret<32>, k1: K1 },
    K2 { run: u32, next: Secret<32> },
    K3 { run: u32, next: Secret<32> },
    K4 { run: u32 },
    Refuse { run: u32, answered: u16 },
    Gone { run: u32 },
}

/// A run of this side's, by its number: its start, and what K2 led to.
type Own = (u32, Start, Option<Secret<32>>);

struct Node {
    peer: Peer,
    own: Option<Own>,
    /// Answered: run, attempt, PMK'.
    theirs: Option<(u32, u16, Secret<32>)>,
    gone_without_hope: bool,
    begun: u32,
}

impl Node {
    fn new(peer: Peer) -> Self {
        Self { peer, own: None, theirs: None, gone_without_hope: false, begun: 0 }
    }

    fn start(&mut self, run: u32) -> Sent {
        let start = self.peer.start().unwrap();
        let master = self.peer.master(start.under).unwrap();
        let k1 = start.k1(master.hint(true), ConnectionId::NONE);
        let sent = Sent::K1 { run, key: master.key.clone(), k1 };
        self.own = Some((run, start, None));
        sent
    }

    fn give_up(&mut self) {
        if let Some((_, _, None)) = self.own.take() {
            self.peer.no_answer();
        }
    }

    /// What was stored is all that is left.
    fn power_cut(&mut self) {
        let mut text = [0; Peer::<TICKET_MAX>::TEXT_MAX];
        let len = self.peer.write(&mut text).unwrap();
        let ticket = self.peer.beside().bytes;
        *self = Self { begun: self.begun, ..Self::new(Peer::read(Slot(1), 0, &text[..len], ticket).unwrap()) };
    }

    fn committed(&mut self) {
        self.own = self.own.take().and_then(|(run, start, got)| Some((run, start.after_commit()?, got)));
    }

    fn hear(&mut self, sent: &Sent) -> Option<Sent> {
        match sent {
            Sent::K1 { run, key, k1 } => self.on_k1(*run, key, k1),
            Sent::K2 { run, next } => {
                let (_, start, got) = self.own.as_mut().filter(|(mine, _, got)| mine == run && got.is_none())?;
                *got = Some(next.clone());
                let master = self.peer.master(start.under)?.next(next.clone());
                let start = *start;
                self.peer.confirmed(&start, master);
                Some(Sent::K3 { run: *run, next: next.clone() })
            }
            Sent::K3 { run, next } => {
                let (_, attempt, _) = self.theirs.as_ref().filter(|(mine, _, made)| mine == run && made == next)?;
                if self.peer.closed(*attempt) {
                    self.committed();
                }
                Some(Sent::K4 { run: *run })
            }
            Sent::K4 { run } => {
                let (_, start, _) = self.own.take_if(|(mine, _, got)| mine == run && got.is_some())?;
                self.peer.closed(start.attempt);
                None
            }
            Sent::Refuse { run, answered } => {
                let (_, start, _) = self.own.take_if(|(mine, _, got)| mine == run && got.is_none())?;
                self.peer.refused(start.under, *answered);
                None
            }
            Sent::Gone { run } => {
                self.own.take_if(|(mine, _, got)| mine == run && got.is_none())?;
                self.gone_without_hope |= !self.peer.left();
                None
            }
        }
    }

    fn on_k1(&mut self, run: u32, key: &Secret<32>, k1: &K1) -> Option<Sent> {
        if let Some((_, _, next)) = self.theirs.as_ref().filter(|(mine, ..)| *mine == run) {
            return Some(Sent::K2 { run, next: next.clone() });
        }
        let under = match self.peer.named(&k1.hint)? {
            Named::Gone => return Some(Sent::Gone { run }),
            Named::Master(under) => under,
        };
        let master = self.peer.master(under)?.clone();
        assert_eq!(&master.key, key);
        let asking = self.own.as_ref().is_some_and(|(_, start, got)| got.is_none() && start.under == under);

        let heard = self.peer.heard(under, k1, asking);
        if under == Which::Pending && heard.is_ok() {
            self.committed();
        }
        match heard {
            Ok(Heard::Answer) => {
                self.own = None;
                let next = Secret::new(hash(&[master.key.expose(), &run.to_be_bytes()]));
                self.peer.answered(k1.attempt, master.next(next.clone()));
                self.theirs = Some((run, k1.attempt, next.clone()));
                Some(Sent::K2 { run, next })
            }
            Ok(Heard::Refuse { answered }) => Some(Sent::Refuse { run, answered }),
            // Its flight of K3 goes on, or a run under what waits begins.
            Ok(Heard::CommitFirst) => match &self.own {
                Some((run, _, Some(next))) => Some(Sent::K3 { run: *run, next: next.clone() }),
                Some(_) => None,
                None => {
                    // A number of its own: what a real K1 holds is never the same twice.
                    self.begun += 1;
                    Some(self.start(1 << 31 | u32::from(self.peer.is_lower()) << 30 | self.begun))
                }
            },
            Ok(Heard::Mine) | Err(_) => None,
        }
    }
}

fn settled(nodes: &[Node; 2]) -> bool {
    let [a, s] = nodes.each_ref().map(|node| node.peer.current.as_ref().map(|m| (m.key.clone(), m.step)));
    a.is_some() && a == s && nodes.iter().all(|node| node.peer.pending.is_none())
}

/// One run over a network that loses nothing; whether both sides are of one mind after it.
fn undisturbed(nodes: &mut [Node; 2], who: usize, run: u32) -> bool {
    let (mut at, mut sent) = (1 - who, Some(nodes[who].start(run)));
    while let Some(message) = sent {
        sent = nodes[at].hear(&message);
        at = 1 - at;
    }
    nodes.iter_mut().for_each(Node::give_up);
    settled(nodes)
}

#[test]
fn a_run_after_phase_1_and_one_the_other_way() {
    let mut nodes = authenticated().map(Node::new);
    assert!(undisturbed(&mut nodes, 0, 1));
    assert_eq!(nodes[0].peer.current.as_ref().unwrap().step, 1);
    assert!(undisturbed(&mut nodes, 1, 2));
    assert!(undisturbed(&mut nodes, 0, 3));
    assert_eq!(nodes[1].peer.current.as_ref().unwrap().step, 3);
}

/// S has PMK only as one that A may not have: A begins, or phase 1 does.
#[test]
fn without_a_pmk_there_is_no_run() {
    let [_, mut s] = authenticated();
    assert_eq!(s.start(), Err(Error::NotEstablished));
    assert_eq!(peers()[0].start(), Err(Error::NotEstablished));
}

#[test]
fn a_short_tag_makes_no_pending_pmk_current() {
    let [_, mut s] = authenticated();
    let k1 = K1 { hint: [0; HINT_LEN], attempt: 1, long: false, holds: false, cid: ConnectionId::NONE };
    assert_eq!(s.heard(Which::Pending, &k1, false), Err(Dropped::Forged));
    assert!(s.current.is_none());
    assert_eq!(s.heard(Which::Pending, &K1 { long: true, ..k1 }, false), Ok(Heard::Answer));
    assert!(s.current.is_some() && s.pending.is_none());
}

/// The peer was put back to before it answered: its "no" drops what waits, and the next run heals both.
#[test]
fn a_peer_that_was_rolled_back_says_so() {
    let mut nodes = authenticated().map(Node::new);
    assert!(undisturbed(&mut nodes, 0, 1));
    let before = nodes[1].peer.clone();
    let k1 = nodes[0].start(2);
    let k2 = nodes[1].hear(&k1).unwrap();
    nodes[0].hear(&k2).unwrap();
    nodes[0].give_up();
    nodes[1] = Node::new(before);
    assert!((3..8).any(|run| undisturbed(&mut nodes, 0, run)));
}

/// This side was put back past a commit: it is told, and phase 1 is the way out.
#[test]
fn who_was_rolled_back_past_a_commit_is_told() {
    let mut nodes = authenticated().map(Node::new);
    assert!(undisturbed(&mut nodes, 0, 1));
    let before = nodes[0].peer.clone();
    assert!(undisturbed(&mut nodes, 0, 2));
    nodes[0] = Node::new(before);
    let k1 = nodes[0].start(3);
    let gone = nodes[1].hear(&k1).unwrap();
    assert!(matches!(gone, Sent::Gone { .. }));
    nodes[0].hear(&gone);
    assert!(nodes[0].gone_without_hope);
}

#[test]
fn an_old_k1_is_refused_and_an_old_k3_closes_nothing() {
    let mut nodes = authenticated().map(Node::new);
    assert!(undisturbed(&mut nodes, 0, 1));
    let k1 = nodes[0].start(2);
    let k2 = nodes[1].hear(&k1).unwrap();
    let k3 = nodes[0].hear(&k2).unwrap();
    // Before K3 arrives, S is authenticated anew: the run's K3 must not make that PMK current.
    nodes[1].peer.authenticated(Master::first(Secret::new([9; 32]), origin(false)), None);
    nodes[1].hear(&k3);
    assert_eq!(nodes[1].peer.master(Which::Pending).map(Master::step), Some(0));
    nodes[1].theirs = None;
    assert!(matches!(nodes[1].hear(&k1), Some(Sent::Refuse { .. })));
}

/// A confirms PMK', and its next run under the current PMK is answered, which it never hears. S, with the lower name, goes on
/// asking; A, who holds what it confirmed, does not answer that: so S answers A.
#[test]
fn who_holds_a_pending_pmk_is_answered_first() {
    let mut nodes = authenticated().map(Node::new);
    assert!(undisturbed(&mut nodes, 0, 1));
    let (s, a) = (0, 1);
    assert!(nodes[s].peer.is_lower());
    let k1 = nodes[a].start(2);
    let k2 = nodes[s].hear(&k1).unwrap();
    nodes[a].hear(&k2).unwrap();
    nodes[a].give_up();
    for run in [3, 4] {
        nodes[a].start(run);
        nodes[a].give_up();
    }
    let k1 = nodes[a].start(5);
    assert!(matches!(&k1, Sent::K1 { k1: K1 { holds: true, .. }, .. }));
    nodes[s].hear(&k1).unwrap();
    nodes[a].give_up();
    assert_eq!((nodes[s].peer.pending(), nodes[a].peer.pending()), (Pending::Answered(2), Pending::Confirmed(1)));
    assert!((6..12).any(|run| undisturbed(&mut nodes, s, run)));
}

/// Numbers that this side used under a PMK while it was pending are used.
#[test]
fn an_attempt_under_a_pmk_never_comes_twice() {
    let [mut a, mut s] = authenticated();
    assert_eq!(a.start().map(|start| (start.under, start.attempt)), Ok((Which::Pending, 1)));
    assert_eq!(a.start().map(|start| (start.under, start.attempt)), Ok((Which::Pending, 2)));
    // S has it as current, and starts a run under it: so does A then.
    assert!(s.commit(true));
    let start = s.start().unwrap();
    assert!(start.long, "A has it as pending");
    assert_eq!(a.heard(Which::Pending, &start.k1([0; HINT_LEN], ConnectionId::NONE), false), Ok(Heard::Answer));
    assert_eq!(a.start().map(|start| (start.under, start.attempt)), Ok((Which::Current, 3)));
}

#[test]
fn stored_and_back() {
    let device = Device::new(Secret::new([8; 32]));
    let [mut a, _] = authenticated();
    a.psk = Some(Secret::new([6; 32]));
    a.commit(true);
    a.pending = a.current.clone();
    a.gone = Some(Secret::new([7; 32]));
    a.replacement.confirm(3);
    a.ahead = 9;
    let mut blob = [0; Peer::<TICKET_MAX>::BLOB_MAX];
    assert!(matches!(a.seal(&device, &mut blob[..100]), Err(Error::BufferTooSmall { .. })));
    assert!(blob.iter().all(|byte| *byte == 0), "nothing that is not sealed stays");
    let (len, version) = a.seal(&device, &mut blob).unwrap();
    let b = Peer::<TICKET_MAX>::restore(&device, Slot(1), version, &blob[..len], &mut [0; 1200]).unwrap();
    assert_eq!((&a.current, &a.pending, &a.gone, &a.psk), (&b.current, &b.pending, &b.gone, &b.psk));
    assert_eq!((a.replacement, a.ahead, a.as_s, a.me, a.whom), (b.replacement, b.ahead, b.as_s, b.me, b.whom));
    assert_eq!(
        Peer::<TICKET_MAX>::restore(&device, Slot(1), version + 1, &blob[..len], &mut [0; 1200]).unwrap_err(),
        Error::BlobRolledBack
    );
    blob[len / 2] ^= 1;
    assert_eq!(
        Peer::<TICKET_MAX>::restore(&device, Slot(1), 0, &blob[..len], &mut [0; 1200]).unwrap_err(),
        Error::BadBlob
    );
    // A longest peer fits.
    let names = [Subject::new(&"x".repeat(32)).unwrap(), Subject::new(&"y".repeat(32)).unwrap()];
    (a.me, a.whom) = (names[0], Whom::Known(names[1]));
    let facts = Facts { subject: names[1], serial: 1, ends: 2, key_len: 32 };
    a.keep(&[7; TICKET_MAX], &facts, (Reference([1; 8]), 3));
    assert_eq!(a.write(&mut [0; Peer::<TICKET_MAX>::TEXT_MAX]), Ok(Peer::<TICKET_MAX>::TEXT_MAX));
    assert!(Subject::new(&"x".repeat(33)).is_none() && Subject::new("").is_none());
    // The ticket lies beside the rest and is bound to it; a pending PMK of the same phase 1 is a key and no more.
    let read = |blob: &[u8]| Peer::<TICKET_MAX>::restore(&device, Slot(1), 0, blob, &mut [0; 1200]);
    let (whole, _) = a.seal(&device, &mut blob).unwrap();
    let b = read(&blob[..whole]).unwrap();
    assert_eq!((a.ticket(), a.cred(), Some(Reference::of(a.ticket()))), (b.ticket(), b.cred(), b.reference()));
    blob[whole - 3] ^= 1;
    assert_eq!(read(&blob[..whole]).unwrap_err(), Error::BadBlob);
    a.pending = a.current.as_ref().map(|master| master.next(Secret::new([5; 32])));
    let (short, _) = a.seal(&device, &mut blob).unwrap();
    assert_eq!((whole - short, &read(&blob[..short]).unwrap().pending), (Master::LEN - 32, &a.pending));
}

/// Whatever is lost, repeated, reordered, given up or cut off: nobody is told to begin anew, and a few undisturbed runs,
/// whoever starts them, lead to one PMK on both sides.
#[test]
fn no_order_of_things_forks() {
    for seed in 0..20_000u32 {
        let mut state = hash(&[&seed.to_be_bytes()]);
        let mut at = 0;
        let mut random = |n: usize| {
            if at == 32 {
                (state, at) = (hash(&[&state]), 0);
            }
            at += 1;
            usize::from(state[at - 1]) % n
        };
        let mut nodes = authenticated().map(Node::new);
        let mut net: Vec<(usize, Sent)> = Vec::new();
        let mut run = 0;
        for _ in 0..random(120) {
            match random(8) {
                0 | 1 => {
                    let who = random(2);
                    if nodes[who].own.is_none() && nodes[who].peer.clone().start().is_ok() {
                        run += 1;
                        net.push((1 - who, nodes[who].start(run)));
                    }
                }
                2 => nodes[random(2)].give_up(),
                3 if random(3) == 0 => nodes[random(2)].power_cut(),
                _ if net.is_empty() => {}
                n => {
                    let which = random(net.len());
                    let (to, sent) = if n == 7 { net[which].clone() } else { net.swap_remove(which) };
                    if let Some(answer) = nodes[to].hear(&sent) {
                        net.push((1 - to, answer));
                    }
                }
            }
        }
        nodes.iter_mut().for_each(Node::give_up);
        let who = random(2);
        let able = |nodes: &[Node; 2], who: usize| nodes[who].peer.clone().start().is_ok();
        let who = if able(&nodes, who) { who } else { 1 - who };
        let done = (0..8).any(|_| {
            run += 1;
            undisturbed(&mut nodes, who, run)
        });
        assert!(done, "seed {seed}: {:?} {:?}", nodes[0].peer, nodes[1].peer);
        assert!(nodes.iter().all(|node| !node.gone_without_hope), "seed {seed}");
    }
}
