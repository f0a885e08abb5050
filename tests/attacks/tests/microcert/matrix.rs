//! What somebody makes of keys that became known: the elements that they would be made from, if the paper's CSK made them.

/// The random number's digit for the row in this place.
pub fn digit(random: &[u8; 8], row: usize) -> usize {
    usize::from(random[row / 2] >> (4 * (1 - row % 2)) & 15)
}

/// The elements of a day's sixteen rows, as far as they are known.
#[derive(Default)]
pub struct Matrix {
    known: [[Option<u8>; 16]; 16],
    /// Elements that two keys disagree on.
    pub contradictions: usize,
}

impl Matrix {
    /// Takes in a known key and the random number that went with it in clear.
    pub fn learn(&mut self, key: &[u8], random: &[u8; 8]) {
        for (row, element) in key.iter().take(16).enumerate() {
            let place = &mut self.known[row][digit(random, row)];
            self.contradictions += usize::from(place.is_some_and(|known| known != *element));
            *place = Some(*element);
        }
    }

    /// How many of the 256 are known.
    pub fn size(&self) -> usize {
        self.known.iter().flatten().filter(|element| element.is_some()).count()
    }

    /// The key for a random number that was never used.
    pub fn key(&self, random: &[u8; 8]) -> Option<[u8; 16]> {
        let mut key = [0; 16];
        for (row, to) in key.iter_mut().enumerate() {
            *to = self.known[row][digit(random, row)]?;
        }
        Some(key)
    }
}
