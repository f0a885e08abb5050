//! Peers that C knows under one name although their groups say how long they are.

use crate::association::logged;
use crate::lent::{Held, LentPeer};
use crate::object::{self, Magic};
use crate::platform::{device, iotkm_cx, iotkm_platform};
use crate::raw::{self, Out};
use crate::status::{Outcome, iotkm_status::*, returned};
use crate::tickets::name;
use crate::tickets::ticket::IOTKM_NAME_TEXT;
use core::ffi::{CStr, c_char, c_int, c_void};
use core::fmt;
use core::ptr::NonNull;
use core_of_iotkm::phase1::Subject;
use core_of_iotkm::{Device, Error, Slot};

/// What may be asked of a peer, however long it is.
pub(crate) trait Stored {
    fn seal(&mut self, device: &Device, out: &mut [u8]) -> Result<(usize, u32), Error>;
    fn slot(&self) -> Slot;
    fn id(&self) -> Option<&Subject>;
    /// Its ticket or credential.
    fn kept(&self) -> &[u8];
    /// How far it has come: how often its key was replaced, or the epoch that is stored.
    fn reached(&self) -> Option<u32>;
}

/// Which type a peer is of, and what else its scheme knows about that.
pub(crate) struct Kind<X> {
    /// From the object to its peer: the only way to the type's code, so that what is not set up is not linked.
    view: unsafe fn(NonNull<c_void>) -> NonNull<dyn Stored>,
    /// The object's size in bytes: no two types of a scheme's have the same.
    size: usize,
    pub(crate) more: X,
}

impl<X: 'static> Kind<X> {
    /// The kind of peers that are a `P`.
    pub(crate) const fn of<P: Stored + 'static>(more: X) -> Self {
        unsafe fn view<X: 'static, P: Stored + 'static>(object: NonNull<c_void>) -> NonNull<dyn Stored> {
            Object::<X, P>::peer(object.cast())
        }
        Self { view: view::<X, P>, size: size_of::<Object<X, P>>(), more }
    }
}

impl<X> fmt::Debug for Kind<X> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Kind({} B)", self.size)
    }
}

/// A peer that is set up.
pub(crate) type Object<X, P> = Held<P, &'static Kind<X>>;
/// One that is lent to an association.
pub(crate) type Lent<X, P> = LentPeer<P, &'static Kind<X>>;

/// What each starts with, wherever the peer's alignment puts that.
type Start<X> = Held<(), &'static Kind<X>>;

/// Sets a peer up in memory of `size` bytes.
pub(crate) unsafe fn put<X, P: Stored + 'static>(
    (place, size): (*mut c_void, usize),
    kind: &'static Kind<X>,
    magic: Magic,
    peer: P,
) -> Outcome {
    let place = Out::new(place.cast::<Object<X, P>>())?;
    if kind.size != size_of::<Object<X, P>>() || kind.size > size {
        return Err(IOTKM_E_BAD_ARGUMENT.into());
    }
    place.set(Held::fronted(magic, kind, peer));
    Ok(())
}

/// A peer of C's, and which word says that it is one.
pub(crate) struct Peer<X: 'static> {
    start: *mut Start<X>,
    magic: Magic,
}

impl<X> Peer<X> {
    pub(crate) const fn new(peer: *const c_void, magic: Magic) -> Self {
        Self { start: peer.cast_mut().cast(), magic }
    }

    unsafe fn with(&self, f: &mut dyn FnMut(NonNull<Start<X>>) -> Outcome) -> Outcome {
        Held::with(self.start, self.magic, f)
    }

