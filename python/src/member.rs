//! An association of whatever scheme, as it lies here: by itself, or in a hub.

use crate::pairing;
use iotkm::engine::drops::Drops;
use iotkm::engine::{ConnectionId, Endpoint, Scheme, Scratch, wire};
use iotkm::history::wire::{NUMBER as HISTORY, message};
use iotkm::hub::{Namer, Routed};
use iotkm::{Addr, Assurance, Cx, Error, Fingerprint, Output, Received, Sent, Slot, StoreError};
use std::any::Any;

/// What the core's endpoints can do, whatever their scheme.
pub trait Verbs: iotkm::Association + Any + Send {
    /// See [`Routed::namer`].
    fn namer(&self) -> (u8, Namer);
    /// See [`Endpoint::restore`].
    ///
    /// # Errors
    /// The core's.
    fn restore(&mut self, cx: &mut Cx<'_>, blob: &[u8]) -> Result<(), Error>;
    /// See [`Endpoint::close`].
    ///
    /// # Errors
    /// The core's.
    fn close(&mut self) -> Result<(), Error>;
    /// See [`Endpoint::wipe`].
    fn wipe(&mut self);
    /// See [`Routed::is_named`].
    fn is_named(&mut self, message: &[u8]) -> bool;
    /// See [`Routed::is_from_peer`].
    fn is_from_peer(&mut self, message: &[u8]) -> bool;
    /// See [`Routed::names`].
    fn names(&mut self, name: &mut dyn FnMut(u32));
    /// See [`Routed::names_version`].
    fn names_version(&self) -> u32;
    /// See [`Routed::set_connection_id`].
    ///
    /// # Errors
    /// The core's.
    fn set_connection_id(&mut self, cid: ConnectionId) -> Result<(), Error>;
    /// See [`Routed::has_run_with`].
    fn has_run_with(&self, addr: &Addr) -> bool;
    /// See [`Routed::is_busy`].
    fn is_busy(&self) -> bool;
}

impl<S: Scheme + 'static, M: Scratch<S> + 'static> Verbs for Endpoint<S, M>
where
    Self: Send,
{
    fn namer(&self) -> (u8, Namer) {
        Routed::namer(self)
    }
    fn restore(&mut self, cx: &mut Cx<'_>, blob: &[u8]) -> Result<(), Error> {
        Endpoint::restore(self, cx, blob)
    }
    fn close(&mut self) -> Result<(), Error> {
        Endpoint::close(self)
    }
    fn wipe(&mut self) {
        Endpoint::wipe(self);
    }
    fn is_named(&mut self, message: &[u8]) -> bool {
        Routed::is_named(self, message)
    }
    fn is_from_peer(&mut self, message: &[u8]) -> bool {
        Routed::is_from_peer(self, message)
    }
    fn names(&mut self, name: &mut dyn FnMut(u32)) {
        Routed::names(self, name);
    }
    fn names_version(&self) -> u32 {
        Routed::names_version(self)
    }
    fn set_connection_id(&mut self, cid: ConnectionId) -> Result<(), Error> {
        Routed::set_connection_id(self, cid)
    }
    fn has_run_with(&self, addr: &Addr) -> bool {
        Routed::has_run_with(self, addr)
    }
    fn is_busy(&self) -> bool {
        Routed::is_busy(self)
    }
}

/// One association of any scheme: what a hub holds many of.
pub struct Member {
    /// The core's association.
    pub verbs: Box<dyn Verbs>,
    /// A pairing that is done, and stays only to answer its own messages: others from its peer's address are for the
    /// association that came of it.
    pub over: bool,
}

impl std::fmt::Debug for Member {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Member(..)")
    }
}

impl Member {
    /// A member.
    pub const fn new(verbs: Box<dyn Verbs>) -> Self {
        Self { verbs, over: false }
    }
    /// The endpoint itself, if it is of this type.
    pub fn own<E: Verbs>(&self) -> Option<&E> {
        (&*self.verbs as &dyn Any).downcast_ref()
    }
    /// The endpoint itself, if it is of this type.
    pub fn own_mut<E: Verbs>(&mut self) -> Option<&mut E> {
        (&mut *self.verbs as &mut dyn Any).downcast_mut()
    }
}

