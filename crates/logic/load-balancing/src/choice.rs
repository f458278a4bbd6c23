//! Which target gets a request, and which target group.

use crate::Algorithm;
use std::net::SocketAddr;
use std::time::Duration;

/// A target that may get the request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Candidate {
    /// Which part of a full share it gets: 1, or less while it starts slowly.
    pub share: f32,
    /// Requests in progress.
    pub outstanding: u64,
}

/// Smallest share of a target that starts slowly, so that it gets anything at all.
const SMALLEST_SHARE: f32 = 0.01;

/// Chooses among the `count` targets of a list. `candidate` says of each what it is, or nothing when it must not be
/// chosen (it has just refused this very request). `turn` is one more at each request of the group.
pub fn choose(
    algorithm: Algorithm,
    turn: u64,
    count: usize,
    candidate: impl Fn(usize) -> Option<Candidate>,
) -> Option<usize> {
    if count == 0 {
        return None;
    }
    let start = match algorithm {
        Algorithm::WeightedRandom => (mix(turn) % count as u64) as usize,
        Algorithm::RoundRobin | Algorithm::LeastOutstandingRequests => (turn % count as u64) as usize,
    };
    let order = (start..count).chain(0..start);
    match algorithm {
        Algorithm::RoundRobin | Algorithm::WeightedRandom => {
            let mut reserve = None;
            for index in order {
                let Some(Candidate { share, .. }) = candidate(index) else { continue };
                if share >= 1.0 || unit(turn, index) < share {
                    return Some(index);
                }
                reserve = reserve.or(Some(index));
            }
            reserve
        }
        Algorithm::LeastOutstandingRequests => {
            let mut best: Option<(f32, usize)> = None;
            for index in order {
                let Some(Candidate { share, outstanding }) = candidate(index) else { continue };
                let load = (outstanding as f32 + 1.0) / share.max(SMALLEST_SHARE);
                if best.is_none_or(|(least, _)| load < least) {
                    best = Some((load, index));
                }
            }
            best.map(|(_, index)| index)
        }
    }
}

/// Chooses one of several groups by their weights; nothing when all are 0.
pub fn choose_group(turn: u64, weights: impl Iterator<Item = u32> + Clone) -> Option<usize> {
    let total: u64 = weights.clone().map(u64::from).sum();
    let mut left = mix(turn).checked_rem(total)?;
    for (index, weight) in weights.enumerate() {
        if left < u64::from(weight) {
            return Some(index);
        }
        left -= u64::from(weight);
    }
    None
}

/// The share of a target `elapsed` after it began to start slowly: it grows evenly from nothing to 1.
pub fn slow_start_share(elapsed: Duration, duration: Duration) -> f32 {
    if elapsed >= duration {
        return 1.0;
    }
    (elapsed.as_secs_f32() / duration.as_secs_f32()).clamp(SMALLEST_SHARE, 1.0)
}

/// A number of a flow: of its protocol and both ends or, for stickiness by source, of the source's address alone.
pub fn flow_hash(protocol: u8, source: SocketAddr, destination: SocketAddr, by_source_alone: bool) -> u64 {
    let mut hash = 0;
    let mut add = |bytes: &[u8]| {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            hash = mix(hash ^ u64::from_le_bytes(word));
        }
    };
    let mut add_address = |address: SocketAddr| match address.ip().to_canonical() {
        std::net::IpAddr::V4(address) => add(&address.octets()),
        std::net::IpAddr::V6(address) => add(&address.octets()),
    };
    add_address(source);
    if !by_source_alone {
        add_address(destination);
        add(&[protocol]);
        add(&source.port().to_le_bytes());
        add(&destination.port().to_le_bytes());
    }
    hash
}

/// Chooses the target of a flow: of the targets, given by a number each, the one whose number fits the flow best. When
/// a target comes or goes, only flows to or from it change.
pub fn choose_by_flow(flow: u64, targets: impl Iterator<Item = u64>) -> Option<usize> {
    targets.enumerate().max_by_key(|(_, target)| mix(flow ^ *target)).map(|(index, _)| index)
}

