//! What an operator does: enrols, updates, revokes devices, and checks their signatures for others.

use super::row::{KILLED, UPDATE};
use super::{AuthCenter, Change, Kept, Row, Share, Spare, Stop, Stores, has_no_year, is_revoked};
use crate::association::{Error, UnixTime};
use crate::crypto::secret::ct_eq;
use crate::crypto::{Secret, Suite, kdf};
use crate::engine::once::open_once;
use crate::engine::rekey::Which;
use crate::engine::wire::Writer;
use crate::history::Id;
use crate::microcert::chip::seconds;
use crate::microcert::enrolment::{Deposit, Invitation};
use crate::microcert::keys::{self, CLOCKLESS, REVOKED, Sealed, TAG_LEN, Use};
use crate::microcert::keystore::{KeyStoreError, STORED_LEN};
use crate::microcert::wire::{Certificate, DIGEST_LEN, message};

/// Who signed, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signed {
    /// The device.
    pub id: Id,
    /// When, by its own clock; seconds are whole.
    pub time: UnixTime,
    /// How many micro-certificates and signatures it had made before.
    pub counter: u32,
}

impl From<Stop> for Error {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Fail(error) => error,
            Stop::Again => Self::WrongState,
            Stop::Drop(_) | Stop::Tell(..) => Self::BadArgument,
        }
    }
}

/// Length of the word that an enrolment is done, in bytes.
pub const CONFIRMATION_LEN: usize = 4 + TAG_LEN;

impl<B: AsMut<[Share]>, A: AsMut<[Kept]>> AuthCenter<B, A> {
    /// The longest invitation in bytes.
    pub const INVITATION_MAX: usize = Invitation::MAX;
    /// Length of the word that an enrolment is done, in bytes.
    pub const CONFIRMATION_LEN: usize = CONFIRMATION_LEN;

    /// Writes what makes a chip one of this centre's: its id, suite, the first of its seed's five years, the time, and its
    /// transport key - so it goes to that chip offline, and is erased. Its length. Nothing is stored: an id has a row from
    /// [`enrol`](Self::enrol) on.
    ///
    /// # Errors
    /// [`Error::SuiteMismatch`] for a suite that is not this centre's; [`Error::WrongState`] for an id that has a row;
    /// [`Error::Store`], [`Error::KeyStore`], [`Error::BufferTooSmall`].
    pub fn invite(
        &self,
        stores: &mut Stores<'_>,
        id: &Id,
        suite: &Suite,
        clockless: bool,
        now: UnixTime,
        out: &mut [u8],
    ) -> Result<usize, Error> {
        self.suite(suite.id).map_err(|_| Error::SuiteMismatch)?;
        if *id == self.id {
            return Err(Error::BadArgument);
        }
        if stores.seeds.get(id, &mut Row::none()).map_err(|_| Error::Store)? {
            return Err(Error::WrongState);
        }
        let key = stores.keys.transport_key(id).map_err(|_| Error::KeyStore)?;
        let time = seconds(now.0);
        let flags = if clockless { CLOCKLESS } else { 0 };
        let base = crate::microcert::Date::of(time).year();
        let invitation = Invitation { suite: suite.id, flags, base, time, device: *id, centre: self.id, key };
        let mut w = Writer::new(out);
        invitation.write(&mut w);
        w.finish().map_err(|needed| Error::BufferTooSmall { needed })
    }

    /// Takes a chip's deposit: its seed is turned into one that is sealed under K_store, and stored. Writes the confirmation for
    /// the chip, [`CONFIRMATION_LEN`](Self::CONFIRMATION_LEN) bytes. The same deposit again gets a confirmation again, until the
    /// device has authenticated itself.
    ///
    /// # Errors
    /// [`Error::BadArgument`] for what is no deposit of a chip of this centre's; [`Error::WrongState`] where the id has another
    /// seed: each invitation is used once; [`Error::SuiteMismatch`]; [`Error::Store`], [`Error::KeyStore`].
    pub fn enrol(
        &self,
        stores: &mut Stores<'_>,
        now: UnixTime,
        deposit: &[u8],
        confirmation: &mut [u8; CONFIRMATION_LEN],
    ) -> Result<Id, Error> {
        let deposit = Deposit::read(deposit).map_err(|_| Error::BadArgument)?;
        self.suite(deposit.suite).map_err(|_| Error::SuiteMismatch)?;
        if deposit.centre != self.id || deposit.device == self.id {
            return Err(Error::BadArgument);
        }
        let mut row = Row::none();
        (row.version, row.id, row.suite, row.flags) = (1, deposit.device, deposit.suite, deposit.flags);
        (row.base, row.first) = (deposit.base, deposit.base);
        let bind = row.bind(&self.id, Sealed::Rows);
        let transcrypted = stores.keys.transcrypt(&row.id, &bind, deposit.sealed, &mut row.seed);
        transcrypted.map_err(|error| match error {
            KeyStoreError::Tampered => Error::BadArgument,
            KeyStoreError::Unavailable => Error::KeyStore,
        })?;
        let mut text = Secret::<STORED_LEN>::zero();
        self.whole(stores, &row, &mut text)?;
        let mut there = Row::none();
        if stores.seeds.get(&row.id, &mut there).map_err(|_| Error::Store)? {
            let again = there.version == 1 && there.seed == row.seed && there.flags == row.flags;
            if !again {
                return Err(Error::WrongState);
            }
        } else if !stores.seeds.swap(&row, Change::Seed).map_err(|_| Error::Store)? {
            return Err(Error::WrongState);
        }
        let time = seconds(now.0);
        let gone = keys::gone_key_of(text.expose());
        let tag = keys::confirmation_tag(&gone, &keys::th_0(&row.terms(&self.id, 0)), time);
        Writer::new(confirmation).put(&time.to_be_bytes()).put(&tag);
        Ok(row.id)
    }

