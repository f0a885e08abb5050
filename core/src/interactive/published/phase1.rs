//! Phase 1 (section 3.B): tickets, numbers and g^N, each under the other's public key, and PMK from them. The
//! noninteractive scheme has the same and adds its guarantees.

use super::keys::{self, Number};
use super::wire::{Body, MAC_LEN, NUMBER_LEN, long, put_long};
use crate::association::{Cx, Error};
use crate::cose::ticket::seconds;
use crate::cose::{Agent, Ticket};
use crate::crypto::group::{GroupError, LONGEST, PublishedGroup, Scalar};
use crate::crypto::{Rng, Secret};
use crate::engine::drops::Dropped;
use crate::engine::wire::{self, Reader, Writer};
use crate::interactive::Subject;
use core::fmt;

/// A device, before deployment: its ticket, its private key, and whose tickets it takes.
#[derive(Clone)]
pub struct PublishedDevice<'a> {
    pub(crate) group: &'static dyn PublishedGroup,
    pub(crate) x: Scalar,
    pub(crate) name: Subject,
    ticket: &'a [u8],
    agent: Agent<'a>,
}

impl fmt::Debug for PublishedDevice<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublishedDevice({:?}, ..)", self.name)
    }
}

impl<'a> PublishedDevice<'a> {
    /// A device with this ticket; `x` is the private key to the public key in it.
    ///
    /// # Errors
    /// [`Error::BadArgument`] where they do not fit each other.
    pub fn new(
        group: &'static dyn PublishedGroup,
        ticket: &'a [u8],
        x: Scalar,
        agent: Agent<'a>,
    ) -> Result<Self, Error> {
        let own = Ticket::verify(ticket, &agent).map_err(|_| Error::BadArgument)?;
        let mut public = [0; LONGEST];
        let public = public.get_mut(..group.element_len()).unwrap_or_default();
        group.base(&x, public);
        let name = Subject::new(own.claims().subject).filter(|_| own.claims().key.as_bytes() == public);
        Ok(Self { group, x, name: name.ok_or(Error::BadArgument)?, ticket, agent })
    }

    /// "A verifies the digital signature of the ticket agent ..., the ID of the ticket agent and the ticket expiry date."
    fn verify<'t>(&self, cx: &Cx<'_>, ticket: &'t [u8]) -> Result<(Subject, &'t [u8]), Dropped> {
        let ticket = Ticket::verify(ticket, &self.agent).map_err(|_| Dropped::Forged)?;
        ticket.valid_at(cx.wall.map(seconds), 0).map_err(|_| Dropped::Forged)?;
        let (claims, name) = (ticket.claims(), Subject::new(ticket.claims().subject));
        let key = claims.key.as_bytes();
        if key.len() == self.group.share_len() { Ok((name.ok_or(Dropped::Forged)?, key)) } else { Err(Dropped::Forged) }
    }
}

/// What A says in message 3: l, T and F. The interactive scheme does nothing with them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublishedTerms {
    /// l: length of the one-way hash chain; the greatest index of a session key.
    pub length: u32,
    /// T: how long a session key is used, in seconds.
    pub interval: u32,
    /// F: lifetime of the PMK in seconds.
    pub life: u32,
}

/// What the noninteractive scheme adds: the guarantee r of a self-certified key.
pub(crate) trait Guarantee {
    /// This device's.
    fn own(&self) -> &[u8];
    /// Whether the peer's makes this its public key.
    fn check(&self, name: &Subject, key: &[u8], guarantee: &[u8]) -> Result<(), Dropped>;
}

/// A peer's g^N or public key.
pub(crate) type Element = [u8; LONGEST];

/// What both have after phase 1.
#[derive(Clone)]
pub(crate) struct Agreed {
    pub(crate) peer: Subject,
    /// The peer's public key.
    pub(crate) key: Element,
    pub(crate) pmk: Secret<32>,
    /// N_S0 and N_A0.
    pub(crate) zeros: [Number; 2],
    /// This side's N.
    pub(crate) n: Scalar,
    /// The peer's g^N.
    pub(crate) share: Element,
    /// `H(K_DH xor N_A0 xor N_S0)`.
    pub(crate) v: Secret<32>,
    pub(crate) terms: PublishedTerms,
}

