//! An authentication centre.

use super::chip::{iotkm_pending, shown};
use super::served::{self, iotkm_accepted};
use super::stores;
use crate::association::logged;
use crate::history::peer::{id as named, iotkm_history_id};
use crate::lent::Lent;
use crate::object::{self, Head, Magic, fits};
use crate::output::iotkm_addr;
use crate::platform::{check_size, iotkm_cx, with_cx};
use crate::raw::{self, Out};
use crate::status::{Outcome, iotkm_status::*, returned, text};
use crate::suites::iotkm_suite;
use core::ffi::{CStr, c_int, c_void};
use core::ptr::NonNull;
use core_of_iotkm::engine::ConnectionId;
use core_of_iotkm::engine::drops::Dropped;
use core_of_iotkm::microcert::centre::{Kept, Share, Standing};
use core_of_iotkm::microcert::keystore::{STORED_LEN, TRANSPORTED_LEN};
use core_of_iotkm::microcert::{AuthCenter, CentreConfig, CentreEvent, Row, SoftKeys, Stores};
use core_of_iotkm::{Cx, UnixTime};

/// What `row_swap` returns where another version is stored than the one that it replaces: nothing was written.
pub const IOTKM_CENTRE_STALE: c_int = 1;
/// What the hooks of a key store return for bytes that are not what was sealed for this place.
pub const IOTKM_CENTRE_TAMPERED: c_int = 1;
/// The longest state of a row in bytes.
pub const IOTKM_CENTRE_STATE_MAX: usize = 154;
/// Bytes of a row's sealed seed.
pub const IOTKM_CENTRE_SEED_LEN: usize = 992;
/// Bytes of the centre's keys.
pub const IOTKM_CENTRE_KEYS_LEN: usize = 96;
/// The longest invitation in bytes.
pub const IOTKM_CENTRE_INVITATION_MAX: usize = 59;
/// Bytes of the word that an enrolment is done.
pub const IOTKM_CENTRE_CONFIRMATION_LEN: usize = 20;
/// The longest answer of a centre's in bytes: room for iotkm_centre_receive().
pub const IOTKM_CENTRE_REPLY_MAX: usize = 128;

/// One centre: many devices, whose rows are in a database of the program's. It has no session and no timer: each datagram is
/// answered at once, or not at all.
#[repr(C)]
#[derive(Debug)]
pub struct iotkm_centre {
    opaque: [u64; 20],
}

/// A cell of the table that bounds how many seeds are unwrapped for nothing: four for each device are plenty.
#[repr(C)]
#[derive(Debug)]
pub struct iotkm_centre_share {
    opaque: [u32; 2],
}

/// Room for an answer that a device may not have got: as many as devices are at it at a time, and some more.
#[repr(C)]
#[derive(Debug)]
pub struct iotkm_centre_kept {
    opaque: [u8; 83],
}

/// What happened, for the operator.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum iotkm_centre_event {
    /// Nothing, or something that this header does not know yet.
    IOTKM_CENTRE_NOTHING = 0,
    /// The device is authenticated.
    IOTKM_CENTRE_AUTHENTICATED = 1,
    /// It is, and a new seed has been agreed on: it will come with that next.
    IOTKM_CENTRE_UPDATE_AGREED = 2,
    /// It is, with its new seed: the old one is erased.
    IOTKM_CENTRE_KEY_REPLACED = 3,
    /// It is genuine, but was not fresh, and got a challenge: no clock, a wrong one, or a counter that is behind.
    IOTKM_CENTRE_CHALLENGED = 4,
    /// As before, and it used a counter that another one with the same seed has used: one of the two is a clone.
    IOTKM_CENTRE_CLONE_SUSPECTED = 5,
    /// It is revoked, and has been told so: end its sessions.
    IOTKM_CENTRE_REVOKED = 6,
    /// It has killed its seed: end its sessions.
    IOTKM_CENTRE_KILLED = 7,
    /// Its seed is not for this year: enrol it anew. Nobody vouches for this.
    IOTKM_CENTRE_SEED_EXPIRED = 8,
    /// What is sealed in its row is not what was sealed there: restore it from the back-up.
    IOTKM_CENTRE_WAS_TAMPERED = 9,
}

