//! What the schemes with tickets need: an agent, tickets; the Published profiles of both on the simulated network.

use iotkm::cose::{Agent, Claims, DeviceKey, KeyGroup, Ticket};
use iotkm::crypto::Secret;
use iotkm::crypto::sign::{Ed25519Key, Signer};

/// The agent's name.
pub const AGENT: &str = "acme";
/// The names of both devices.
pub const NAMES: [&str; 2] = ["lamp", "switch"];
/// When tickets were issued, and when they end; the simulated clocks are between.
pub const VALID: (u64, u64) = (1_740_000_000, 1_780_000_000);

/// An agent's signing key.
pub fn signer(seed: u8) -> Ed25519Key {
    Ed25519Key::new(Secret::new([seed; 32]))
}

/// The agent that devices go by.
pub fn agent() -> Agent<'static> {
    Agent { name: AGENT, key: signer(7).public_key().expect("in memory") }
}

/// A good ticket's claims.
pub fn claims<'a>(subject: &'a str, serial: u32, group: KeyGroup, public: &'a [u8]) -> Claims<'a> {
    let key = DeviceKey::new(group, public).expect("its length");
    let (issued_at, expires) = VALID;
    Claims { issuer: AGENT, subject, expires, not_before: None, issued_at, serial, key, scope: "" }
}

/// A ticket with these claims, signed by whoever has this seed. It lives as long as the test.
pub fn ticket(seed: u8, claims: &Claims<'_>) -> &'static [u8] {
    let mut out = [0; 640];
    let len = Ticket::issue(&signer(seed), claims, &mut out).expect("issued");
    out[..len].to_vec().leak()
}

#[cfg(feature = "published")]
pub mod published {
    //! The Published profiles.
    use super::{NAMES, agent, claims, ticket};
    use iotkm::cose::KeyGroup;
    use iotkm::crypto::group::{FFC2048, Scalar};
    use iotkm::crypto::{Dh, PrimeGroup};
    use iotkm::engine::published::published_header;
    use iotkm::interactive::Subject;
    use iotkm::interactive::published::{PublishedDevice, PublishedInteractive, PublishedTerms};
    use iotkm::noninteractive::published::{PublishedCredential, PublishedNoninteractive, PublishedOperator};
    use iotkm::{Association, Device, Slot};
    use iotkm_netsim::{Link, Net, Node, SimRng};

    /// The interactive scheme's association.
    pub type Interactive = PublishedInteractive<'static>;
    /// The noninteractive scheme's.
    pub type Noninteractive = PublishedNoninteractive<'static>;

    /// Twelve session keys, one a minute.
    pub const TERMS: PublishedTerms = PublishedTerms { length: 12, interval: 60, life: 3600 };

    /// A message of scheme `scheme`.
    pub fn message(scheme: u8, number: u8, body: &[u8]) -> Vec<u8> {
        [&published_header(scheme, number), body].concat()
    }

    fn device(who: usize) -> Device {
        Device::new(iotkm::crypto::Secret::new([who as u8 + 1; 32]))
    }

    fn carried(who: usize, x: &Scalar) -> PublishedDevice<'static> {
        let mut y = [0; 256];
        FFC2048.base(x, &mut y);
        let ticket = ticket(7, &claims(NAMES[who], who as u32 + 1, KeyGroup::Ffc2048, &y));
        PublishedDevice::new(&FFC2048, ticket, x.clone(), agent()).expect("they fit")
    }

    fn node<A: Association>(who: usize, seed: u64, a: A) -> Node<A> {
        Node::new(a, NAMES[who].as_bytes(), seed * 2 + who as u64, device(who))
    }

    /// Two devices with tickets of one agent.
    pub fn interactive(seed: u64) -> Net<Interactive, Interactive> {
        let mut rng = SimRng::new(seed);
        let mut side = |who: usize| {
            let (mut x, mut y) = (Scalar::zero(), [0; 256]);
            FFC2048.generate(&mut rng, &mut x, &mut y).expect("drawn");
            node(who, seed, Interactive::open(carried(who, &x), Slot(1), None))
        };
        let (a, b) = (side(0), side(1));
        Net::new(seed, Link::GOOD, a, b)
    }

    /// a starts phase 1; whether both have a session key in the end.
    pub fn connect(net: &mut Net<Interactive, Interactive>) -> bool {
        let (now, to) = (net.now, net.b.addr);
        net.a.with(now, |a, cx| a.connect(cx, &to, TERMS)).expect("at rest");
        net.drive(5_000, |n| n.a.a.is_established() && n.b.a.is_established())
    }

    /// Two devices of one operator, the credential of the first.
    pub fn noninteractive(seed: u64) -> (Net<Noninteractive, Noninteractive>, PublishedCredential) {
        let mut rng = SimRng::new(seed);
        let operator = PublishedOperator::generate(&FFC2048, &mut rng).expect("drawn");
        let credentials = NAMES.map(|name| {
            let name = Subject::new(name).expect("a name");
            operator.issue(&mut rng, name).expect("issued")
        });
        let side = |who: usize| {
            let credential = credentials[who].clone();
            let device = carried(who, credential.private_key());
            node(who, seed, Noninteractive::open(device, credential, Slot(1)).expect("they fit"))
        };
        (Net::new(seed, Link::GOOD, side(0), side(1)), credentials[0].clone())
    }

    /// a starts phase 1; whether both are through.
    pub fn begin(net: &mut Net<Noninteractive, Noninteractive>) -> bool {
        let (now, to) = (net.now, net.b.addr);
        net.a.with(now, |a, cx| a.connect(cx, &to, TERMS)).expect("at rest");
        net.drive(5_000, |n| n.a.a.is_established() && n.b.a.is_established())
    }
}

