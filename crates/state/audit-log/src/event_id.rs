//! Ids of events: UUIDs that hide, and give back, the place of the event.
//!
//! An id is a permutation of 122 bits: 61 of the event's sequence number and 61 that are random for the region. So ids
//! look random, are unique without being stored, and finding an event by its id needs no index.

/// Makes and reads the ids of one region.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EventIds {
    region: u64,
}

const HALF: u32 = 61;
const MASK: u64 = (1 << HALF) - 1;
/// Keys of the rounds of the permutation; nothing is secret about them.
const ROUNDS: [u64; 4] =
    [0x9e37_79b9_7f4a_7c15, 0xbf58_476d_1ce4_e5b9, 0x94d0_49bb_1331_11eb, 0xd6e8_feb8_6659_fd93];

impl EventIds {
    /// Ids of the region with this random number.
    pub(crate) fn new(region: u64) -> Self {
        Self { region: region & MASK }
    }

    /// The id of an event.
    pub(crate) fn id(self, sequence: u64) -> String {
        let (mut left, mut right) = (sequence & MASK, self.region);
        for key in ROUNDS {
            (left, right) = (right, left ^ mix(right, key));
        }
        let all = (u128::from(left) << HALF) | u128::from(right);
        // 48 bits, the version, 12 bits, the variant, 62 bits.
        let (a, b, c) = (all >> 74, (all >> 62) & 0xfff, all & ((1 << 62) - 1));
        let c = c | (0b10 << 62);
        format!("{:08x}-{:04x}-4{b:03x}-{:04x}-{:012x}", a >> 16, a & 0xffff, c >> 48, c & 0xffff_ffff_ffff)
    }

    /// The sequence number in an id of this region.
    pub(crate) fn sequence(self, id: &str) -> Option<u64> {
        let parts: Vec<&str> = id.split('-').collect();
        if id.len() != 36 || !parts.iter().map(|part| part.len()).eq([8, 4, 4, 4, 12]) {
            return None;
        }
        let all = u128::from_str_radix(&parts.concat(), 16).ok()?;
        let (a, b, c) = (all >> 80, (all >> 64) & 0xfff, all & ((1 << 62) - 1));
        let all = (a << 74) | (b << 62) | c;
        let (mut left, mut right) = ((all >> HALF) as u64 & MASK, all as u64 & MASK);
        for key in ROUNDS.iter().rev() {
            (left, right) = (right ^ mix(left, *key), left);
        }
        (right == self.region && self.id(left) == id.to_ascii_lowercase()).then_some(left)
    }
}

/// The round function: any function will do, a good one spreads every bit.
fn mix(value: u64, key: u64) -> u64 {
    let mut z = value.wrapping_add(key);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (z ^ (z >> 31)) & MASK
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn ids_give_the_place_back(region: u64, sequence in 0..=MASK) {
            let ids = EventIds::new(region);
            let id = ids.id(sequence);
            prop_assert_eq!(id.len(), 36);
            prop_assert_eq!(ids.sequence(&id), Some(sequence));
            prop_assert_eq!(ids.sequence(&id.to_uppercase()), Some(sequence));
            prop_assert_eq!(EventIds::new(region ^ 1).sequence(&id), None);
        }

        #[test]
        fn other_texts_are_no_ids(text in ".{0,40}") {
            prop_assert_eq!(EventIds::new(7).sequence(&text), None);
        }
    }

    #[test]
    fn ids_look_random() {
        let ids = EventIds::new(42);
        let (first, second) = (ids.id(1), ids.id(2));
        assert_ne!(first[..8], second[..8]);
        assert_eq!(&first[14..15], "4");
        assert!("89ab".contains(&first[19..20]));
    }
}