/// Where a centre's rows and keys are. Hooks return 0 for ok, IOTKM_STORE_EMPTY, IOTKM_CENTRE_STALE or IOTKM_CENTRE_TAMPERED where
/// that is said, anything else for a failure; each gets its context first. Fill the whole structure with zeros first.
#[repr(C)]
#[derive(Debug)]
pub struct iotkm_centre_stores {
    /// sizeof(iotkm_centre_stores).
    pub struct_size: usize,
    /// Reads a device's row: its state, of at most `capacity` (IOTKM_CENTRE_STATE_MAX) bytes, and its sealed seed
    /// (IOTKM_CENTRE_SEED_LEN). IOTKM_STORE_EMPTY where there is none.
    pub row_read: Option<
        unsafe extern "C" fn(
            ctx: *mut c_void,
            id: *const iotkm_history_id,
            state: *mut u8,
            capacity: usize,
            state_len: *mut usize,
            seed: *mut u8,
        ) -> c_int,
    >,
    /// Writes a device's row if the stored one has the version before `version`, or if there is none and that is 1; else
    /// IOTKM_CENTRE_STALE. `seed` NULL: it stays as it is. It is durable when this returns 0.
    pub row_swap: Option<
        unsafe extern "C" fn(
            ctx: *mut c_void,
            id: *const iotkm_history_id,
            version: u32,
            state: *const u8,
            state_len: usize,
            seed: *const u8,
        ) -> c_int,
    >,
    /// For the two above.
    pub rows_ctx: *mut c_void,
    /// K_trans, K_store and K_mac, 32 random bytes each, in memory; NULL: they are in a token behind the hooks below.
    pub keys: *const u8,
    /// Writes a chip's transport key, 16 bytes: AES-256-CMAC under K_trans of u32 1, `iotkm1 microcert transport`, 0, the id, u32 128.
    pub transport_key:
        Option<unsafe extern "C" fn(ctx: *mut c_void, id: *const iotkm_history_id, key: *mut u8) -> c_int>,
    /// Unwraps a seed (AES key wrap under the transport key, 984 bytes) and seals it for its place, 992 bytes.
    /// IOTKM_CENTRE_TAMPERED where it is not that chip's.
    pub transcrypt: Option<
        unsafe extern "C" fn(
            ctx: *mut c_void,
            id: *const iotkm_history_id,
            bind: *const u8,
            transported: *const u8,
            stored: *mut u8,
        ) -> c_int,
    >,
    /// Opens sixteen rows of a stored seed, 16 bytes each, whose numbers these are, once its tag has verified.
    pub rows: Option<
        unsafe extern "C" fn(
            ctx: *mut c_void,
            bind: *const u8,
            stored: *const u8,
            numbers: *const u8,
            rows: *mut u8,
        ) -> c_int,
    >,
    /// Seals all but the last 16 bytes, where they lie, for the place that the 16 bytes of `bind` name: AES-256-CBC under K_store,
    /// its IV AES-256-CMAC under K_mac of 1 and `bind`; the last 16 bytes are that of 2, `bind` and the ciphertext.
    pub seal: Option<unsafe extern "C" fn(ctx: *mut c_void, bind: *const u8, text: *mut u8, len: usize) -> c_int>,
    /// Opens what `seal` sealed, where it lies.
    pub open: Option<unsafe extern "C" fn(ctx: *mut c_void, bind: *const u8, text: *mut u8, len: usize) -> c_int>,
    /// For the five above.
    pub keys_ctx: *mut c_void,
}

/// What a centre is told when it is set up. Fill the whole structure with zeros first: what is 0 is the default. What it points to
/// is lent until iotkm_centre_wipe().
#[repr(C)]
#[derive(Debug)]
pub struct iotkm_centre_setup {
    /// sizeof(iotkm_centre_setup).
    pub struct_size: usize,
    /// Its id.
    pub id: iotkm_history_id,
    /// The suites of its devices: ..._symmetric ones.
    pub suites: *const *const iotkm_suite,
    /// How many: 1 to 8.
    pub suite_count: usize,
    /// How far a device's clock may be from the centre's, in seconds; 0: 300.
    pub window_s: u32,
    /// How long a challenge is good for, in seconds; 0: 60.
    pub challenge_s: u32,
    /// How long after its end a year's row is kept, in seconds: as long, signatures of that year verify; 0: 31 days.
    pub grace_s: u32,
    /// Where its rows and keys are.
    pub stores: *const iotkm_centre_stores,
    /// A table of cells.
    pub shares: *mut iotkm_centre_share,
    /// How many.
    pub share_count: usize,
    /// A table of answers.
    pub answers: *mut iotkm_centre_kept,
    /// How many; may be 0.
    pub answer_count: usize,
}