pub mod hardened {
    //! The Hardened interactive scheme on the simulated network, on any group.
    use super::{NAMES, agent, claims, ticket};
    use crate::cheats::SLOT as KEY;
    use iotkm::cose::ticket::TICKET_MAX_FFC as LONG;
    use iotkm::cose::{Claims, KeyGroup, Ticket, Wallet};
    use iotkm::crypto::hpke::{DHKEM_P256, DHKEM_X25519, KEM_FFC2048, Kem};
    use iotkm::crypto::sign::Signer;
    use iotkm::crypto::{self, Secret, Suite};
    use iotkm::engine::Config;
    use iotkm::interactive::{Any, Interactive, InteractiveMemory, Peer};
    use iotkm::phase1::{Setup, Subject};
    use iotkm::{Device, Slot, StaticKey, StaticKeys, UnixTime};
    use iotkm_netsim::node::Keys;
    use iotkm_netsim::{Link, Net, Node, SimRng};
    use std::cell::RefCell;

    /// What lends a device its wallet.
    pub type Purse = RefCell<Wallet<'static, LONG, 200>>;
    /// A peer.
    pub type Other = Peer<LONG>;
    /// The association.
    pub type Side = Interactive<Other, Purse, Memory, Any, LONG>;
    type Memory = InteractiveMemory<Other, Purse, 3, 400, Any, LONG>;
    /// Two of them.
    pub type Lab = Net<Side, Side>;

    /// The slot of the peer.
    pub const SLOT: Slot = Slot(1);
    /// The wall clock at simulated time 0, in ms.
    pub const WALL: u64 = 1_750_000_000_000;

