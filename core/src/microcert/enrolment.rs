//! What a centre and a chip that is to be enrolled hand each other offline: the invitation, and the chip's answer, which
//! [`Chip::deposit`](super::Chip::deposit) writes.

use super::Id;
use super::keys::CLOCKLESS;
use super::keystore::TRANSPORTED_LEN;
use crate::crypto::Secret;
use crate::engine::drops::Dropped;
use crate::engine::wire::{Reader, Writer};

/// First byte of both.
pub(super) const FORMAT: u8 = 1;

/// What a centre tells a chip that is to be enrolled: offline, for it brings the transport key.
#[derive(Debug)]
pub(super) struct Invitation {
    pub suite: i8,
    pub flags: u8,
    pub base: u16,
    pub time: u32,
    pub device: Id,
    pub centre: Id,
    pub key: Secret<16>,
}

impl Invitation {
    /// The longest in bytes.
    pub const MAX: usize = 9 + 2 * (1 + Id::MAX) + 16;

    pub fn write(&self, w: &mut Writer<'_>) {
        w.put(&[FORMAT, self.suite as u8, self.flags]).put(&self.base.to_be_bytes()).put(&self.time.to_be_bytes());
        w.short(self.device.as_bytes()).short(self.centre.as_bytes()).put(self.key.expose());
    }

    pub fn read(bytes: &[u8]) -> Result<Self, Dropped> {
        let mut r = Reader::new(bytes);
        let [format, suite, flags] = r.array()?;
        let (base, time) = (r.u16()?, r.u32()?);
        let device = Id::new(r.short(Id::MAX)?).ok_or(Dropped::Malformed)?;
        let centre = Id::new(r.short(Id::MAX)?).ok_or(Dropped::Malformed)?;
        let key = r.secret()?;
        r.end()?;
        if format != FORMAT || flags & !CLOCKLESS != 0 {
            return Err(Dropped::Malformed);
        }
        Ok(Self { suite: suite as i8, flags, base, time, device, centre, key })
    }
}

/// What a chip hands its centre: who it is, and its seed, sealed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Deposit<'a> {
    pub suite: i8,
    pub flags: u8,
    pub base: u16,
    pub device: Id,
    pub centre: Id,
    pub sealed: &'a [u8; TRANSPORTED_LEN],
}

impl<'a> Deposit<'a> {
    pub fn read(bytes: &'a [u8]) -> Result<Self, Dropped> {
        let mut r = Reader::new(bytes);
        let [format, suite, flags] = r.array()?;
        let base = r.u16()?;
        let device = Id::new(r.short(Id::MAX)?).ok_or(Dropped::Malformed)?;
        let centre = Id::new(r.short(Id::MAX)?).ok_or(Dropped::Malformed)?;
        let sealed = r.rest().try_into().map_err(|_| Dropped::Malformed)?;
        if format != FORMAT || flags & !CLOCKLESS != 0 {
            return Err(Dropped::Malformed);
        }
        Ok(Self { suite: suite as i8, flags, base, device, centre, sealed })
    }
}