/// The name of all messages of pairings: a hub has one at most.
const PAIRING: u32 = u32::from_be_bytes(*b"pair");

/// The scheme that a first message is of.
fn scheme_of(message: &[u8]) -> u8 {
    match wire::classify(message) {
        Ok(wire::Kind::Handshake { scheme, .. }) => scheme,
        _ => wire::ENGINE,
    }
}

fn is_pairing(datagram: &[u8]) -> bool {
    let Ok(wire::Kind::Handshake { scheme: HISTORY, message: number, .. }) = wire::classify(datagram) else {
        return false;
    };
    (message::P1..=message::P6).contains(&number)
}

impl Routed for Member {
    fn namer(&self) -> (u8, Namer) {
        match self.verbs.namer() {
            (HISTORY, _) => {
                (
                    HISTORY,
                    |message| {
                        if is_pairing(message) { Some(PAIRING) } else { crate::history::first_name(message) }
                    },
                )
            }
            other => other,
        }
    }
    fn is_named(&mut self, message: &[u8]) -> bool {
        let scheme = scheme_of(message);
        if scheme != wire::ENGINE && scheme != self.verbs.namer().0 {
            return false;
        }
        let pairing = self.own::<pairing::Core>().is_some();
        if is_pairing(message) { pairing } else { !pairing && self.verbs.is_named(message) }
    }
    fn is_from_peer(&mut self, message: &[u8]) -> bool {
        // Nobody is known before a pairing: whoever asks is heard.
        if is_pairing(message) {
            self.is_named(message)
        } else {
            self.is_named(message) && self.verbs.is_from_peer(message)
        }
    }
    fn names(&mut self, name: &mut dyn FnMut(u32)) {
        if self.own::<pairing::Core>().is_some() {
            name(PAIRING);
        }
        self.verbs.names(name);
    }
    fn names_version(&self) -> u32 {
        // Never 0, with which a place begins: the names are noted at once.
        self.verbs.names_version().wrapping_add(1)
    }
    fn set_connection_id(&mut self, cid: ConnectionId) -> Result<(), Error> {
        self.verbs.set_connection_id(cid)
    }
    fn has_run_with(&self, addr: &Addr) -> bool {
        !self.over && self.verbs.has_run_with(addr)
    }
    fn is_busy(&self) -> bool {
        self.verbs.is_busy()
    }
}

impl iotkm::Association for Member {
    fn send<'o>(&mut self, cx: &mut Cx<'_>, payload: &[u8], out: &'o mut [u8]) -> Result<Sent<'o>, Error> {
        self.verbs.send(cx, payload, out)
    }
    fn handle_input<'b>(
        &'b mut self,
        cx: &mut Cx<'_>,
        from: &Addr,
        datagram: &'b mut [u8],
    ) -> Result<Option<Received<'b>>, Error> {
        self.verbs.handle_input(cx, from, datagram)
    }
    fn handle_timeout(&mut self, cx: &mut Cx<'_>) -> Result<(), Error> {
        self.verbs.handle_timeout(cx)
    }
    fn persisted(&mut self, slot: Slot, stored: Result<(), StoreError>) {
        self.verbs.persisted(slot, stored);
    }
    fn poll<'o>(&mut self, cx: &mut Cx<'_>, out: &'o mut [u8]) -> Output<'o> {
        self.verbs.poll(cx, out)
    }
    fn exporter(&self, label: &[u8], context: &[u8], out: &mut [u8]) -> Result<(), Error> {
        self.verbs.exporter(label, context, out)
    }
    fn export(&self, cx: &mut Cx<'_>, out: &mut [u8]) -> Result<usize, Error> {
        self.verbs.export(cx, out)
    }
    fn is_established(&self) -> bool {
        self.verbs.is_established()
    }
    fn peer_addr(&self) -> Option<Addr> {
        self.verbs.peer_addr()
    }
    fn assurance(&self) -> Option<Assurance> {
        self.verbs.assurance()
    }
    fn fingerprint(&self) -> Option<Fingerprint> {
        self.verbs.fingerprint()
    }
    fn drops(&self) -> &Drops {
        self.verbs.drops()
    }
}