/// The numbers 0, 1, 2 of one side.
type Numbers = [Number; 3];

#[allow(clippy::large_enum_variant, reason = "one of it in an association")]
enum Step {
    AwaitM2 { terms: PublishedTerms },
    AwaitM3 { peer: Subject, key: Element, n: Scalar, numbers: Numbers },
    AwaitM4 { agreed: Agreed, numbers: [Number; 2] },
}

/// A run of phase 1.
#[derive(Default)]
pub(crate) struct Phase1(Option<Step>);

impl fmt::Debug for Phase1 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Phase1(..)" } else { "Phase1" })
    }
}

impl Phase1 {
    pub(crate) const fn is_under_way(&self) -> bool {
        self.0.is_some()
    }

    pub(crate) fn stop(&mut self) {
        self.0 = None;
    }

    /// A: message 1, `T_A, R, V_PMK{R}`; without the MAC where there is no PMK yet.
    pub(crate) fn m1(
        &mut self,
        cx: &mut Cx<'_>,
        device: &PublishedDevice<'_>,
        terms: PublishedTerms,
        pmk: Option<&Secret<32>>,
    ) -> Result<Body, Dropped> {
        let r = random(cx.rng)?;
        self.0 = Some(Step::AwaitM2 { terms });
        Ok(Body::new(|w| {
            put_long(w, device.ticket);
            w.put(&r);
            if let Some(pmk) = pmk {
                w.put(&keys::v(pmk.expose(), &[&r]));
            }
        }))
    }

    /// S: message 2, `E_A(T_S, N_S0, N_S1, N_S2, g^NS)`.
    pub(crate) fn m2(
        &mut self,
        cx: &mut Cx<'_>,
        device: &PublishedDevice<'_>,
        guarantee: &dyn Guarantee,
        pmk: Option<&Secret<32>>,
        m1: &[u8],
    ) -> Result<Body, Dropped> {
        let mut r = Reader::new(m1);
        let ticket = long(&mut r)?;
        let number: Number = r.array()?;
        let mac = r.rest();
        if !mac.is_empty() && keys::v(pmk.ok_or(Dropped::NoKey)?.expose(), &[&number]) != mac {
            return Err(Dropped::Forged);
        }
        let (peer, public) = device.verify(cx, ticket)?;
        let numbers = draw(cx.rng)?;
        let (n, share) = generate(cx.rng, device.group)?;
        let body = encrypted(cx.rng, device.group, public, |w| {
            put_long(w, device.ticket);
            numbers.iter().for_each(|number| _ = w.put(number));
            w.put(cut(&share, device.group)).put(guarantee.own());
        })?;
        self.0 = Some(Step::AwaitM3 { peer, key: element(public), n, numbers });
        Ok(body)
    }

    /// A: message 3, `E_S(g^NA, l, T, F, N_A0, N_A1, N_A2)`.
    pub(crate) fn m3(
        &mut self,
        cx: &mut Cx<'_>,
        device: &PublishedDevice<'_>,
        guarantee: &dyn Guarantee,
        m2: &mut [u8],
    ) -> Result<Body, Dropped> {
        let Some(Step::AwaitM2 { terms }) = self.0 else { return Err(Dropped::Unexpected) };
        let group = device.group;
        let mut r = Reader::new(keys::decrypt(group, &device.x, m2).map_err(bad)?);
        let ticket = long(&mut r)?;
        let [n_s0, n_s1, n_s2]: Numbers = [r.array()?, r.array()?, r.array()?];
        let share = r.take(group.share_len())?;
        let theirs = r.rest();
        let (peer, public) = device.verify(cx, ticket)?;
        guarantee.check(&peer, public, theirs)?;
        let [n_a0, n_a1, n_a2] = draw(cx.rng)?;
        let (n, own) = generate(cx.rng, group)?;
        let [pmk, v] = keys::agree(group, &n, share, [[&n_s1, &n_a1], [&n_s0, &n_a0]]).map_err(bad)?;
        let body = encrypted(cx.rng, group, public, |w| {
            w.put(cut(&own, group));
            [terms.length, terms.interval, terms.life].iter().for_each(|n| _ = w.put(&n.to_be_bytes()));
            w.put(&n_a0).put(&n_a1).put(&n_a2).put(guarantee.own());
        })?;
        let (key, share) = (element(public), element(share));
        let agreed = Agreed { peer, key, pmk, zeros: [n_s0, n_a0], n, share, v, terms };
        self.0 = Some(Step::AwaitM4 { agreed, numbers: [n_a2, n_s2] });
        Ok(body)
    }

