//! The interactive scheme: phase 1 by reference, phase 2, sizes; and the group operations that neither can save.

use std::cell::RefCell;
use std::hint::black_box;

use iotkm::cose::{Agent, Claims, DeviceKey, KeyGroup, Reference, Ticket, Wallet};
use iotkm::crypto::group::Scalar;
use iotkm::crypto::hpke::{DHKEM_P256, DHKEM_X25519, KEM_FFC2048, KEM_FFC3072, Kem};
use iotkm::crypto::remembered::Remembered;
use iotkm::crypto::sign::{Ed25519Key, Signer};
use iotkm::crypto::{SUITE_2, SUITE_4, SUITE_FFC2048, SUITE_FFC3072, Secret, Suite};
use iotkm::engine::Config;
use iotkm::interactive::{Any, Interactive, InteractiveMemory, Leaf, Peer, Setup, Subject};
use iotkm::phase1::Facts;
use iotkm::{Association, KeySlot, Slot, StaticKey, StaticKeys};

use super::pair::{Cheap, Side, settle, settle_while};
use crate::lab::{Problem, failed};
use crate::ops::{Op, repeat};

/// Room for a ticket of any group.
const TICKET: usize = 640;
type Purse = &'static RefCell<Wallet<'static, TICKET, 64>>;
type Memory<P> = InteractiveMemory<P, Purse, 1, 0, Any, TICKET>;
type Owned = Interactive<Peer<TICKET>, Purse, Memory<Peer<TICKET>>, Any, TICKET>;

/// Places lent as firmware lends them, a device that only ever connects, tickets of the curves.
type Lent = Interactive<&'static mut Peer, Purse, &'static mut Runs, Leaf>;
type Runs = InteractiveMemory<&'static mut Peer, Purse, 1, 0, Leaf>;
/// `sizeof` an established association.
pub const ESTABLISHED: usize = size_of::<Lent>();
/// The same in a handshake, its memory for one run included.
pub const HANDSHAKE: usize = size_of::<Lent>() + size_of::<Runs>();

const NAMES: [&str; 2] = ["device-1", "gateway1"];
const KEY: KeySlot = KeySlot(1);
const ENDS: u64 = 2_000_000_000;

/// A suite and its group.
struct Setting {
    kem: &'static dyn Kem,
    key: KeyGroup,
    suites: &'static [&'static Suite],
}

static SETTINGS: [(&str, Setting); 4] = [
    ("x25519", Setting { kem: &DHKEM_X25519, key: KeyGroup::X25519, suites: &[&SUITE_4] }),
    ("p256", Setting { kem: &DHKEM_P256, key: KeyGroup::P256, suites: &[&SUITE_2] }),
    ("ffc2048", Setting { kem: &KEM_FFC2048, key: KeyGroup::Ffc2048, suites: &[&SUITE_FFC2048] }),
    ("ffc3072", Setting { kem: &KEM_FFC3072, key: KeyGroup::Ffc3072, suites: &[&SUITE_FFC3072] }),
];

fn setting(group: &str) -> Result<&'static Setting, Problem> {
    let found = SETTINGS.iter().find(|(name, _)| *name == group);
    found.map(|(_, setting)| setting).ok_or_else(|| failed(format!("no group {group}")))
}

/// A device's key, its ticket and its wallet.
struct Member {
    ticket: Vec<u8>,
    purse: Purse,
    scalar: Secret<32>,
}

fn keys(setting: &Setting, scalar: &Secret<32>) -> Box<dyn StaticKeys> {
    match setting.kem.group().share_len() {
        32 => Box::new(StaticKey::<32>::new(KEY, setting.kem, scalar).expect("a scalar")),
        256 => Box::new(StaticKey::<256>::new(KEY, setting.kem, scalar).expect("a scalar")),
        _ => Box::new(StaticKey::<384>::new(KEY, setting.kem, scalar).expect("a scalar")),
    }
}

fn member(setting: &Setting, who: usize) -> Member {
    let agent = Ed25519Key::new(Secret::new([9; 32]));
    let mut scalar = [who as u8 + 0x41; 32];
    scalar[0] = 0x11;
    let scalar = Secret::new(scalar);
    let mut share = vec![0; setting.kem.group().share_len()];
    keys(setting, &scalar).public_key(KEY, setting.kem, &mut share).expect("its own");
    let claims = Claims {
        issuer: "agent",
        subject: NAMES[who],
        expires: ENDS,
        not_before: None,
        issued_at: ENDS - 1_000_000,
        serial: who as u32 + 1,
        key: DeviceKey::new(setting.key, &share).expect("a key"),
        scope: "",
    };
    let mut ticket = vec![0; TICKET];
    let len = Ticket::issue(&agent, &claims, &mut ticket).expect("room");
    ticket.truncate(len);
    let authority = Agent { name: "agent", key: agent.public_key().expect("a key") };
    let mut wallet = Wallet::new(authority, NAMES[who]).expect("names");
    wallet.install(&ticket, None).expect("valid");
    Member { ticket, purse: Box::leak(Box::new(RefCell::new(wallet))), scalar }
}