/// What came of a datagram.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct iotkm_handled {
    /// What goes back to where it came from, in the buffer that iotkm_centre_receive() was given; NULL: nothing.
    pub reply: *const u8,
    /// Its length in bytes.
    pub reply_len: usize,
    /// What happened: an iotkm_centre_event.
    pub event: u32,
    /// Whose it was, where something happened.
    pub id: iotkm_history_id,
    /// Whether a session was granted, which takes the place of any that this device had: see iotkm_served_open().
    pub has_session: bool,
}

/// How far a device is, for its centre.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum iotkm_standing {
    /// It may authenticate itself.
    IOTKM_STANDING_ENROLLED = 0,
    /// It is revoked, and told so as soon as it comes.
    IOTKM_STANDING_REVOKED = 1,
    /// It has killed its seed.
    IOTKM_STANDING_KILLED = 2,
}

/// What may be shown of a device of a centre's.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct iotkm_device_record {
    /// Number of the suite that it was enrolled with.
    pub suite: c_int,
    /// Whether it was enrolled as a device without a clock.
    pub clockless: bool,
    /// How far it is: an iotkm_standing.
    pub standing: u32,
    /// How often its seed was replaced.
    pub generation: u32,
    /// Whether a new seed is wanted and not there yet.
    pub updating: bool,
    /// What is known of the seed that is to replace it: an iotkm_pending.
    pub pending: u32,
    /// The first year whose row is still there; above `last_year` where none is.
    pub first_year: u16,
    /// The last year that the seed is for.
    pub last_year: u16,
    /// The lowest counter that is taken from it.
    pub counter: u32,
    /// When it was authenticated last, in ms since 1970; 0: never.
    pub seen_ms: u64,
}

/// Who signed, and when.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct iotkm_signed {
    /// The device.
    pub id: iotkm_history_id,
    /// When, by its own clock, in ms since 1970; seconds are whole.
    pub time_ms: u64,
    /// How many micro-certificates and signatures it had made before.
    pub counter: u32,
}

type Centre = AuthCenter<Lent<Share>, Lent<Kept>>;

#[repr(C)]
struct Object {
    head: Head,
    stores: &'static iotkm_centre_stores,
    centre: Centre,
}
fits!(Object, iotkm_centre);
const _: () = assert!(
    size_of::<Share>() == size_of::<iotkm_centre_share>()
        && align_of::<Share>() <= align_of::<iotkm_centre_share>()
        && size_of::<Kept>() == size_of::<iotkm_centre_kept>()
        && align_of::<Kept>() <= align_of::<iotkm_centre_kept>()
        && IOTKM_CENTRE_STATE_MAX == Row::STATE_MAX
        && IOTKM_CENTRE_SEED_LEN == Row::SEED_LEN
        && IOTKM_CENTRE_KEYS_LEN == SoftKeys::LEN
        && IOTKM_CENTRE_INVITATION_MAX == Centre::INVITATION_MAX
        && IOTKM_CENTRE_CONFIRMATION_LEN == Centre::CONFIRMATION_LEN
        && TRANSPORTED_LEN == 984
        && STORED_LEN == 992
);

impl From<CentreEvent> for iotkm_centre_event {
    fn from(event: CentreEvent) -> Self {
        match event {
            CentreEvent::Authenticated => Self::IOTKM_CENTRE_AUTHENTICATED,
            CentreEvent::UpdateAgreed => Self::IOTKM_CENTRE_UPDATE_AGREED,
            CentreEvent::KeyReplaced => Self::IOTKM_CENTRE_KEY_REPLACED,
            CentreEvent::Challenged => Self::IOTKM_CENTRE_CHALLENGED,
            CentreEvent::CloneSuspected => Self::IOTKM_CENTRE_CLONE_SUSPECTED,
            CentreEvent::Revoked => Self::IOTKM_CENTRE_REVOKED,
            CentreEvent::Killed => Self::IOTKM_CENTRE_KILLED,
            CentreEvent::SeedExpired => Self::IOTKM_CENTRE_SEED_EXPIRED,
            CentreEvent::Tampered => Self::IOTKM_CENTRE_WAS_TAMPERED,
            _ => Self::IOTKM_CENTRE_NOTHING,
        }
    }
}

