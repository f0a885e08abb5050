//! The Hardened profile on the simulated network, and what somebody with a stolen triple can compute.

use crate::{Transcript, xor};
use iotkm::crypto::cpace::CPACE_RISTRETTO255;
use iotkm::crypto::{Rng, Secret, Suite};
use iotkm::engine::Config;
use iotkm::engine::session::{Common, Keys, Session, Terms};
use iotkm::engine::state::{self, Kind};
use iotkm::engine::transcript::Transcript as Hash;
use iotkm::engine::wire::{HEADER_LEN, header};
use iotkm::history::keys::{self, NONCE_LEN, Pair, R_LEN};
use iotkm::history::pairing::{PairingMemory, Setup};
use iotkm::history::wire::{C1, NUMBER, Sealed, message, share_len};
use iotkm::history::{Id, Pairing, Peer, Triple};
use iotkm::{Device, Event, Instant, Slot};
use iotkm_netsim::lab::{NAMES, SLOT};
use iotkm_netsim::{Assoc, Lab, Link, Net, Node, Plan, SimRng};

/// A pairing with its memory.
pub type P = Pairing<PairingMemory<2, 256>>;

/// A device that pairs.
pub fn pairing_node(suite: &'static Suite, me: &[u8], seed: u64) -> Node<P> {
    let setup =
        Setup { me: Id::new(me).unwrap(), suite, cpace: &CPACE_RISTRETTO255, peer_slot: SLOT, attempts_slot: Slot(9) };
    let a = Pairing::open(setup, Config::default(), PairingMemory::new()).unwrap();
    Node::new(a, me, seed, Device::new(Secret::new([seed as u8; 32])))
}

/// Two devices that start to pair: b's window is open.
pub fn pairing(suite: &'static Suite, seed: u64, sk: [&[u8]; 2]) -> Net<P, P> {
    let [a, b] = NAMES;
    let mut net =
        Net::new(seed, Link::GOOD, pairing_node(suite, a, seed * 2 + 1), pairing_node(suite, b, seed * 2 + 2));
    let (now, to) = (net.now, net.b.addr);
    net.b.with(now, |b, cx| b.listen(cx, sk[1], 600_000)).unwrap();
    net.a.with(now, |a, cx| a.start(cx, &to, sk[0])).unwrap();
    net
}

/// Whether a pairing ended well.
pub fn paired(event: &Event) -> bool {
    matches!(event, Event::Paired { .. })
}

/// Two devices that have paired over the network: what was sent, and their associations.
pub fn lab_by_pairing(suite: &'static Suite, seed: u64, sk: &[u8]) -> (Transcript, Lab) {
    let mut net = pairing(suite, seed, [sk, sk]);
    assert!(net.drive(60_000, |n| n.a.saw(paired) && n.b.saw(paired)));
    let plan = Plan::new(suite);
    let node = |who: usize, net: &mut Net<P, P>| -> Node<Assoc> {
        let paired = if who == 0 { &mut net.a } else { &mut net.b };
        let peer = paired.a.take_peer().expect("paired");
        let mut node = Node::new(plan.open(who, peer), NAMES[who], seed * 2 + 50 + who as u64, paired.device.clone());
        node.stored = paired.stored.clone();
        node
    };
    let (a, b) = (node(0, &mut net), node(1, &mut net));
    (net.trace, Net::new(seed, Link::GOOD, a, b))
}

/// a starts an exchange; both complete it.
pub fn connect(net: &mut Lab) {
    net.connect(0).unwrap();
    assert!(net.drive(60_000, Lab::both), "{}", net.state());
}

/// b asks for an update and both have moved on.
pub fn update(net: &mut Lab) {
    let next = net.a.a.peer().generation() + 1;
    net.update(1).unwrap();
    assert!(net.drive(60_000, |n| n.both() && n.at_generation(next)), "{}", net.state());
}