    /// Wants a new seed of this device: it is asked for when the device comes next.
    ///
    /// # Errors
    /// [`Error::BadArgument`] for an id without a row; [`Error::Revoked`]; [`Error::WrongState`] where somebody else wrote the row in
    /// between: call again; [`Error::Store`].
    pub fn update(&self, stores: &mut Stores<'_>, id: &Id) -> Result<(), Error> {
        let mut row = self.row(stores, id)?;
        if is_revoked(&row) {
            return Err(Error::Revoked);
        }
        row.flags |= UPDATE;
        write(stores, &mut row, Change::State)
    }

    /// Revokes this device: from now on it is not authenticated, and it is told to kill its seed when it comes next. Sessions that it
    /// has are the caller's to end: they do not know.
    ///
    /// # Errors
    /// [`Error::BadArgument`] for an id without a row; [`Error::WrongState`] where somebody else wrote the row in between: call
    /// again; [`Error::Store`], [`Error::KeyStore`].
    pub fn revoke(&self, stores: &mut Stores<'_>, id: &Id) -> Result<(), Error> {
        let mut row = self.row(stores, id)?;
        if is_revoked(&row) {
            return Ok(());
        }
        // The standing is part of what the seed is sealed to: nobody takes it back by a change of the row.
        let mut text = Secret::<STORED_LEN>::zero();
        self.whole(stores, &row, &mut text)?;
        let (had_spare, mut spare) = (row.spare.is_some(), Spare::none());
        if had_spare {
            self.spare(stores, &row, &mut spare)?;
        }
        row.flags = (row.flags | REVOKED) & !UPDATE;
        self.seal_seed(stores, &mut row, &mut text)?;
        if had_spare {
            self.seal_spare(stores, &mut row, &spare)?;
        }
        write(stores, &mut row, Change::Seed)
    }

    /// Whether this is a signature of data by a device of this centre's: by whom and when; `None` where it is not, or no more
    /// (revoked, another seed, its year erased).
    ///
    /// # Errors
    /// [`Error::Store`], [`Error::KeyStore`].
    pub fn verify(&self, stores: &mut Stores<'_>, signature: &[u8], data: &[u8]) -> Result<Option<Signed>, Error> {
        match self.check(stores, signature, &kdf::hash(&[data])) {
            Ok(signed) => Ok(Some(signed)),
            Err(Stop::Fail(error)) => Err(error),
            Err(_) => Ok(None),
        }
    }

    fn check(&self, stores: &mut Stores<'_>, signature: &[u8], digest: &[u8; DIGEST_LEN]) -> Result<Signed, Stop> {
        use crate::engine::drops::Dropped;
        let mut cert = Certificate::read(signature)?;
        let mut row = Row::none();
        let known = cert.message == message::SIGNATURE && stores.seeds.get(&cert.id, &mut row)?;
        if !known || row.id != cert.id || is_revoked(&row) || cert.serial != row.generation() as u8 {
            return Err(Dropped::NoKey.into());
        }
        let suite = self.suite(row.suite)?;
        cert.split(suite.aead.tag_len())?;
        let mut text: [u8; DIGEST_LEN] = cert.text.try_into().map_err(|_| Dropped::Malformed)?;
        if has_no_year(&row, Which::Current, cert.stamp.time) {
            return Err(Dropped::NoKey.into());
        }
        let th_0 = keys::th_0(&row.terms(&self.id, row.generation()));
        let prk = self.unwrap(stores, &row, Which::Current, &cert.stamp, &[], &th_0)?;
        let th_1 = th_0.then(&[cert.clear]);
        open_once(suite, &keys::once_key(&prk, Use::Sign, &th_1), &mut text, cert.tag)?;
        if !ct_eq(&text, digest) {
            return Err(Dropped::Forged.into());
        }
        let time = UnixTime(u64::from(cert.stamp.time).saturating_mul(1_000));
        Ok(Signed { id: row.id, time, counter: cert.stamp.counter })
    }

    fn row(&self, stores: &mut Stores<'_>, id: &Id) -> Result<Row, Error> {
        let mut row = Row::none();
        match stores.seeds.get(id, &mut row) {
            Ok(true) if row.id == *id && row.flags & KILLED == 0 => Ok(row),
            Ok(true) if row.id == *id => Err(Error::Revoked),
            Ok(_) => Err(Error::BadArgument),
            Err(_) => Err(Error::Store),
        }
    }
}

fn write(stores: &mut Stores<'_>, row: &mut Row, change: Change) -> Result<(), Error> {
    row.version = row.version.saturating_add(1);
    match stores.seeds.swap(row, change) {
        Ok(true) => Ok(()),
        Ok(false) => Err(Error::WrongState),
        Err(_) => Err(Error::Store),
    }
}