unsafe fn enter(centre: *const iotkm_centre, f: &mut dyn FnMut(&mut Object) -> Outcome) -> Outcome {
    let object = raw::some(centre)?.cast::<Object>();
    Head::enter(object.cast(), Magic::CENTRE, || {
        // SAFETY: the magic word says that `iotkm_centre_open` set this up; `enter` lets nobody else in.
        f(unsafe { &mut *object.as_ptr() })
    })
}

/// Calls `f` with the centre, its stores and the surroundings.
unsafe fn verb(
    centre: *mut iotkm_centre,
    cx: *const iotkm_cx,
    call: &CStr,
    f: &mut dyn FnMut(&mut Centre, &mut Stores<'_>, &mut Cx<'_>) -> Outcome,
) -> c_int {
    let done = enter(centre, &mut |Object { stores, centre, .. }| {
        with_cx(cx, None, &mut |cx| stores::with(stores, |stores| f(centre, stores, cx)))
    });
    logged(cx, call, done)
}

fn now(cx: &Cx<'_>) -> Outcome<UnixTime> {
    Ok(cx.wall.ok_or(IOTKM_E_BAD_ARGUMENT)?)
}

unsafe fn table<T: Default>(start: *mut T, count: usize) -> Outcome<Lent<T>> {
    let start = if count == 0 { NonNull::dangling() } else { raw::some(start)? };
    Ok(Lent::new(start.cast(), count, T::default))
}

/// Sets a centre up.
/// Servers of one centre behind one address share database, keys and device secret (the platform's): so one takes the proof to
/// another's challenge. Tables and sessions are each server's own: lead what a session sends to the server that has it.
/// Errors: IOTKM_E_BAD_ARGUMENT without suites or without cells, or for a suite with Diffie-Hellman.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_centre_open(centre: *mut iotkm_centre, setup: *const iotkm_centre_setup) -> c_int {
    raw::plainly(|| {
        let place = Out::new(centre.cast::<Object>())?;
        let setup: &iotkm_centre_setup = raw::read(setup)?;
        check_size::<iotkm_centre_setup>(setup.struct_size)?;
        let stores: &'static iotkm_centre_stores = raw::read(setup.stores)?;
        let mut config = CentreConfig::default();
        for (to, wish) in [
            (&mut config.window, setup.window_s),
            (&mut config.challenge, setup.challenge_s),
            (&mut config.grace, setup.grace_s),
        ] {
            *to = if wish == 0 { *to } else { wish };
        }
        if setup.share_count == 0 {
            return Err(IOTKM_E_BAD_ARGUMENT.into());
        }
        let suites = iotkm_suite::list(setup.suites, setup.suite_count)?;
        let shares = table(setup.shares.cast::<Share>(), setup.share_count)?;
        let answers = table(setup.answers.cast::<Kept>(), setup.answer_count)?;
        let centre = AuthCenter::new(named(&raw const setup.id)?, suites, config, shares, answers)?;
        place.set(Object { head: Head::new(Magic::CENTRE), stores, centre });
        Ok(())
    })
}

/// Takes in one datagram from the address `from`; what goes back lies in `out` (IOTKM_CENTRE_REPLY_MAX bytes). `cid` is the
/// connection id, at most 8 bytes, under which a session that begins is to receive: another one for the next call once it is used.
/// `session`, where handled->has_session, is for iotkm_served_open(). Whatever does not parse or verify is dropped and counted.
/// Errors: IOTKM_E_STORE, IOTKM_E_KEY_STORE, IOTKM_E_RNG: nothing was answered, the device asks again; IOTKM_E_BAD_ARGUMENT where
/// `cx->wall_ms` is 0; IOTKM_E_BUFFER_TOO_SMALL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_centre_receive(
    centre: *mut iotkm_centre,
    cx: *const iotkm_cx,
    from: *const iotkm_addr,
    cid: *const u8,
    cid_len: usize,
    datagram: *const u8,
    datagram_len: usize,
    out: *mut u8,
    out_capacity: usize,
    handled: *mut iotkm_handled,
    session: *mut iotkm_accepted,
) -> c_int {
    verb(centre, cx, text!("iotkm_centre_receive"), &mut |centre, stores, cx| {
        let from = iotkm_addr::get(from)?;
        let cid = ConnectionId::new(raw::bytes(cid, cid_len)?).ok_or(IOTKM_E_BAD_ARGUMENT)?;
        let datagram = raw::bytes(datagram, datagram_len)?;
        raw::apart(datagram, raw::bytes(out, out_capacity)?)?;
        let (out, place) = (raw::bytes_mut(out, out_capacity)?, Out::new(handled)?);
        let session = served::place(session)?;
        let handled = centre.handle_input(cx, stores, &from, &cid, datagram, out)?;
        let nobody = iotkm_history_id { len: 0, bytes: [0; 16] };
        let (id, event) = handled
            .event
            .map_or((nobody, iotkm_centre_event::IOTKM_CENTRE_NOTHING), |(id, event)| (shown(&id), event.into()));
        place.set(iotkm_handled {
            reply: handled.reply.map_or(core::ptr::null(), <[u8]>::as_ptr),
            reply_len: handled.reply.map_or(0, <[u8]>::len),
            event: event as u32,
            id,
            has_session: handled.session.is_some(),
        });
        if let Some(accepted) = handled.session {
            session.set(served::held(accepted));
        }
        Ok(())
    })
}