    /// S: message 4, `V_PMK{N_A2, N_S2}`, and what was agreed.
    pub(crate) fn m4(
        &mut self,
        device: &PublishedDevice<'_>,
        guarantee: &dyn Guarantee,
        m3: &mut [u8],
    ) -> Result<([u8; MAC_LEN], Agreed), Dropped> {
        let Some(Step::AwaitM3 { peer, key, n, numbers }) = &self.0 else { return Err(Dropped::Unexpected) };
        let ([n_s0, n_s1, n_s2], group) = (*numbers, device.group);
        let mut r = Reader::new(keys::decrypt(group, &device.x, m3).map_err(bad)?);
        let share = r.take(group.share_len())?;
        let terms = PublishedTerms { length: r.u32()?, interval: r.u32()?, life: r.u32()? };
        let [n_a0, n_a1, n_a2]: Numbers = [r.array()?, r.array()?, r.array()?];
        guarantee.check(peer, cut(key, group), r.rest())?;
        let [pmk, v] = keys::agree(group, n, share, [[&n_s1, &n_a1], [&n_s0, &n_a0]]).map_err(bad)?;
        let tag = keys::v(pmk.expose(), &[&n_a2, &n_s2]);
        let (share, zeros) = (element(share), [n_s0, n_a0]);
        let agreed = Agreed { peer: *peer, key: *key, pmk, zeros, n: n.clone(), share, v, terms };
        self.0 = None;
        Ok((tag, agreed))
    }

    /// A: message 4 has come.
    pub(crate) fn done(&mut self, m4: &[u8]) -> Result<Agreed, Dropped> {
        let Some(Step::AwaitM4 { agreed, numbers: [n_a2, n_s2] }) = &self.0 else { return Err(Dropped::Unexpected) };
        if keys::v(agreed.pmk.expose(), &[n_a2, n_s2]) != m4 {
            return Err(Dropped::Forged);
        }
        let agreed = agreed.clone();
        self.0 = None;
        Ok(agreed)
    }
}

/// What a group's refusal is to a run.
pub(crate) fn bad(error: GroupError) -> Dropped {
    match error {
        GroupError::BadElement => Dropped::BadElement,
        GroupError::Rng(_) => Dropped::Rng,
    }
}

/// A scalar and its share.
pub(crate) fn generate(rng: &mut dyn Rng, group: &dyn PublishedGroup) -> Result<(Scalar, Element), Dropped> {
    let (mut scalar, mut share) = (Secret::zero(), [0; LONGEST]);
    group.generate(rng, &mut scalar, &mut share).map_err(bad)?;
    Ok((scalar, share))
}

/// An element in memory of its own.
pub(crate) fn element(bytes: &[u8]) -> Element {
    let mut element = [0; LONGEST];
    wire::copy(&mut element, bytes);
    element
}

/// An element, as long as the group's are.
pub(crate) fn cut<'e>(element: &'e Element, group: &dyn PublishedGroup) -> &'e [u8] {
    element.get(..group.element_len()).unwrap_or_default()
}

fn random(rng: &mut dyn Rng) -> Result<Number, Dropped> {
    let mut number = [0; NUMBER_LEN];
    rng.fill(&mut number).map_err(|_| Dropped::Rng)?;
    Ok(number)
}

fn draw(rng: &mut dyn Rng) -> Result<Numbers, Dropped> {
    Ok([random(rng)?, random(rng)?, random(rng)?])
}

fn encrypted(
    rng: &mut dyn Rng,
    group: &dyn PublishedGroup,
    public: &[u8],
    write: impl FnOnce(&mut Writer<'_>),
) -> Result<Body, Dropped> {
    let mut body = Body::new(|w| {
        w.skip(group.share_len());
        write(w);
    });
    keys::encrypt_to(group, rng, public, body.as_mut()).map_err(bad)?;
    Ok(body)
}
