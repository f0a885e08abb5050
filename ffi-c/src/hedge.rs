//! Randomness that stays good when the source is not.

use crate::object::{self, Head, Magic, fits};
use crate::platform::{Random, check_size, iotkm_platform};
use crate::raw::{self, Out};
use crate::status::returned;
use core::ffi::{c_int, c_void};
use core_of_iotkm::crypto::hedge::Hedged;
use core_of_iotkm::crypto::{Rng, Secret};
use core_of_iotkm::{Device, Error};

/// A source of randomness around another one, hedged by the device's secret: whoever does not know that learns nothing from a
/// weak, known or chosen source (RFC 8937's idea). Needs: no (counter, 32 bytes of the source) comes twice.
#[repr(C)]
#[derive(Debug)]
pub struct iotkm_hedge {
    opaque: [u64; 8],
}

#[repr(C)]
struct Object {
    head: Head,
    key: Secret<32>,
    counter: u64,
    source: Random,
}
fits!(Object, iotkm_hedge);

/// Sets a hedge up around the `random` of this platform, whose `device_secret` it takes too. Then let another platform's
/// `random` be iotkm_hedge_random and its `random_ctx` the hedge. `counter` is 0; or, where the source may say the same after
/// each boot, a number that was raised and stored at this boot, times 2^32.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_hedge_init(
    hedge: *mut iotkm_hedge,
    source: *const iotkm_platform,
    counter: u64,
) -> c_int {
    raw::plainly(|| {
        let place = Out::new(hedge.cast::<Object>())?;
        let source: &iotkm_platform = raw::read(source)?;
        check_size::<iotkm_platform>(source.struct_size)?;
        let secret: &[u8; 32] = raw::read(source.device_secret.cast())?;
        let key = Device::new(Secret::new(*secret)).hedge_key();
        place.set(Object { head: Head::new(Magic::HEDGE), key, counter, source: source.randomness() });
        Ok(())
    })
}

/// A `random` hook whose context is a hedge. Errors: IOTKM_E_RNG where the source fails, IOTKM_E_NOT_SET_UP.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_hedge_random(hedge: *mut c_void, out: *mut u8, len: usize) -> c_int {
    returned(raw::some(hedge.cast::<Object>()).and_then(|object| {
        Head::enter(object.cast(), Magic::HEDGE, || {
            // SAFETY: the magic word says that `iotkm_hedge_init` set this up; nobody else is in.
            let Object { key, counter, source, .. } = unsafe { &mut *object.as_ptr() };
            Ok(Hedged::new(key, counter, source).fill(raw::bytes_mut(out, len)?).map_err(Error::from)?)
        })
    }))
}

/// Wipes a hedge. Error: IOTKM_E_NOT_SET_UP.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_hedge_wipe(hedge: *mut iotkm_hedge) -> c_int {
    raw::plainly(|| {
        let place = raw::some(hedge)?;
        Head::enter(place.cast(), Magic::HEDGE, || Ok(()))?;
        object::erase(place.cast(), size_of::<iotkm_hedge>());
        Ok(())
    })
}