/// Writes what makes a chip of this id one of this centre's: IOTKM_CENTRE_INVITATION_MAX bytes will do. It holds a key: it goes to that
/// chip offline and is erased. Nothing is stored.
/// Errors: IOTKM_E_SUITE_MISMATCH for a suite that is not this centre's; IOTKM_E_WRONG_STATE for an id that is enrolled;
/// IOTKM_E_STORE, IOTKM_E_KEY_STORE, IOTKM_E_BUFFER_TOO_SMALL; IOTKM_E_BAD_ARGUMENT where `cx->wall_ms` is 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_centre_invite(
    centre: *mut iotkm_centre,
    cx: *const iotkm_cx,
    id: *const iotkm_history_id,
    suite: *const iotkm_suite,
    clockless: bool,
    out: *mut u8,
    out_capacity: usize,
    out_len: *mut usize,
) -> c_int {
    verb(centre, cx, text!("iotkm_centre_invite"), &mut |centre, stores, cx| {
        let (out, out_len) = (raw::bytes_mut(out, out_capacity)?, Out::new(out_len)?);
        let suite: &iotkm_suite = raw::read(suite)?;
        out_len.set(centre.invite(stores, &named(id)?, &suite.0, clockless, now(cx)?, out)?);
        Ok(())
    })
}

/// Takes a chip's deposit and stores its seed. Writes the confirmation for the chip, IOTKM_CENTRE_CONFIRMATION_LEN bytes, and its id. The
/// same deposit again is confirmed again until the chip's first authentication.
/// Errors: IOTKM_E_BAD_ARGUMENT for what is no deposit of a chip of this centre's; IOTKM_E_WRONG_STATE where the id has another seed;
/// IOTKM_E_SUITE_MISMATCH, IOTKM_E_STORE, IOTKM_E_KEY_STORE.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_centre_enrol(
    centre: *mut iotkm_centre,
    cx: *const iotkm_cx,
    deposit: *const u8,
    deposit_len: usize,
    confirmation: *mut u8,
    id: *mut iotkm_history_id,
) -> c_int {
    verb(centre, cx, text!("iotkm_centre_enrol"), &mut |centre, stores, cx| {
        let deposit = raw::bytes(deposit, deposit_len)?;
        let (to, id) = (Out::new(confirmation.cast())?, Out::new(id)?);
        let mut confirmation = [0; IOTKM_CENTRE_CONFIRMATION_LEN];
        id.set(shown(&centre.enrol(stores, now(cx)?, deposit, &mut confirmation)?));
        to.set(confirmation);
        Ok(())
    })
}

/// Wants a new seed of this device: it is asked for when the device comes next.
/// Errors: IOTKM_E_BAD_ARGUMENT for an id without a row; IOTKM_E_REVOKED; IOTKM_E_WRONG_STATE where somebody else wrote the row in
/// between: call again; IOTKM_E_STORE.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_centre_update(
    centre: *mut iotkm_centre,
    cx: *const iotkm_cx,
    id: *const iotkm_history_id,
) -> c_int {
    verb(centre, cx, text!("iotkm_centre_update"), &mut |centre, stores, _| Ok(centre.update(stores, &named(id)?)?))
}

