//! Where first messages and addresses lead: a table in the caller's memory, which forgets and never grows.

use crate::crypto::Secret;
use crate::crypto::secret::declassify;
use core::hash::Hasher;
use siphasher::sip::SipHasher13;

/// Routes that share a bucket.
pub(super) const WAYS: usize = 8;

/// A remembered route. A table of them is a cache: a route that was forgotten costs a retransmission or a search.
#[derive(Clone, Copy, Debug, Default)]
pub struct Route {
    tag: u32,
    /// The place and one; 0: empty.
    place: u32,
}

/// The table. Whoever knew its key could make names that meet in one bucket.
#[derive(Debug)]
pub(super) struct Routes<R> {
    key: Secret<16>,
    routes: R,
}

impl<R: AsRef<[Route]> + AsMut<[Route]>> Routes<R> {
    /// Empty, in this memory.
    pub fn new(key: Secret<16>, mut routes: R) -> Self {
        routes.as_mut().fill(Route::default());
        Self { key, routes }
    }

    /// Where a name or an address lies in the table.
    pub fn hash(&self, parts: &[&[u8]]) -> u64 {
        let mut hasher = SipHasher13::new_with_key(self.key.expose());
        parts.iter().for_each(|part| hasher.write(part));
        // A place in the table, and no more of the key than that.
        u64::from_ne_bytes(*declassify(&hasher.finish().to_ne_bytes()))
    }

    fn bucket(&mut self, hash: u64) -> &mut [Route] {
        let routes = self.routes.as_mut();
        let buckets = (routes.len() / WAYS).max(1);
        let start = ((hash >> 32) as usize).checked_rem(buckets).unwrap_or(0).saturating_mul(WAYS);
        routes.get_mut(start..start.saturating_add(WAYS)).unwrap_or(&mut [])
    }

    /// The places that a hash may stand for.
    pub fn candidates(&mut self, hash: u64) -> [Option<usize>; WAYS] {
        let mut found = [None; WAYS];
        let tag = hash as u32;
        for (to, route) in found.iter_mut().zip(self.bucket(hash).iter().filter(|r| r.tag == tag)) {
            *to = route.place.checked_sub(1).map(|p| p as usize);
        }
        found
    }

    /// A hash leads to this place from now on.
    pub fn remember(&mut self, hash: u64, index: usize) {
        let new = Route { tag: hash as u32, place: (index as u32).saturating_add(1) };
        let bucket = self.bucket(hash);
        // The oldest stands first. What is known moves to the end; where all is full, the oldest goes.
        let used = bucket.iter().take_while(|r| r.place != 0).count();
        let known = bucket.iter().take(used).position(|r| r.tag == new.tag && r.place == new.place);
        let end = if known.is_none() && used < bucket.len() { used.saturating_add(1) } else { used };
        let from = known.unwrap_or(if end > used { used } else { 0 });
        if let Some(moving) = bucket.get_mut(from..end) {
            moving.rotate_left(1);
            moving.last_mut().into_iter().for_each(|r| *r = new);
        }
    }
}
