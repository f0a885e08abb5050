//! Memory of the caller's that holds one of our values: set up by a constructor, in use during a call, wiped.
//!
//! Each starts with a [`Head`], whose magic word tells these apart; a call on anything else is refused. While a call is under
//! way the word says so: a hook that calls back into the same object gets `IOTKM_E_BUSY`, not a second `&mut`.

use crate::raw::caught;
use crate::status::{Failure, Outcome, iotkm_status::*};
use core::mem::MaybeUninit;
use core::ptr::NonNull;
use zeroize::Zeroize;

/// What each object starts with.
#[repr(C)]
#[derive(Debug)]
pub struct Head {
    magic: u32,
    /// The size that the newest too small buffer should have had.
    needed: u32,
}

/// The magic words.
#[derive(Clone, Copy, Debug)]
pub struct Magic(u32);

impl Magic {
    /// An association.
    pub const ASSOCIATION: Self = Self(0x6961_7301);
    /// A peer of the history scheme.
    pub const HISTORY_PEER: Self = Self(0x6968_7002);
    /// Hedged randomness.
    pub const HEDGE: Self = Self(0x6968_6403);
    /// A hub.
    pub const HUB: Self = Self(0x6968_7504);
    /// A static key.
    pub const STATIC_KEY: Self = Self(0x6973_6b05);
    /// A wallet.
    pub const WALLET: Self = Self(0x6977_6c06);
    /// A ticket agent.
    pub const TICKET_AGENT: Self = Self(0x6974_610b);
    /// An operator.
    pub const OPERATOR: Self = Self(0x696f_700c);
    /// A peer of the interactive scheme.
    pub const INTERACTIVE_PEER: Self = Self(0x6969_7007);
    /// A holder.
    pub const HOLDER: Self = Self(0x6968_6c08);
    /// A peer of the noninteractive scheme.
    pub const NONINTERACTIVE_PEER: Self = Self(0x696e_7009);
    /// What is remembered of peers.
    pub const REMEMBERED: Self = Self(0x6972_6d0a);
    /// A chip.
    pub const CHIP: Self = Self(0x6963_680d);
    /// A centre.
    pub const CENTRE: Self = Self(0x6963_740e);
    /// A session that a centre granted.
    pub const ACCEPTED: Self = Self(0x6961_630f);
    const BROKEN: u32 = 0x6962_6bff;
    const BUSY_BIT: u32 = 1 << 31;
}

impl Head {
    /// The head of an object that was just set up.
    pub const fn new(magic: Magic) -> Self {
        Self { magic: magic.0, needed: 0 }
    }

    /// The size that the newest failure named.
    pub const fn needed(&self) -> u32 {
        self.needed
    }

    /// Calls `f`, which uses the object behind this head, if it is set up and not in use.
    pub unsafe fn enter(head: NonNull<Self>, magic: Magic, f: impl FnOnce() -> Outcome) -> Outcome {
        Self::begin(head, magic)?;
        let outcome = caught(f);
        Self::end(head, magic, outcome)
    }

    unsafe fn begin(head: NonNull<Self>, magic: Magic) -> Outcome {
        let head = head.as_ptr();
        // SAFETY: memory of an object's size, by contract; any bits are a `Head`. No reference to it lives on, here and below.
        let found = unsafe { (*head).magic };
        if found != magic.0 {
            return Err(match found {
                Magic::BROKEN => IOTKM_E_INTERNAL.into(),
                found if found == magic.0 | Magic::BUSY_BIT => IOTKM_E_BUSY.into(),
                _ => IOTKM_E_NOT_SET_UP.into(),
            });
        }
        // SAFETY: as above.
        unsafe { (*head).magic = magic.0 | Magic::BUSY_BIT };
        Ok(())
    }

    unsafe fn end(head: NonNull<Self>, magic: Magic, outcome: Option<Outcome>) -> Outcome {
        let head = head.as_ptr();
        let Some(outcome) = outcome else {
            // SAFETY: as in `begin`, here and below.
            unsafe { (*head).magic = Magic::BROKEN };
            return Err(IOTKM_E_INTERNAL.into());
        };
        // SAFETY: as above.
        unsafe { (*head).magic = magic.0 };
        if let Err(Failure { needed: needed @ 1.., .. }) = outcome {
            // SAFETY: as above.
            unsafe { (*head).needed = u32::try_from(needed).unwrap_or(u32::MAX) };
        }
        outcome
    }

    /// Whether a panic left the object behind this head as it was: its value is not to be touched again.
    pub unsafe fn is_broken(head: NonNull<Self>) -> bool {
        // SAFETY: as in `enter`.
        unsafe { head.as_ref().magic == Magic::BROKEN }
    }
}

/// Overwrites an object, magic word and all, in a way that no compiler leaves out.
pub unsafe fn erase(object: NonNull<u8>, len: usize) {
    // SAFETY: `len` is the object's size, and the caller holds it alone.
    unsafe { core::slice::from_raw_parts_mut(object.as_ptr().cast::<MaybeUninit<u8>>(), len) }.zeroize();
}

/// That `$made` fits `$opaque`, on this target; on 64 bits, where it is largest, without much room to spare.
macro_rules! fits {
    ($made:ty, $opaque:ty) => {
        const _: () = {
            assert!(size_of::<$made>() <= size_of::<$opaque>(), "raise the number of words");
            assert!(align_of::<$made>() <= align_of::<$opaque>());
            assert!(
                size_of::<usize>() < 8 || size_of::<$made>().saturating_add(128) >= size_of::<$opaque>(),
                "lower the number of words"
            );
        };
    };
}
pub(crate) use fits;

#[cfg(test)]
#[allow(clippy::indexing_slicing, unconditional_panic)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_breaks_the_object_for_good() {
        let mut head = Head::new(Magic::ASSOCIATION);
        let head = NonNull::from(&mut head);
        let enter = |f: &dyn Fn() -> Outcome| unsafe { Head::enter(head, Magic::ASSOCIATION, f) };
        assert_eq!(enter(&|| Ok(())), Ok(()));
        assert_eq!(enter(&|| enter(&|| Ok(()))), Err(IOTKM_E_BUSY.into()));
        let hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(|_| {}));
        assert_eq!(enter(&|| [][std::hint::black_box(0)]), Err(IOTKM_E_INTERNAL.into()));
        std::panic::set_hook(hook);
        assert_eq!(enter(&|| Ok(())), Err(IOTKM_E_INTERNAL.into()));
        assert!(unsafe { Head::is_broken(head) });
    }
}
