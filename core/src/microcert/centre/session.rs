//! The centre's side of a session: an association like any other, made by an authentication.

use crate::association::{Addr, Authenticated, Cx, Error, Slot, Stage};
use crate::crypto::Suite;
use crate::engine::drops::Dropped;
use crate::engine::flight::{self, Buffer};
use crate::engine::memory::{Memory, Scratch};
use crate::engine::resume;
use crate::engine::scheme::{Io, Note, Scheme};
use crate::engine::session::{ConnectionId, Keys, Terms};
use crate::engine::state::Kind;
use crate::engine::{Config, Endpoint};
use crate::history::Id;
use crate::microcert::{keys, wire};

/// A session with a device. `M` is the runs' memory ([`ServedMemory`], owned, boxed or lent): for a resume or a new address.
pub type Served<M> = Endpoint<Serving, M>;

/// Memory for a [`Served`]: where both sides are restored, it answers the device's resume beside its own.
pub type ServedMemory = Memory<Serving, 2, 0>;

/// The scheme's part of a [`Served`]: nothing but its name, and whose session it is.
#[derive(Debug)]
pub struct Serving {
    id: Id,
    suite: &'static Suite,
}

/// A session that a device was granted: to be made an association of, once: twice, two records would have one key and nonce.
#[derive(Debug)]
pub struct Accepted {
    pub(super) id: Id,
    pub(super) suite: &'static Suite,
    pub(super) keys: Keys,
    pub(super) terms: Terms,
    pub(super) from: Addr,
    pub(super) cid: ConnectionId,
}

impl Accepted {
    /// The device's id.
    pub const fn id(&self) -> &Id {
        &self.id
    }
}

impl<M: Scratch<Serving>> Served<M> {
    /// The association; [`Event::Established`](crate::Event::Established) is its first output. Its connection id is the one that
    /// the centre offered, whatever `config` says. Takes the grant, and leaves it where the configuration is refused.
    ///
    /// # Errors
    /// [`Error::BadArgument`] for a configuration out of range, [`Error::WrongState`] where there is no grant (any more).
    pub fn open(accepted: &mut Option<Accepted>, config: Config, memory: M) -> Result<Self, Error> {
        let Accepted { id, suite, keys, terms, from, cid } = accepted.as_ref().ok_or(Error::WrongState)?;
        let mut served = Self::at_rest(*id, suite, Config { cid: *cid, ..config }, memory)?;
        served.with(|_, io| {
            io.establish(suite, keys, terms, *from);
            io.note(Note::Established);
        });
        *accepted = None;
        Ok(served)
    }

    /// An association with this device that has no session yet: to [`restore`](Endpoint::restore) one that was exported.
    ///
    /// # Errors
    /// [`Error::BadArgument`] for a configuration out of range.
    pub fn at_rest(id: Id, suite: &'static Suite, config: Config, memory: M) -> Result<Self, Error> {
        Self::new(Serving { id, suite }, config, memory)
    }

    /// The device's id.
    pub const fn id(&self) -> &Id {
        &self.scheme.id
    }
}

impl Scheme for Serving {
    const NUMBER: u8 = wire::NUMBER;
    const NAME: &'static str = keys::NAME;
    const STAGE: Stage = Stage::Authentication;
    const AUTHENTICATED: Authenticated = Authenticated::Enrolled;

    type Run = ();
    type Flight = Buffer<{ flight::ROOM + resume::MAX_LEN }>;
    type Asked = ();

    fn suite(&self) -> &'static Suite {
        self.suite
    }

    fn message(
        &mut self,
        _cx: &mut Cx<'_>,
        _io: &mut Io<'_, Self>,
        _from: &Addr,
        _proven: bool,
        _bytes: &[u8],
    ) -> Result<(), Dropped> {
        Err(Dropped::Unexpected)
    }

    fn over(&mut self, _cx: &mut Cx<'_>, _io: &mut Io<'_, Self>, (): ()) -> Result<(), Error> {
        Ok(())
    }

    /// It has none: the row is the centre's.
    fn save(&self, _out: &mut [u8]) -> Result<usize, usize> {
        Ok(0)
    }

    fn next_version(&mut self) -> (Slot, u32) {
        (Slot::default(), 0)
    }

    fn blob(&self) -> Kind {
        Kind::Session
    }

    fn slot(&self) -> Slot {
        Slot::default()
    }
}
