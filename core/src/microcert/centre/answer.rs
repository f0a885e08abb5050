//! What the centre says: ANSWER to what is fresh, CHALLENGE to what is genuine, GONE to another seed's; and what it stores before.

use super::row::{KILLED, UPDATE};
use super::session::Accepted;
use super::{AuthCenter, Case, CentreEvent, Change, Done, Freshness, Kept, Row, Share, Spare, Stop, Stores};
use super::{Named, challenge, has_no_year, is_revoked, named, stop};
use crate::association::{Addr, Cx};
use crate::crypto::secret::ct_eq;
use crate::crypto::{Prk, Secret};
use crate::engine::drops::Dropped;
use crate::engine::once::{open_once, seal_once};
use crate::engine::rekey::Which;
use crate::engine::session::{ConnectionId, Keys};
use crate::engine::transcript::Transcript;
use crate::engine::wire::{Writer, header};
use crate::microcert::csk::Date;
use crate::microcert::device::terms;
use crate::microcert::keys::{self, NEW_LEN, RANDOM_LEN, Sealed, Use};
use crate::microcert::keystore::{SEAL_LEN, STORED_LEN};
use crate::microcert::seed::{ROW_LEN, SEED_LEN, Seed, YEARS};
use crate::microcert::wire::{Answer, CRITICAL_MAX, Critical, Dead, NUMBER, Opening, Order, message};

/// Seconds that a device's clock may be off before it is told.
const CLOCK_OFF: u32 = 2;

/// A micro-certificate that was opened.
struct Opened {
    prk: Prk,
    th_1: Transcript,
    th_a: Transcript,
    critical: Critical,
}

impl<B: AsMut<[Share]>, A: AsMut<[Kept]>> AuthCenter<B, A> {
    /// Unwraps the rows and opens the critical part.
    fn open(&self, stores: &mut Stores<'_>, row: &Row, case: &Case<'_>) -> Result<Opened, Stop> {
        let Case { cert, suite, which, .. } = case;
        let challenge = case.challenge.as_ref().map_or(&[][..], |challenge| challenge);
        let th_0 = keys::th_0(&row.terms(&self.id, row.generation_of(*which)));
        let prk = self.unwrap(stores, row, *which, &cert.stamp, challenge, &th_0)?;
        let th_1 = th_0.then(&[cert.clear]);
        let mut text = Secret::<CRITICAL_MAX>::zero();
        let text = text.as_mut().get_mut(..cert.text.len()).ok_or(Dropped::Malformed)?;
        text.copy_from_slice(cert.text);
        open_once(suite, &keys::once_key(&prk, Use::Auth, &th_1), text, cert.tag)?;
        let critical = Critical::read(text)?;
        let th_a = th_1.then(&[cert.text, cert.tag]);
        Ok(Opened { prk, th_1, th_a, critical })
    }

