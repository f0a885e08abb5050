//! What a device holds: its own credential, its operator's newest revocation list, the floor time; k1 while it asks for its
//! next credential ([`renewal`](super::renewal)).

use super::Operator;
use super::credential::Credential;
use crate::association::{Device, Error, UnixTime};
use crate::cose::ticket::{is_name, seconds};
use crate::cose::wallet::NotTaken;
use crate::cose::{Reference, Refused, RevocationList};
use crate::crypto::group::{Scalar, lend};
use crate::crypto::secret::wipe;
use crate::engine::drops::Dropped;
use crate::engine::state::{self, Kind};
use crate::engine::wire::{self, Reader, Writer};
use crate::phase1::{Credentials, Facts, Own, Wanted};
use core::fmt;

/// The memory that a [`Holder`] needs for its credential, where shares have `share` bytes.
pub const fn holder_len(share: usize) -> usize {
    super::credential::credential_max(share).saturating_add(share)
}

/// Bytes of a holder's blob besides its credential and its list.
pub const BLOB_OVERHEAD: usize = state::OVERHEAD + 8 + 4 + HALF;
/// Bytes of k1.
const HALF: usize = 32;

/// A device's credential and what it knows of others': `C` bytes for the first ([`holder_len`]), `L` for the list
/// ([`LIST_OVERHEAD`](crate::cose::revocation::LIST_OVERHEAD) and four for each serial; 0: lists are not taken).
pub type Holder<'n, const C: usize, const L: usize> = HolderIn<'n, [u8; C], [u8; L]>;

/// A [`Holder`] in memory of the caller's: `C` for the credential, `L` for the list.
///
/// Whatever changes it is stored before it counts: [`needs_store`](Self::needs_store), [`seal`](Self::seal), the caller's
/// storage, [`persisted`](Self::persisted). A new credential has a new private key, in another slot: associations that
/// there are go on under the old key until they end.
#[derive(Clone)]
pub struct HolderIn<'n, C, L> {
    operator: Operator<'n>,
    me: &'n str,
    /// The credential, and behind it the public key as a share.
    own: C,
    own_len: usize,
    list: L,
    list_len: usize,
    floor: u64,
    /// k1, from the request to its answer.
    pub(super) half: Option<Scalar>,
    changes: u32,
    sealed: (u32, u64),
    stored: (u32, u64),
    version: u32,
}

impl<C: AsRef<[u8]>, L> fmt::Debug for HolderIn<'_, C, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = self.operator.setting.group.share_len();
        let own = self.own.as_ref().get(..self.own_len.saturating_sub(key)).unwrap_or_default();
        let own = Credential::read(own, self.operator.setting).ok();
        f.debug_struct("Holder").field("me", &self.me).field("own", &own).finish_non_exhaustive()
    }
}

/// A floor that rose by less, in seconds, is not worth a write of its own.
const FLOOR_STEP: u64 = 3600;

impl<'n, const C: usize, const L: usize> Holder<'n, C, L> {
    /// Longest blob in bytes: what its slot must hold.
    pub const BLOB_MAX: usize = BLOB_OVERHEAD + C + L;

    /// The device `me` of this operator, without a credential yet.
    ///
    /// # Errors
    /// [`Error::BadArgument`] for names that no credential can have, and an operator's key of another length.
    pub fn new(operator: Operator<'n>, me: &'n str) -> Result<Self, Error> {
        Self::within(operator, me, [0; C], [0; L])
    }

    /// Opens a stored holder, in `work`: as much memory as the blob has bytes, erased afterwards. `floor` is the value of the slot's monotonic
    /// counter, 0 where there is none.
    ///
    /// # Errors
    /// [`Error::BadBlob`] (also where it is another device's), [`Error::BlobRolledBack`].
    pub fn restore(
        operator: Operator<'n>,
        me: &'n str,
        device: &Device,
        floor: u32,
        blob: &[u8],
        work: &mut [u8],
    ) -> Result<Self, Error> {
        let mut holder = Self::new(operator, me)?;
        holder.open(device, floor, blob, work)?;
        Ok(holder)
    }
}

impl<'n, C: AsRef<[u8]> + AsMut<[u8]>, L: AsRef<[u8]> + AsMut<[u8]>> HolderIn<'n, C, L> {
    /// A device without a credential yet, in this memory.
    ///
    /// # Errors
    /// As [`new`](Holder::new).
    pub fn within(operator: Operator<'n>, me: &'n str, own: C, list: L) -> Result<Self, Error> {
        if !is_name(me) || !is_name(operator.name) || operator.key.len() != operator.setting.group.share_len() {
            return Err(Error::BadArgument);
        }
        Ok(Self {
            operator,
            me,
            own,
            own_len: 0,
            list,
            list_len: 0,
            floor: 0,
            half: None,
            changes: 0,
            sealed: (0, 0),
            stored: (0, 0),
            version: 0,
        })
    }