/// Revokes this device: from now on it is not authenticated, and told to kill its seed when it comes next. Sessions that it has
/// are yours to end, by iotkm_close() and iotkm_wipe(): they do not know.
/// Errors: IOTKM_E_BAD_ARGUMENT for an id without a row; IOTKM_E_WRONG_STATE where somebody else wrote the row in between: call again;
/// IOTKM_E_STORE, IOTKM_E_KEY_STORE.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_centre_revoke(
    centre: *mut iotkm_centre,
    cx: *const iotkm_cx,
    id: *const iotkm_history_id,
) -> c_int {
    verb(centre, cx, text!("iotkm_centre_revoke"), &mut |centre, stores, _| Ok(centre.revoke(stores, &named(id)?)?))
}

/// Writes what may be shown of this device.
/// Errors: IOTKM_E_EMPTY for an id without a row; IOTKM_E_STORE.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_centre_device(
    centre: *mut iotkm_centre,
    cx: *const iotkm_cx,
    id: *const iotkm_history_id,
    record: *mut iotkm_device_record,
) -> c_int {
    verb(centre, cx, text!("iotkm_centre_device"), &mut |_, stores, _| {
        let place = Out::new(record)?;
        let mut row = Row::none();
        if !stores.seeds.get(&named(id)?, &mut row).map_err(|_| IOTKM_E_STORE)? {
            return Err(IOTKM_E_EMPTY.into());
        }
        let standing = match row.standing() {
            Standing::Enrolled => iotkm_standing::IOTKM_STANDING_ENROLLED,
            Standing::Revoked => iotkm_standing::IOTKM_STANDING_REVOKED,
            Standing::Killed => iotkm_standing::IOTKM_STANDING_KILLED,
        };
        let (first_year, last_year) = row.years();
        place.set(iotkm_device_record {
            suite: row.suite().into(),
            clockless: row.is_clockless(),
            standing: standing as u32,
            generation: row.generation(),
            updating: row.is_updating(),
            pending: iotkm_pending::from(row.pending_state()) as u32,
            first_year,
            last_year,
            counter: row.counter(),
            seen_ms: row.seen().map_or(0, |time| time.0),
        });
        Ok(())
    })
}

/// Whether this is a signature of data by a device of this centre's: by whom and when.
/// Errors: IOTKM_E_REFUSED_SIGNATURE where it is not, or no more (revoked, another seed, its year erased); IOTKM_E_STORE,
/// IOTKM_E_KEY_STORE.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_centre_verify(
    centre: *mut iotkm_centre,
    cx: *const iotkm_cx,
    signature: *const u8,
    signature_len: usize,
    data: *const u8,
    data_len: usize,
    signed_by: *mut iotkm_signed,
) -> c_int {
    verb(centre, cx, text!("iotkm_centre_verify"), &mut |centre, stores, _| {
        let (signature, data) = (raw::bytes(signature, signature_len)?, raw::bytes(data, data_len)?);
        let place = Out::new(signed_by)?;
        let signed = centre.verify(stores, signature, data)?.ok_or(IOTKM_E_REFUSED_SIGNATURE)?;
        place.set(iotkm_signed { id: shown(&signed.id), time_ms: signed.time.0, counter: signed.counter });
        Ok(())
    })
}

/// iotkm_drops() for a centre.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_centre_drops(centre: *const iotkm_centre, reason: u32, count: *mut u16) -> c_int {
    returned(enter(centre, &mut |object| {
        let count = Out::new(count)?;
        count.set(object.centre.drops().get(*Dropped::ALL.get(reason as usize).ok_or(IOTKM_E_BAD_ARGUMENT)?));
        Ok(())
    }))
}

/// Forgets the answers that are kept: for a store that has lost what it said was durable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_centre_forget_answers(centre: *mut iotkm_centre) -> c_int {
    returned(enter(centre, &mut |object| {
        object.centre.forget_answers();
        Ok(())
    }))
}

/// Ends a centre, and gives back what it was lent. Error: IOTKM_E_NOT_SET_UP.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn iotkm_centre_wipe(centre: *mut iotkm_centre) -> c_int {
    raw::plainly(|| {
        let place = raw::some(centre)?;
        enter(centre, &mut |object| {
            // SAFETY: set up, nobody else is in, and it is erased below before anybody can be.
            unsafe { core::ptr::drop_in_place(&raw mut object.centre) };
            Ok(())
        })?;
        object::erase(place.cast(), size_of::<iotkm_centre>());
        Ok(())
    })
}