    /// What a device is made with.
    #[derive(Clone, Copy)]
    pub struct Plan {
        /// The group.
        pub kem: &'static dyn Kem,
        /// Its suites.
        pub suites: &'static [&'static Suite],
        /// Who signed its ticket: 7 is everybody's agent.
        pub signed_by: u8,
        /// Its name, and in its ticket.
        pub name: &'static str,
        /// Its ticket's number.
        pub serial: u32,
        /// Whom it wants; nobody: anybody.
        pub wants: Option<&'static str>,
        /// What goes into phase 1.
        pub psk: Option<[u8; 32]>,
    }

    /// X25519: two suites.
    pub const CURVE: Plan = Plan {
        kem: &DHKEM_X25519,
        suites: &[&crypto::SUITE_0, &crypto::SUITE_4],
        signed_by: 7,
        name: NAMES[0],
        serial: 1,
        wants: None,
        psk: None,
    };
    /// P-256.
    pub const P256: Plan = Plan { kem: &DHKEM_P256, suites: &[&crypto::SUITE_2, &crypto::SUITE_3], ..CURVE };
    /// The paper's own.
    pub const FFC: Plan = Plan { kem: &KEM_FFC2048, suites: &[&crypto::SUITE_FFC2048], ..CURVE };

    impl Plan {
        /// Of node a (0) or b (1): a wants b, b anybody.
        #[must_use]
        pub fn of(self, who: usize) -> Self {
            let wants = (who == 0).then_some(NAMES[1]);
            Self { name: NAMES[who], serial: who as u32 + 1, wants, ..self }
        }

        /// The group as tickets name it.
        pub fn group(&self) -> KeyGroup {
            match self.kem.curve() {
                4 => KeyGroup::X25519,
                1 => KeyGroup::P256,
                -21 => KeyGroup::Ffc2048,
                _ => KeyGroup::Ffc3072,
            }
        }

        /// Its static key.
        pub fn key(&self, rng: &mut SimRng) -> Box<dyn StaticKeys> {
            match self.kem.group().share_len() {
                32 => Box::new(StaticKey::<32>::generate(KEY, self.kem, rng).expect("drawn")),
                256 => Box::new(StaticKey::<256>::generate(KEY, self.kem, rng).expect("drawn")),
                _ => Box::new(StaticKey::<384>::generate(KEY, self.kem, rng).expect("drawn")),
            }
        }

        /// The setup.
        pub fn setup(&self) -> Setup {
            Setup { kem: self.kem, suites: self.suites, slots: [KEY; 2], life: 0 }
        }

        /// An association at rest with this peer.
        pub fn open(&self, peer: Other, purse: Purse) -> Side {
            Side::open(peer, purse, self.setup(), Config::default(), Memory::new()).expect("valid")
        }
    }

    /// The public key in this slot.
    pub fn public(keys: &dyn StaticKeys, kem: &dyn Kem) -> Vec<u8> {
        let mut share = vec![0; kem.group().share_len()];
        keys.public_key(KEY, kem, &mut share).expect("it is there");
        share
    }

    /// A device, its ticket changed.
    pub fn node_with(plan: &Plan, address: usize, seed: u64, change: impl Fn(Claims<'_>) -> Claims<'_>) -> Node<Side> {
        let mut rng = SimRng::new(seed * 10 + address as u64);
        let keys = plan.key(&mut rng);
        let share = public(&*keys, plan.kem);
        let shown = ticket(plan.signed_by, &change(claims(plan.name, plan.serial, plan.group(), &share)));
        // Whoever has a bad ticket does not know.
        let mut own = agent();
        own.name = Ticket::peek(shown).expect("ours").claims().issuer;
        own.key = super::signer(plan.signed_by).public_key().expect("in memory");
        let mut wallet = Wallet::new(own, plan.name).expect("names");
        let good = Ticket::peek(shown).expect("ours");
        let good = Some(UnixTime(good.claims().begins().max(good.claims().issued_at) * 1_000));
        wallet.install(shown, good).expect("its own");
        let me = Subject::new(plan.name).expect("a name");
        let psk = plan.psk.map(Secret::new);
        let peer = match plan.wants.and_then(Subject::new) {
            Some(id) => Other::new(SLOT, me, id, psk),
            None => Other::anyone(SLOT, me, "", psk),
        };
        let device = Device::new(Secret::new([address as u8 + 1; 32]));
        let a = plan.open(peer.expect("two names"), RefCell::new(wallet));
        let mut node = Node::new(a, NAMES[address].as_bytes(), seed * 2 + address as u64, device);
        node.wall = Some(WALL);
        node.keys = Keys(keys);
        node
    }

    /// A device.
    pub fn node(plan: &Plan, address: usize, seed: u64) -> Node<Side> {
        node_with(plan, address, seed, |good| good)
    }

    /// Two devices that have not met.
    pub fn lab(plan: &Plan, seed: u64) -> Lab {
        Net::new(seed, Link::GOOD, node(&plan.of(0), 0, seed), node(&plan.of(1), 1, seed))
    }
}