    /// Takes in what is stored, in `work`, erased afterwards, where nothing is here yet; it is empty still after an error.
    /// Otherwise as [`restore`](Holder::restore).
    ///
    /// # Errors
    /// As there; [`Error::WrongState`] where something is here already.
    pub fn open(&mut self, device: &Device, floor: u32, blob: &[u8], work: &mut [u8]) -> Result<(), Error> {
        if self.own_len != 0 || self.list_len != 0 || self.changes != 0 {
            return Err(Error::WrongState);
        }
        let opened = state::open(device, Kind::Holder, floor, blob, work);
        let (version, len) = opened.map_err(|e| if e == Error::BlobRolledBack { e } else { Error::BadBlob })?;
        let read = work.get(..len).is_some_and(|text| self.read(text).is_ok());
        wipe(work);
        let whole = self.own_len == 0 || self.credential().is_some_and(|own| own.subject == self.me);
        let list = self.list_len == 0 || RevocationList::verify(self.list_bytes(), &self.operator.agent()).is_ok();
        if !read || !whole || !list {
            (self.own_len, self.list_len, self.floor, self.half) = (0, 0, 0, None);
            return Err(Error::BadBlob);
        }
        self.stored = (0, self.floor);
        self.sealed = self.stored;
        self.version = version;
        Ok(())
    }

    fn read(&mut self, text: &[u8]) -> Result<(), Dropped> {
        let mut r = Reader::new(text);
        self.floor = r.u64()?;
        let (own, list) = (self.own.as_mut(), self.list.as_mut());
        for (memory, len) in [(own, &mut self.own_len), (list, &mut self.list_len)] {
            let bytes = usize::from(r.u16()?);
            let bytes = r.take(bytes)?;
            memory.get_mut(..bytes.len()).ok_or(Dropped::Malformed)?.copy_from_slice(bytes);
            *len = bytes.len();
        }
        // Only while it asks.
        self.half = r.secret().ok();
        r.end()
    }

    /// Seals it into `out`: store it, then call [`persisted`](Self::persisted). The blob's length and version.
    ///
    /// # Errors
    /// [`Error::BufferTooSmall`].
    pub fn seal(&mut self, device: &Device, out: &mut [u8]) -> Result<(usize, u32), Error> {
        let room = out.get_mut(state::OVERHEAD..).unwrap_or_default();
        let mut w = Writer::new(room);
        w.put(&self.floor.to_be_bytes());
        for bytes in [self.own.as_ref().get(..self.own_len).unwrap_or_default(), self.list_bytes()] {
            w.put(&(bytes.len() as u16).to_be_bytes()).put(bytes);
        }
        w.put(self.half.as_ref().map_or(&[], |half| half.expose()));
        let len = w.finish().map_err(|needed| state::too_long(room, needed))?;
        let version = self.version.saturating_add(1);
        let sealed = state::seal(device, Kind::Holder, version, out, len)?;
        self.version = version;
        self.sealed = (self.changes, self.floor);
        Ok((sealed, version))
    }

    /// What [`seal`](Self::seal) gave last is stored.
    pub const fn persisted(&mut self) {
        self.stored = self.sealed;
    }

    /// Whether there is something to store: a credential, a list, or a floor that rose by an hour or more.
    pub const fn needs_store(&self) -> bool {
        self.is_dirty() || self.floor.saturating_sub(self.stored.1) >= FLOOR_STEP
    }

    pub(super) const fn is_dirty(&self) -> bool {
        self.changes != self.stored.0
    }

    pub(super) const fn changed(&mut self) {
        self.changes = self.changes.wrapping_add(1);
    }