    /// It is fresh, and if it opens the device is authenticated: the counter is stored, then ANSWER leaves.
    pub(super) fn accept(
        &mut self,
        cx: &mut Cx<'_>,
        stores: &mut Stores<'_>,
        row: &mut Row,
        case: &Case<'_>,
        cid: &ConnectionId,
        out: &mut [u8],
    ) -> Result<Done, Stop> {
        let opened = self.open(stores, row, case)?;
        let mut random = [0; RANDOM_LEN + NEW_LEN];
        cx.rng.fill(&mut random).map_err(|_| Dropped::Rng)?;
        let (random_c, n_c) = random.split_first_chunk::<RANDOM_LEN>().ok_or(Dropped::Rng)?;
        let mut change = Change::State;
        let mut event = CentreEvent::Authenticated;
        row.version = row.version.saturating_add(1);
        row.counter = case.cert.stamp.counter.saturating_add(1);
        row.last = case.digest;
        row.seen = case.now;
        let order = if is_revoked(row) {
            event = CentreEvent::Revoked;
            Some(Order::Revoke)
        } else {
            if case.which == Which::Pending {
                self.commit(stores, row)?;
                (change, event) = (Change::Seed, CentreEvent::KeyReplaced);
            }
            if self.erase_years(stores, row, case.now)? {
                change = Change::Seed;
            }
            let agreed = row.replacement.confirmed();
            let order = self.order(stores, row, case, &opened, n_c)?;
            match row.replacement.confirmed() {
                now if now == agreed => {}
                None => change = Change::Seed,
                Some(_) => (change, event) = (Change::Seed, CentreEvent::UpdateAgreed),
            }
            order
        };
        if !stores.seeds.swap(row, change)? {
            return Err(Stop::Again);
        }
        self.limits.give_back(cx.device, &row.id, case.proven.then_some(&case.from));

        let session = opened.critical.session.filter(|_| !is_revoked(row));
        let time = (case.now.abs_diff(case.cert.stamp.time) > CLOCK_OFF).then_some(case.now);
        let low = case.cert.stamp.counter;
        let mut w = Writer::new(out);
        w.put(&header(NUMBER, message::ANSWER, low)).put(random_c);
        let th_2 = opened.th_a.then(&[w.written()]);
        let key = keys::once_key(&opened.prk, Use::Answer, &th_2);
        let sealed = seal_once(case.suite, &key, &mut w, |w| {
            Answer::write_head(w, session.is_some().then_some(cid), time, order.is_some());
            if let Some(order) = &order {
                let start = w.len();
                order.write(w);
                let tag = keys::order_tag(&opened.prk, "order", &th_2, &[w.written().get(start..).unwrap_or(&[])]);
                w.put(&tag);
            }
        });
        let session = session.map(|theirs| {
            let mut keys = Keys::none();
            keys.keep(&opened.prk, &th_2.then(&[sealed]));
            let terms = terms(&case.cert.stamp, theirs, false, cx.now);
            Accepted { id: row.id, suite: case.suite, keys, terms, from: case.from, cid: *cid }
        });
        let len = w.finish().map_err(|_| Dropped::NoRoom)?;
        self.answers.keep(&case.digest, out.get(..len).unwrap_or(&[]));
        Ok((len, Some((row.id, event)), session))
    }

    /// The device came with its new seed: the old one is left.
    fn commit(&self, stores: &mut Stores<'_>, row: &mut Row) -> Result<(), Stop> {
        let mut spare = Spare::none();
        self.spare(stores, row, &mut spare)?;
        let mut text = Secret::<STORED_LEN>::zero();
        self.whole(stores, row, &mut text)?;
        spare.gone = keys::gone_key_of(text.expose());
        put(text.as_mut(), Seed::of_root(&spare.root, row.pending_base).rows());
        spare.root = Secret::zero();
        row.replacement.complete(Which::Pending);
        (row.base, row.first) = (row.pending_base, row.pending_base);
        (row.asked, row.n_c, row.pending_base) = (0, [0; NEW_LEN], 0);
        self.seal_seed(stores, row, &mut text)?;
        self.seal_spare(stores, row, &spare)
    }

    /// Erases the rows of years that are over since the grace; whether there were any.
    fn erase_years(&self, stores: &mut Stores<'_>, row: &mut Row, now: u32) -> Result<bool, Stop> {
        let year = Date::of(now.saturating_sub(self.config.grace)).year();
        let to = year.min(row.base.saturating_add(YEARS as u16));
        if to <= row.first {
            return Ok(false);
        }
        let mut text = Secret::<STORED_LEN>::zero();
        self.whole(stores, row, &mut text)?;
        let over = usize::from(to.saturating_sub(row.base)).saturating_mul(ROW_LEN);
        text.as_mut().get_mut(..over).unwrap_or(&mut []).fill(0);
        row.first = to;
        self.seal_seed(stores, row, &mut text)?;
        Ok(true)
    }

