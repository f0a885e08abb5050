//! An association of whatever scheme: what a hub holds many of.

use iotkm::engine::drops::Drops;
use iotkm::engine::{ConnectionId, Endpoint, Scheme, Scratch, wire};
use iotkm::hub::{Namer, Routed};
use iotkm::{Addr, Association, Assurance, Cx, Error, Fingerprint, Output, Received, Sent, Slot, StoreError};
use std::any::Any;

/// What the core's endpoints can do, whatever their scheme.
pub(crate) trait Verbs: Association + Any + Send {
    fn namer(&self) -> (u8, Namer);
    fn restore(&mut self, cx: &mut Cx<'_>, blob: &[u8]) -> Result<(), Error>;
    fn close(&mut self) -> Result<(), Error>;
    fn wipe(&mut self);
    fn is_named(&mut self, message: &[u8]) -> bool;
    fn is_from_peer(&mut self, message: &[u8]) -> bool;
    fn names(&mut self, name: &mut dyn FnMut(u32));
    fn names_version(&self) -> u32;
    fn set_connection_id(&mut self, cid: ConnectionId) -> Result<(), Error>;
    fn has_run_with(&self, addr: &Addr) -> bool;
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

/// One of the core's associations.
pub(crate) struct Member(pub(crate) Box<dyn Verbs>);

impl Member {
    /// The endpoint itself, if it is of this type.
    pub(crate) fn own<E: Verbs>(&mut self) -> Option<&mut E> {
        (&mut *self.0 as &mut dyn Any).downcast_mut()
    }

    /// The endpoint itself, taken out, if it is of this type.
    pub(crate) fn into_own<E: Verbs>(self) -> Option<E> {
        let own: Box<dyn Any> = self.0;
        own.downcast().ok().map(|own| *own)
    }
}

/// The scheme that a first message is of.
fn scheme_of(message: &[u8]) -> u8 {
    match wire::classify(message) {
        Ok(wire::Kind::Handshake { scheme, .. }) => scheme,
        _ => wire::ENGINE,
    }
}

impl Routed for Member {
    fn namer(&self) -> (u8, Namer) {
        self.0.namer()
    }
    fn is_named(&mut self, message: &[u8]) -> bool {
        scheme_of(message) == self.0.namer().0 && self.0.is_named(message)
    }
    fn is_from_peer(&mut self, message: &[u8]) -> bool {
        Routed::is_named(self, message) && self.0.is_from_peer(message)
    }
    fn names(&mut self, name: &mut dyn FnMut(u32)) {
        self.0.names(name);
    }
    fn names_version(&self) -> u32 {
        // Never 0, with which a place begins: the names are noted at once.
        self.0.names_version().wrapping_add(1)
    }
    fn set_connection_id(&mut self, cid: ConnectionId) -> Result<(), Error> {
        self.0.set_connection_id(cid)
    }
    fn has_run_with(&self, addr: &Addr) -> bool {
        self.0.has_run_with(addr)
    }
    fn is_busy(&self) -> bool {
        self.0.is_busy()
    }
}

impl Association for Member {
    fn send<'o>(&mut self, cx: &mut Cx<'_>, payload: &[u8], out: &'o mut [u8]) -> Result<Sent<'o>, Error> {
        self.0.send(cx, payload, out)
    }
    fn handle_input<'b>(
        &'b mut self,
        cx: &mut Cx<'_>,
        from: &Addr,
        datagram: &'b mut [u8],
    ) -> Result<Option<Received<'b>>, Error> {
        self.0.handle_input(cx, from, datagram)
    }
    fn handle_timeout(&mut self, cx: &mut Cx<'_>) -> Result<(), Error> {
        self.0.handle_timeout(cx)
    }
    fn persisted(&mut self, slot: Slot, stored: Result<(), StoreError>) {
        self.0.persisted(slot, stored);
    }
    fn poll<'o>(&mut self, cx: &mut Cx<'_>, out: &'o mut [u8]) -> Output<'o> {
        self.0.poll(cx, out)
    }
    fn exporter(&self, label: &[u8], context: &[u8], out: &mut [u8]) -> Result<(), Error> {
        self.0.exporter(label, context, out)
    }
    fn export(&self, cx: &mut Cx<'_>, out: &mut [u8]) -> Result<usize, Error> {
        self.0.export(cx, out)
    }
    fn is_established(&self) -> bool {
        self.0.is_established()
    }
    fn peer_addr(&self) -> Option<Addr> {
        self.0.peer_addr()
    }
    fn assurance(&self) -> Option<Assurance> {
        self.0.assurance()
    }
    fn fingerprint(&self) -> Option<Fingerprint> {
        self.0.fingerprint()
    }
    fn drops(&self) -> &Drops {
        self.0.drops()
    }
}