fn subject(who: usize) -> Subject {
    Subject::new(NAMES[who]).expect("short")
}

/// A peer whose ticket is known, and who knows this side's, but no PMK: phase 1 goes by reference.
fn acquainted(setting: &Setting, who: usize, members: &[Member; 2]) -> Peer<TICKET> {
    let mut peer = Peer::new(Slot(1), subject(who), subject(1 - who), None).expect("two names");
    let key_len = setting.kem.group().share_len();
    let facts = Facts { subject: subject(1 - who), serial: 2 - who as u32, ends: ENDS, key_len };
    peer.keep(&members[1 - who].ticket, &facts, (Reference::of(&members[who].ticket), ENDS));
    peer
}

fn open(setting: &Setting, peer: Peer<TICKET>, purse: Purse) -> Owned {
    let setup = Setup { kem: setting.kem, suites: setting.suites, slots: [KEY; 2], life: 0 };
    Interactive::open(peer, purse, setup, Config::default(), Memory::new()).expect("valid")
}

fn sides(setting: &Setting, remember: bool) -> ([Side<Owned>; 2], [Peer<TICKET>; 2], [Purse; 2]) {
    let members = [0, 1].map(|who| member(setting, who));
    let peers = [0, 1].map(|who| acquainted(setting, who, &members));
    let sides = [0, 1].map(|who| {
        let association = open(setting, peers[who].clone(), members[who].purse);
        let mut keys = keys(setting, &members[who].scalar);
        if remember {
            keys = Box::new(Remembered::<1>::new(Box::leak(keys)));
        }
        Side::new(NAMES[who], association).with_keys(keys)
    });
    (sides, peers, members.map(|member| member.purse))
}

/// M1 to M4 between two that have each other's ticket, again and again; the first K1 is not let through. Of a group
/// `.remembered` the static keys know what they share.
pub fn phase1(group: &str) -> Result<Box<dyn Op>, Problem> {
    let remembered = group.strip_suffix(".remembered");
    let setting = setting(remembered.unwrap_or(group))?;
    let ([mut a, mut b], peers, purses) = sides(setting, remembered.is_some());
    repeat(move || {
        for (who, side) in [&mut a, &mut b].into_iter().enumerate() {
            side.association = open(setting, peers[who].clone(), purses[who]);
        }
        let to = b.addr;
        a.with(|a, cx| a.connect(cx, &to)).expect("at rest");
        let wire = settle_while(&mut a, &mut b, |bytes| bytes[1] >> 4 <= 4);
        assert!(a.association.peer().choose().is_some() && b.association.peer().pending() != Default::default());
        wire
    })
}

/// K1 to K4, again and again, each under the PMK of the one before.
pub fn phase2(group: &str) -> Result<Box<dyn Op>, Problem> {
    let ([mut a, mut b], ..) = sides(setting(group)?, false);
    let to = b.addr;
    let mut run = move || {
        a.with(|a, cx| a.connect(cx, &to)).expect("at rest");
        let wire = settle(&mut a, &mut b);
        assert!(a.association.is_established() && b.association.fingerprint() == a.association.fingerprint());
        wire
    };
    // Phase 1 is not what is measured.
    run();
    repeat(run)
}

/// What both sides have to compute in their group, and nothing else: `shares` new ones, `secrets` of shares.
pub fn operations(group: &str, shares: usize, secrets: usize) -> Result<Box<dyn Op>, Problem> {
    let group = setting(group)?.kem.group();
    let mut rng = Cheap(1);
    let mut scalar = Scalar::zero();
    let (mut share, mut secret) = (vec![0; group.share_len()], vec![0; group.secret_len()]);
    group.generate(&mut rng, &mut scalar, &mut share).expect("this source does not fail");
    let theirs = share.clone();
    repeat(move || {
        for _ in 0..shares {
            group.generate(&mut rng, &mut scalar, &mut share).expect("this source does not fail");
            black_box(&share);
        }
        for _ in 0..secrets {
            group.agree(&scalar, black_box(&theirs), &mut secret).expect("a share from this group is in it");
            black_box(&secret);
        }
        0
    })
}