/// Spreads a number over all 64 bits (the finalizer of `SplitMix64`).
pub(crate) fn mix(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A number from 0 up to 1 that depends on turn and index.
fn unit(turn: u64, index: usize) -> f32 {
    (mix(mix(turn) ^ index as u64) >> 40) as f32 / (1u64 << 24) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    const FULL: Candidate = Candidate { share: 1.0, outstanding: 0 };

    fn counts(
        algorithm: Algorithm,
        turns: u64,
        count: usize,
        of: impl Fn(usize) -> Option<Candidate>,
    ) -> Vec<u32> {
        let mut counts = vec![0; count];
        for turn in 0..turns {
            if let Some(index) = choose(algorithm, turn, count, &of) {
                counts[index] += 1;
            }
        }
        counts
    }

    #[test]
    fn round_robin_takes_turns() {
        assert_eq!(counts(Algorithm::RoundRobin, 9, 3, |_| Some(FULL)), [3, 3, 3]);
        let order: Vec<_> =
            (0..4).map(|turn| choose(Algorithm::RoundRobin, turn, 3, |_| Some(FULL))).collect();
        assert_eq!(order, [Some(0), Some(1), Some(2), Some(0)]);
        assert_eq!(counts(Algorithm::RoundRobin, 9, 3, |index| (index != 1).then_some(FULL))[1], 0);
        assert_eq!(choose(Algorithm::RoundRobin, 5, 0, |_| Some(FULL)), None);
        assert_eq!(choose(Algorithm::RoundRobin, 5, 3, |_| None), None);
    }

    #[test]
    fn a_target_that_starts_slowly_gets_its_share() {
        let of = |index| Some(Candidate { share: if index == 0 { 0.25 } else { 1.0 }, outstanding: 0 });
        let got = counts(Algorithm::RoundRobin, 10_000, 2, of);
        // Every second turn begins at target 0, and a quarter of those stay there.
        assert!((1_100..1_400).contains(&got[0]), "{got:?}");
        let alone = counts(Algorithm::RoundRobin, 10, 1, |_| Some(Candidate { share: 0.01, outstanding: 0 }));
        assert_eq!(alone, [10], "whoever is alone gets everything");
        let ten = Duration::from_secs(10);
        assert!((slow_start_share(Duration::from_secs(5), ten) - 0.5).abs() < 0.001);
        assert!((slow_start_share(Duration::ZERO, ten) - 0.01).abs() < 0.001);
        assert!((slow_start_share(ten, ten) - 1.0).abs() < f32::EPSILON);
    }

    #[test]
    fn the_least_busy_target_is_taken() {
        let busy = [3, 1, 2];
        let of = |index: usize| Some(Candidate { share: 1.0, outstanding: busy[index] });
        assert!((0..5).all(|turn| choose(Algorithm::LeastOutstandingRequests, turn, 3, of) == Some(1)));
        assert_eq!(counts(Algorithm::LeastOutstandingRequests, 6, 3, |_| Some(FULL)), [2, 2, 2]);
        let slow =
            |index: usize| Some(Candidate { share: if index == 0 { 0.1 } else { 1.0 }, outstanding: 3 });
        assert_eq!(choose(Algorithm::LeastOutstandingRequests, 0, 2, slow), Some(1));
    }

    #[test]
    fn chance_is_even() {
        let got = counts(Algorithm::WeightedRandom, 9_000, 3, |_| Some(FULL));
        assert!(got.iter().all(|count| (2_700..3_300).contains(count)), "{got:?}");
    }

    #[test]
    fn groups_are_chosen_by_weight() {
        let mut counts = [0; 3];
        for turn in 0..10_000 {
            counts[choose_group(turn, [90, 0, 10].into_iter()).expect("is one")] += 1;
        }
        assert!((8_800..9_200).contains(&counts[0]) && counts[1] == 0, "{counts:?}");
        assert_eq!(choose_group(1, [0, 0].into_iter()), None);
        assert_eq!(choose_group(1, [].into_iter()), None);
    }

    #[test]
    fn flows_keep_their_targets() {
        let destination = SocketAddr::from(([127, 0, 0, 1], 80));
        let flow = |port| flow_hash(6, SocketAddr::from(([127, 0, 0, 9], port)), destination, false);
        assert_ne!(flow(1), flow(2));
        let by_source = |port| flow_hash(6, SocketAddr::from(([127, 0, 0, 9], port)), destination, true);
        assert_eq!(by_source(1), by_source(2));
        let (all, fewer) = ([11, 22, 33, 44], [11, 22, 44]);
        let mut moved = 0;
        let mut counts = [0; 4];
        for port in 0..4_000 {
            let before = choose_by_flow(flow(port), all.into_iter()).expect("is one");
            let after = choose_by_flow(flow(port), fewer.into_iter()).expect("is one");
            counts[before] += 1;
            moved += usize::from(all[before] != fewer[after]);
        }
        assert_eq!(moved, counts[2], "only flows of the target that went have moved");
        assert!(counts.iter().all(|count| (800..1_200).contains(count)), "{counts:?}");
    }
}