    /// What this device is to do, by the key-replacement rule; the row changes with it.
    fn order(
        &self,
        stores: &mut Stores<'_>,
        row: &mut Row,
        case: &Case<'_>,
        opened: &Opened,
        n_c: &[u8],
    ) -> Result<Option<Order>, Stop> {
        let Opened { prk, th_1, critical, .. } = opened;
        let standing = critical.standing;
        if case.which == Which::Pending {
            return Ok(None);
        }
        row.replacement.raise(standing.answered);
        let confirmed = row.replacement.confirmed();
        if standing.confirmed != 0 && confirmed != Some(standing.confirmed) {
            return Ok(Some(Order::HasNot { attempt: standing.confirmed }));
        }
        if let Some(attempt) = confirmed {
            if standing.answered >= attempt {
                return Ok(Some(Order::Close { attempt }));
            }
            // It has not answered that attempt: it was rolled back, and lost what it had.
            row.replacement.drop_pending(attempt);
            row.flags |= UPDATE;
            let mut spare = Spare::none();
            self.spare(stores, row, &mut spare)?;
            spare.root = Secret::zero();
            self.seal_spare(stores, row, &spare)?;
        }
        if let Some(fresh) = critical.fresh.as_ref().filter(|fresh| row.asked != 0 && fresh.attempt == row.asked) {
            let attempt = fresh.attempt;
            let tag = keys::order_tag(prk, "new", th_1, &[&attempt.to_be_bytes(), fresh.n_d.expose()]);
            if !ct_eq(&tag, &fresh.tag) {
                return Err(Dropped::Forged.into());
            }
            let mut spare = Spare::none();
            if row.spare.is_some() {
                self.spare(stores, row, &mut spare)?;
            }
            spare.root = keys::next_root(prk, th_1, attempt, &row.n_c, &fresh.n_d);
            row.pending_base = Date::of(case.cert.stamp.time).year();
            row.replacement.confirm(attempt);
            row.flags &= !UPDATE;
            self.seal_spare(stores, row, &spare)?;
            return Ok(Some(Order::Close { attempt }));
        }
        if row.flags & UPDATE == 0 {
            return Ok(None);
        }
        // After 65 535 attempts there is no further one: the wish stays a wish.
        let Ok(attempt) = row.replacement.ask() else { return Ok(None) };
        let n_c = n_c.try_into().unwrap_or_default();
        (row.asked, row.n_c) = (attempt, n_c);
        Ok(Some(Order::Ask { attempt, n_c }))
    }

    /// It is not fresh; if it opens, the device is told how to be.
    pub(super) fn oppose(
        &self,
        cx: &mut Cx<'_>,
        stores: &mut Stores<'_>,
        row: &Row,
        case: &Case<'_>,
        freshness: Freshness,
        out: &mut [u8],
    ) -> Result<Done, Stop> {
        let opened = self.open(stores, row, case)?;
        let mut random = [0; RANDOM_LEN];
        cx.rng.fill(&mut random).map_err(|_| Dropped::Rng)?;
        let (time, counter) = (case.now, row.counter);
        let opening = Opening { time, counter, challenge: challenge(cx, row, case.cert.serial, time) };
        let mut w = Writer::new(out);
        w.put(&header(NUMBER, message::CHALLENGE, case.cert.stamp.counter)).put(&random);
        let th_c = opened.th_a.then(&[w.written()]);
        let key = keys::once_key(&opened.prk, Use::Challenge, &th_c);
        seal_once(case.suite, &key, &mut w, |w| opening.write(w));
        let len = w.finish().map_err(|_| Dropped::NoRoom)?;
        let event = match freshness {
            Freshness::Twice => CentreEvent::CloneSuspected,
            _ if has_no_year(row, case.which, time) => CentreEvent::SeedExpired,
            _ => CentreEvent::Challenged,
        };
        Ok((len, Some((row.id, event)), None))
    }

    /// GONE: this centre has another seed of the device's, one older or newer.
    pub(super) fn gone(
        &self,
        stores: &mut Stores<'_>,
        row: &Row,
        case: &Case<'_>,
        out: &mut [u8],
    ) -> Result<usize, Stop> {
        let Case { cert, .. } = case;
        let (used, gone) = match named(row, cert.serial)? {
            Named::Before => self.gone_key(stores, row, true)?,
            _ => (row.generation().saturating_add(1), self.gone_key(stores, row, false)?.1),
        };
        let th_1 = keys::th_0(&row.terms(&self.id, used)).then(&[cert.clear]);
        let th_a = th_1.then(&[cert.text, cert.tag]);
        let mut w = Writer::new(out);
        w.put(&header(NUMBER, message::GONE, cert.stamp.counter)).put(&row.generation().to_be_bytes());
        w.put(&keys::gone_tag(&gone, &th_a, row.generation()));
        w.finish().map_err(|_| Dropped::NoRoom.into())
    }

