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