/// The triples that a thief of a node's storage and device secret has: current, and pending if there is one.
pub fn stolen(node: &Node<Assoc>) -> Vec<[[u8; 32]; 3]> {
    let (mut blob, mut text) = ([0; Peer::BLOB_MAX], [0; Peer::BLOB_MAX]);
    let (len, _) = node.a.peer().clone().seal(&node.device, &mut blob).unwrap();
    state::open(&node.device, Kind::HistoryPeer, 0, &blob[..len], &mut text).unwrap();
    let ids = 2 + node.a.peer().own_id().as_bytes().len() + node.a.peer().id().as_bytes().len();
    let triples = 2 + ids + 11 + 8; // suite, flags; replacement; run numbers
    let count = 1 + usize::from(text[1] & 2 != 0);
    let triple = |i: usize| [0, 1, 2].map(|j| text[triples + i * 96 + j * 32..][..32].try_into().unwrap());
    (0..count).map(triple).collect()
}

/// A triple from its values.
pub fn triple(values: [[u8; 32]; 3], generation: u32) -> Triple {
    let [sk, t, li] = values.map(Secret::new);
    Triple::new(sk, t, li, generation)
}

/// Which pair this C1 was made with, if it was with this triple: what a guess would be checked by.
pub fn check_c1(suite: &Suite, triple: &Triple, generation: u32, ids: [&Id; 2], c1: &[u8]) -> Option<Pair> {
    let c1 = C1::read(c1, suite.mac_len).ok()?;
    let th_1 = th_0(suite, generation, ids).then(&[c1.body]);
    Pair::ALL.into_iter().find(|pair| {
        let mut tag = vec![0; suite.mac_len];
        keys::c1_tag(triple, *pair, &th_1, &mut tag);
        tag == c1.tag
    })
}

fn th_0(suite: &Suite, generation: u32, [i, r]: [&Id; 2]) -> Hash {
    keys::th_0(&keys::Terms { suite: suite.id, dh: suite.dh.is_some(), psk: false, generation }, i, r)
}

fn open_once(suite: &Suite, key: &Secret<32>, text: &mut [u8], tag: &[u8]) -> Option<()> {
    let nonce = vec![0; suite.aead.nonce_len()];
    suite.aead.open(&key.expose()[..suite.aead.key_len()], &nonce, &[], text, tag).ok()
}

/// What a recorded exchange gives to somebody who has its triple: the session, as its responder and as its initiator has
/// it. `dh` is what she takes for the Diffie-Hellman secret, from both shares.
pub fn sessions_from(
    suite: &'static Suite,
    stolen: &Triple,
    generation: u32,
    ids: [&Id; 2],
    exchange: &Transcript,
    dh: impl Fn(&[u8], &[u8]) -> Vec<u8>,
) -> Option<[Session; 2]> {
    let of = |n: u8| exchange.iter().map(|(_, b)| &b[..]).find(|b| b[0] == 0x16 && b[1] >> 4 == n);
    let (c1, c2, c3) = (of(message::C1)?, of(message::C2)?, of(message::C3)?);
    let pair = check_c1(suite, stolen, generation, ids, c1)?;
    let first = C1::read(c1, suite.mac_len).ok()?;
    let th_1 = th_0(suite, generation, ids).then(&[first.body]);

    let Sealed { head, text, tag } = Sealed::read(c2, HEADER_LEN + NONCE_LEN, suite.mac_len).ok()?;
    let th_2 = th_1.then(&[first.tag, head]);
    let mut two = text.to_vec();
    open_once(suite, &keys::c2_key(stolen, pair, &th_2), &mut two, tag)?;
    let r_r = Secret::<R_LEN>::new(two[..R_LEN].try_into().ok()?);
    let th_3 = th_2.then(&[text, tag, &header(NUMBER, message::C3, first.run)]);

    let Sealed { text, tag, .. } = Sealed::read(c3, HEADER_LEN, suite.mac_len).ok()?;
    let mut three = text.to_vec();
    open_once(suite, &keys::c3_key(stolen, pair, &r_r, &th_3), &mut three, tag)?;
    let r_i = Secret::<R_LEN>::new(three[..R_LEN].try_into().ok()?);
    let th_4 = th_3.then(&[text, tag]);

    let share = share_len(suite);
    let dh = dh(&three[three.len() - share..], &two[two.len() - share..]);
    let prk = keys::run_prk(stolen, pair, &r_i, &r_r, &dh, None);
    let mut keys = Keys::none();
    keys.keep(&prk, &th_4);
    let (id, generation) = (first.run << 1, first.run);
    let terms = |initiator| Terms {
        id,
        generation,
        initiator,
        cid: Default::default(),
        now: Instant(0),
        healed: false,
        secret: false,
    };
    Some([false, true].map(|initiator| Session::new(&common(suite), &keys, &terms(initiator))))
}