    /// The operator.
    pub const fn operator(&self) -> &Operator<'n> {
        &self.operator
    }

    /// The newest time of issue of anything the operator issued, in seconds since 1970: it is at least that late.
    pub const fn floor(&self) -> u64 {
        self.floor
    }

    /// This device's credential, valid or not.
    pub fn credential(&self) -> Option<Credential<'_>> {
        Credential::read(self.bytes(), self.operator.setting).ok()
    }

    /// This device's name.
    pub const fn device(&self) -> &'n str {
        self.me
    }

    /// This device's credential as it was issued; empty: none.
    pub fn bytes(&self) -> &[u8] {
        let key = self.operator.setting.group.share_len();
        self.own.as_ref().get(..self.own_len.saturating_sub(key)).unwrap_or_default()
    }

    fn key(&self) -> &[u8] {
        self.own.as_ref().get(self.bytes().len()..self.own_len).unwrap_or_default()
    }

    /// Takes this device's credential in, in place of the one before; a request that was out is over. That the device has its
    /// private key, [`handle`](Self::handle), [`accept`](super::issue::accept) or [`check`](super::issue::check) has shown.
    ///
    /// # Errors
    /// [`NotTaken`]; [`Refused::Older`] for one that ends before the one here.
    pub fn install(&mut self, credential: &Credential<'_>, wall: Option<UnixTime>) -> Result<(), NotTaken> {
        let setting = self.operator.setting;
        let floor = self.acceptable(credential, wall)?;
        let share_len = setting.group.share_len();
        let len = credential.len().saturating_add(share_len);
        if len > self.own.as_ref().len() {
            return Err(NotTaken::Full);
        }
        lend(setting.group.element_len(), &mut |y| {
            self.operator.public_key(credential, y)?;
            lend(share_len, &mut |share| {
                setting.group.share_of_element(y, share).map_err(|_| Refused::Key)?;
                let mut w = Writer::new(self.own.as_mut());
                credential.write(&mut w);
                w.put(share);
                w.finish().map_err(|_| Refused::Key)
            })
        })?;
        (self.own_len, self.floor, self.half) = (len, floor, None);
        self.changed();
        Ok(())
    }

    /// Whether a credential may take the place of the one here; the floor time with it.
    pub(super) fn acceptable(&self, credential: &Credential<'_>, wall: Option<UnixTime>) -> Result<u64, Refused> {
        if credential.subject != self.me {
            return Err(Refused::Subject);
        }
        let floor = self.floor.max(credential.issued_at.into());
        credential.valid_at(wall, floor)?;
        self.not_revoked(credential.serial)?;
        if self.credential().is_some_and(|own| own.expires() > credential.expires()) {
            return Err(Refused::Older);
        }
        Ok(floor)
    }

    /// Takes a revocation list in. Whether it is new.
    ///
    /// # Errors
    /// [`NotTaken`]; [`Refused::Older`] for a number that is not above the one here.
    pub fn revoke(&mut self, list: &[u8]) -> Result<bool, NotTaken> {
        let new = RevocationList::verify(list, &self.operator.agent())?;
        if self.list_bytes() == list {
            return Ok(false);
        }
        if new.number() <= self.list_number() {
            return Err(Refused::Older.into());
        }
        // A blob has 16 bits for its length.
        if list.len() > self.list.as_ref().len().min(u16::MAX.into()) {
            return Err(NotTaken::Full);
        }
        self.list_len = wire::copy(self.list.as_mut(), list);
        self.floor = self.floor.max(new.issued_at());
        self.changed();
        Ok(true)
    }

    /// The number of the newest revocation list; 0: none.
    pub fn list_number(&self) -> u32 {
        self.list().map_or(0, |list| list.number())
    }

    /// The newest revocation list, as it came; empty: none.
    pub fn list_bytes(&self) -> &[u8] {
        self.list.as_ref().get(..self.list_len).unwrap_or_default()
    }

    fn list(&self) -> Option<RevocationList<'_>> {
        RevocationList::peek(self.list_bytes()).ok()
    }

    fn not_revoked(&self, serial: u32) -> Result<(), Refused> {
        if self.list().is_some_and(|list| list.contains(serial)) { Err(Refused::Revoked) } else { Ok(()) }
    }
}

impl<C: AsRef<[u8]> + AsMut<[u8]>, L: AsRef<[u8]> + AsMut<[u8]>> Credentials for HolderIn<'_, C, L> {
    fn own(&self, _known: Option<&Reference>, wall: Option<UnixTime>) -> Option<(Own<'_>, u64)> {
        let own = self.credential()?;
        own.valid_at(wall, self.floor).ok()?;
        self.not_revoked(own.serial).ok()?;
        Some((Own { bytes: self.bytes(), key: Some(self.key()), cred: None }, own.expires()))
    }

    fn check(&self, shown: &[u8], _seen: bool, wanted: &Wanted<'_>, key: &mut [u8]) -> Result<Facts, Refused> {
        let setting = self.operator.setting;
        if wanted.kem.label() != setting.kem.label() {
            return Err(Refused::Key);
        }
        let theirs = Credential::read(shown, setting)?;
        let subject = crate::phase1::Subject::new(theirs.subject).ok_or(Refused::Claims)?;
        if subject == *wanted.me || !wanted.expected.accepts(subject.as_bytes(), "") {
            return Err(Refused::Subject);
        }
        theirs.valid_at(wanted.wall, self.floor)?;
        self.not_revoked(theirs.serial)?;
        self.operator.public_key(&theirs, key)?;
        let key_len = setting.group.element_len();
        Ok(Facts { subject, serial: theirs.serial, ends: theirs.expires(), key_len })
    }

    fn saw(&mut self, shown: &[u8]) {
        if let Ok(theirs) = Credential::read(shown, self.operator.setting) {
            self.floor = self.floor.max(theirs.issued_at.into());
        }
    }

    fn is_over(&self, ends: u64, serial: Option<u32>, wall: Option<UnixTime>) -> bool {
        let now = wall.map_or(self.floor, seconds).max(self.floor);
        now >= ends || serial.is_some_and(|serial| self.not_revoked(serial).is_err())
    }
}