    /// Its kind, if it is set up.
    pub(crate) unsafe fn kind(&self) -> Outcome<&'static Kind<X>> {
        let mut kind = None;
        self.with(&mut |start| {
            kind = Some(*Held::front(start));
            Ok(())
        })?;
        Ok(kind.ok_or(IOTKM_E_INTERNAL)?)
    }

    /// Lends it to an association of peers that are a `P`.
    pub(crate) unsafe fn lend<P: Stored>(&self) -> Outcome<Lent<X, P>> {
        if self.kind()?.size != size_of::<Object<X, P>>() {
            return Err(IOTKM_E_SUITE_MISMATCH.into());
        }
        LentPeer::take(self.start.cast::<Object<X, P>>(), self.magic)
    }

    /// Calls `f` with the peer to look at.
    unsafe fn look(&self, f: &mut dyn FnMut(&dyn Stored) -> Outcome) -> Outcome {
        self.with(&mut |start| {
            // SAFETY: set up, as `with` found; no verb is under way, by contract.
            f(unsafe { (Held::front(start).view)(start.cast()).as_ref() })
        })
    }

    /// Calls `f` with the peer, if it is lent to nobody.
    unsafe fn free(&self, f: &mut dyn FnMut(NonNull<dyn Stored>) -> Outcome) -> Outcome {
        self.with(&mut |start| {
            Held::free(start)?;
            f((Held::front(start).view)(start.cast()))
        })
    }

    unsafe fn sealed(&self, cx: *const iotkm_cx, out: &mut [u8], done: &mut dyn FnMut(Sealed) -> Outcome) -> Outcome {
        self.free(&mut |mut peer| {
            // SAFETY: set up and lent to nobody, as `free` found.
            let peer = unsafe { peer.as_mut() };
            let (len, version) = peer.seal(&device(cx)?, out)?;
            done(Sealed { len, version, slot: peer.slot() })
        })
    }

    pub(crate) unsafe fn seal(
        &self,
        cx: *const iotkm_cx,
        (out, out_capacity, out_len): (*mut u8, usize, *mut usize),
        version: *mut u32,
        call: &CStr,
    ) -> c_int {
        let sealed = raw::inside(|| {
            let mut places = Some((Out::new(out_len)?, Out::new(version)?));
            self.sealed(cx, raw::bytes_mut(out, out_capacity)?, &mut |sealed| {
                let (len, version) = places.take().ok_or(IOTKM_E_INTERNAL)?;
                len.set(sealed.len);
                version.set(sealed.version);
                Ok(())
            })
        });
        logged(cx, call, sealed)
    }

    pub(crate) unsafe fn store(&self, cx: *const iotkm_cx, (work, len): (*mut u8, usize), call: &CStr) -> c_int {
        let stored = raw::inside(|| {
            let work = raw::bytes_mut(work, len)?;
            let mut sealed = None;
            self.sealed(cx, work, &mut |done| {
                sealed = Some(done);
                Ok(())
            })?;
            let Sealed { len, slot, .. } = sealed.ok_or(IOTKM_E_INTERNAL)?;
            let blob = work.get(..len).ok_or(IOTKM_E_INTERNAL)?;
            if iotkm_platform::of(cx)?.write(slot.0, blob) == 0 { Ok(()) } else { Err(IOTKM_E_HOOK.into()) }
        });
        logged(cx, call, stored)
    }

    pub(crate) unsafe fn name(&self, text: *mut c_char) -> c_int {
        returned(self.look(&mut |peer| {
            let place = Out::new(text.cast::<[c_char; IOTKM_NAME_TEXT]>())?;
            let known = peer.id().map_or(&[][..], Subject::as_bytes);
            place.set(name(core::str::from_utf8(known).unwrap_or_default()));
            Ok(())
        }))
    }

    pub(crate) unsafe fn slot(&self, slot: *mut u16) -> c_int {
        returned(self.look(&mut |peer| {
            Out::new(slot)?.set(peer.slot().0);
            Ok(())
        }))
    }

    pub(crate) unsafe fn reached(&self, number: *mut u32) -> c_int {
        returned(self.look(&mut |peer| {
            let place = Out::new(number)?;
            place.set(peer.reached().ok_or(IOTKM_E_NOT_ESTABLISHED)?);
            Ok(())
        }))
    }

    pub(crate) unsafe fn kept(&self, (out, out_capacity, out_len): (*mut u8, usize, *mut usize)) -> c_int {
        returned(self.look(&mut |peer| {
            let (out, out_len) = (raw::bytes_mut(out, out_capacity)?, Out::new(out_len)?);
            let kept = peer.kept();
            if kept.is_empty() {
                return Err(IOTKM_E_NO_CREDENTIAL.into());
            }
            out.get_mut(..kept.len()).ok_or(IOTKM_E_BUFFER_TOO_SMALL)?.copy_from_slice(kept);
            out_len.set(kept.len());
            Ok(())
        }))
    }

    pub(crate) unsafe fn wipe(&self) -> c_int {
        raw::plainly(|| {
            let size = self.kind()?.size;
            self.free(&mut |peer| {
                // SAFETY: set up and lent to nobody; it is erased below before anybody can use it.
                unsafe { peer.drop_in_place() };
                Ok(())
            })?;
            object::erase(raw::some(self.start)?.cast(), size);
            Ok(())
        })
    }
}

/// What came of sealing.
struct Sealed {
    len: usize,
    version: u32,
    slot: Slot,
}