/// What a spy's copies of the sessions go by.
pub const fn common(suite: &'static Suite) -> Common {
    Common { suite, scheme: keys::NAME, rekey_after: u32::MAX }
}

/// A Diffie-Hellman secret from two shares: what one may try who has neither scalar.
pub type Guess = fn(&[u8], &[u8]) -> Vec<u8>;
/// All that the shares give by themselves.
pub const GUESSES: [Guess; 5] =
    [|_, _| vec![], |i, _| vec![0; i.len()], |i, _| i.to_vec(), |_, r| r.to_vec(), |i, r| xor(i, r)];

/// The Diffie-Hellman secret of a's first exchange: what a thief of all of a's memory has then.
pub fn dh_of_a(suite: &Suite, seed: u64, their_share: &[u8]) -> Vec<u8> {
    let Some(group) = suite.dh else { return vec![] };
    let mut rng = SimRng::new(seed * 2 + 1);
    rng.fill(&mut [0; 25]).unwrap(); // N_I, R_I, the pair
    let (mut scalar, mut share) = (Secret::zero(), vec![0; group.share_len()]);
    group.generate(&mut rng, &mut scalar, &mut share).unwrap();
    let mut dh = vec![0; group.secret_len()];
    group.agree(&scalar, their_share, &mut dh).unwrap();
    dh
}

/// What an update gives to somebody who reads it: the new triple, under each guess at its Diffie-Hellman secret. ASK is
/// the responder's record and ANSWER the initiator's.
pub fn next_triples(
    suite: &'static Suite,
    [to_responder, to_initiator]: &mut [Session; 2],
    records: &Transcript,
) -> Vec<Triple> {
    let mut read = |from_initiator: bool, kind: u8| {
        let session = if from_initiator { &mut *to_responder } else { &mut *to_initiator };
        records.iter().filter(|(from, b)| *from == from_initiator && b[0] & 0x0c == 0x0c).find_map(|(_, b)| {
            let mut b = b.clone();
            let opened = session.open(&common(suite), 0, &mut b).ok()?;
            let text = &b[opened.start..opened.start + opened.len];
            (text[0] == kind).then(|| text.to_vec())
        })
    };
    let (ask, answer) = (read(false, 8).expect("ASK"), read(true, 9).expect("ANSWER"));
    let (hidden, shown) = (ask[19], &ask[20..]);
    let mut record = vec![&shown[..16], &shown[16..32]];
    record.insert(hidden.into(), &answer[3..19]);
    let [t, li, data] = [0, 1, 2].map(|i| <&[u8; 16]>::try_from(record[i]).unwrap());
    let share = share_len(suite);
    let th = Hash::new(&[b"history", b"update"]).then(&[&ask]).then(&[&answer[..answer.len() - 16]]);
    let guess = |dh: &Guess| {
        let dh = if share == 0 { vec![] } else { dh(&shown[32..32 + share], &answer[19..19 + share]) };
        keys::next_triple(&to_responder.master(keys::NAME), &th, &dh, [t, li, data], 1)
    };
    GUESSES.iter().map(guess).collect()
}
