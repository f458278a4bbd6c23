//! Chance from one random number.

/// Numbers that follow from a random one.
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn new(random: u64) -> Self {
        // xorshift64*: never 0, for it does not begin there.
        Self(random | 1)
    }

    /// A number below `limit`; 0 when that is 0.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        let mut x = self.0;
        x ^= x >> 12;
        x ^= x << 25;
        x ^= x >> 27;
        self.0 = x;
        let high = x.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32;
        ((high * limit as u64) >> 32) as usize
    }

    /// Takes up to `most` items, any of them in any order.
    pub(crate) fn choose<T>(&mut self, items: &mut Vec<T>, most: usize) {
        let most = most.min(items.len());
        for at in 0..most {
            let other = at + self.below(items.len() - at);
            items.swap(at, other);
        }
        items.truncate(most);
    }
}