    /// What outlives the seed before the current one, or the current one: with its generation.
    fn gone_key(&self, stores: &mut Stores<'_>, row: &Row, before: bool) -> Result<(u32, Secret<32>), Stop> {
        if before {
            let mut spare = Spare::none();
            self.spare(stores, row, &mut spare)?;
            return Ok((row.generation().saturating_sub(1), spare.gone));
        }
        let mut text = Secret::<STORED_LEN>::zero();
        self.whole(stores, row, &mut text)?;
        Ok((row.generation(), keys::gone_key_of(text.expose())))
    }

    /// DEAD: the chip has killed its seed, as it was told.
    pub(super) fn dead(
        &mut self,
        cx: &Cx<'_>,
        stores: &mut Stores<'_>,
        (from, proven): (&Addr, bool),
        bytes: &[u8],
        out: &mut [u8],
    ) -> Result<Done, Stop> {
        let dead = Dead::read(bytes)?;
        let mut row = Row::none();
        if !stores.seeds.get(&dead.id, &mut row)? || row.id != dead.id {
            return Err(Dropped::NoKey.into());
        }
        if !is_revoked(&row) || row.flags & KILLED != 0 {
            return Err(Dropped::Unexpected.into());
        }
        // A chip that was not told that its new seed is current has killed the one before.
        let before = match named(&row, dead.serial)? {
            Named::Seed(Which::Current) => false,
            Named::Before => true,
            _ => return Err(Dropped::Unexpected.into()),
        };
        if !self.take_share(cx, &dead.id, from, proven) {
            return self.limited(cx, from, proven, out);
        }
        let (generation, gone) = self.gone_key(stores, &row, before)?;
        if !ct_eq(&keys::dead_tag(&gone, &keys::th_0(&row.terms(&self.id, generation))), &dead.tag) {
            return Err(Dropped::Forged.into());
        }
        row.version = row.version.saturating_add(1);
        row.flags = (row.flags | KILLED) & !UPDATE;
        row.seed.fill(0);
        row.spare = None;
        if !stores.seeds.swap(&row, Change::Seed)? {
            return Err(Stop::Again);
        }
        Ok((0, Some((row.id, CentreEvent::Killed)), None))
    }

    /// Seals the rows that `text` begins with as this row's.
    pub(super) fn seal_seed(
        &self,
        stores: &mut Stores<'_>,
        row: &mut Row,
        text: &mut Secret<STORED_LEN>,
    ) -> Result<(), Stop> {
        let bind = row.bind(&self.id, Sealed::Rows);
        stores.keys.seal(&bind, text.as_mut()).map_err(|error| stop(row, error))?;
        row.seed = *text.expose();
        Ok(())
    }

    pub(super) fn seal_spare(&self, stores: &mut Stores<'_>, row: &mut Row, spare: &Spare) -> Result<(), Stop> {
        let mut text = Secret::<{ 64 + SEAL_LEN }>::zero();
        put(text.as_mut(), spare.root.expose());
        put(text.as_mut().get_mut(32..).unwrap_or(&mut []), spare.gone.expose());
        let bind = row.bind(&self.id, Sealed::Spare);
        stores.keys.seal(&bind, text.as_mut()).map_err(|error| stop(row, error))?;
        row.spare = Some(*text.expose());
        Ok(())
    }
}

/// Copies a secret to where it is sealed next.
pub(super) fn put(to: &mut [u8], from: &[u8]) {
    crate::engine::wire::copy(to, from);
}

const _: () = assert!(SEED_LEN + SEAL_LEN == STORED_LEN);
