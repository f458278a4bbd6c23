//! One-time codes of MFA devices (RFC 6238: SHA-1, six digits, a step of 30 seconds).
//!
//! A code is taken once, and only of a step near to now. Whoever guesses is slowed down: after [`FREE_GUESSES`] wrong
//! codes a device takes one a [`PAUSE`], so that a million codes are out of reach.

use crate::{Access, Caller, CallerKind};
use encryption::{KeyRing, OpenError};
use environment::Timestamp;
use hmac::{Hmac, KeyInit, Mac};
use resources::iam::MfaDevice;
use resources::sealed::Sealing;
use sha1::Sha1;
use std::time::Duration;
use store::{StoreError, Versioned};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// Seconds of a step.
const STEP: u64 = 30;
/// Steps before and after now of which a code is taken, for clocks that are not quite right and slow fingers.
const NEAR: u64 = 1;
/// Wrong codes in a row that cost nothing.
const FREE_GUESSES: u32 = 5;
/// How long a device takes no code after more of them.
const PAUSE: Duration = Duration::from_secs(30);

/// Why a code is not taken.
#[derive(Debug, thiserror::Error)]
pub enum MfaError {
    /// The device is not one of the caller's.
    #[error("the device is not one of the caller's")]
    NoDevice,
    /// The code is wrong, was used, or comes too soon after wrong ones.
    #[error("the code is not taken")]
    WrongCode,
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The seed of a device.
pub fn open_seed(keys: &KeyRing, device: &MfaDevice) -> Result<Zeroizing<Vec<u8>>, OpenError> {
    keys.open(&device.purpose(), device.sealed.as_str())
}

/// The step that a time is in.
pub fn step_at(time: Timestamp) -> u64 {
    u64::try_from(time.as_seconds()).unwrap_or_default() / STEP
}

/// The code of a step, six digits.
pub fn code_of(seed: &[u8], step: u64) -> String {
    // HMAC takes keys of any length.
    let mut mac = Hmac::<Sha1>::new_from_slice(seed).expect("a key of any length");
    mac.update(&step.to_be_bytes());
    let digest = mac.finalize().into_bytes();
    // As RFC 4226 truncates: the last four bits of the twenty bytes say where four bytes lie.
    let begin = usize::from(digest[19] & 0xf);
    let word = digest[begin..begin + 4].iter().fold(0u32, |word, byte| (word << 8) | u32::from(*byte));
    format!("{:06}", (word & 0x7fff_ffff) % 1_000_000)
}

/// The first step near `around` that comes after `after` and begins this row of codes, one for each step.
pub fn find_codes(seed: &[u8], codes: &[&str], around: u64, reach: u64, after: u64) -> Option<u64> {
    let steps = around.saturating_sub(reach).max(after.saturating_add(1))..=around.saturating_add(reach);
    let fits = |step: &u64| {
        let same =
            |(code, step): (&&str, u64)| bool::from(code_of(seed, step).as_bytes().ct_eq(code.as_bytes()));
        codes.iter().zip(*step..).all(same)
    };
    steps.into_iter().find(fits)
}

impl Access {
    /// Takes a code of a caller's device, which is not taken again.
    pub async fn use_mfa(&self, caller: &Caller, serial: &str, code: &str) -> Result<(), MfaError> {
        let device = self.device_of(caller, serial).await?;
        let Some(step) = self.step_of(&device, code)? else { return self.wrong(&device).await };
        let used = MfaDevice { last_step: step, wrong: 0, ..MfaDevice::clone(&device) };
        match self.tables.replace(&device, used).await {
            Ok(_) => Ok(()),
            // Somebody else was quicker, maybe with the same code. Of guesses made at once only the first counts.
            Err(error) if error.is_conflict() => Err(MfaError::WrongCode),
            Err(error) => Err(error.into()),
        }
    }

    /// The device with this serial number, if it is enabled for the calling user.
    async fn device_of(&self, caller: &Caller, serial: &str) -> Result<Versioned<MfaDevice>, MfaError> {
        let CallerKind::User { .. } = &caller.kind else { return Err(MfaError::NoDevice) };
        let key = MfaDevice::key_of(&caller.account, serial).ok_or(MfaError::NoDevice)?;
        let device = self.tables.get::<MfaDevice>(&key).await?;
        let own = |device: &Versioned<MfaDevice>| {
            let user = device.user.as_ref().is_some_and(|user| user.id == *caller.principal_id);
            user && device.arn() == serial
        };
        device.filter(own).ok_or(MfaError::NoDevice)
    }

    /// The step that a code is of, if it may be taken now.
    fn step_of(&self, device: &MfaDevice, code: &str) -> Result<Option<u64>, MfaError> {
        let now = self.environment().now();
        if device.wrong >= FREE_GUESSES && now < device.wrong_at + PAUSE {
            return Ok(None);
        }
        let seed = open_seed(&self.keys, device)
            .map_err(|error| StoreError::Unreadable { key: device.arn(), reason: error.to_string() })?;
        let around = step_at(now).saturating_add_signed(device.drift);
        Ok(find_codes(&seed, &[code], around, NEAR, device.last_step))
    }

    /// Notes a wrong code. While the device pauses nothing is noted, so that it comes to an end.
    async fn wrong(&self, device: &Versioned<MfaDevice>) -> Result<(), MfaError> {
        let now = self.environment().now();
        let note = |old: &MfaDevice| {
            let pauses = old.wrong >= FREE_GUESSES && now < old.wrong_at + PAUSE;
            let noted = || MfaDevice { wrong: old.wrong.saturating_add(1), wrong_at: now, ..old.clone() };
            Ok::<_, StoreError>((!pauses).then(noted))
        };
        self.tables.update(&resources::Stored::key(&**device), note).await?;
        Err(MfaError::WrongCode)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_those_of_the_standard() {
        // RFC 6238, appendix B; the last six of its eight digits.
        let seed = b"12345678901234567890";
        for (seconds, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ] {
            assert_eq!(code_of(seed, step_at(Timestamp::from_seconds(seconds))), code);
        }
    }

    #[test]
    fn codes_are_found_in_their_order_and_after_the_last_one() {
        let seed = b"12345678901234567890";
        let codes: Vec<String> = (100..110).map(|step| code_of(seed, step)).collect();
        let find = |pair: [usize; 2], reach, after| {
            find_codes(seed, &[&codes[pair[0]], &codes[pair[1]]], 105, reach, after)
        };
        assert_eq!(find([4, 5], 1, 0), Some(104));
        assert_eq!(find([5, 4], 5, 0), None, "turned round");
        assert_eq!(find([1, 2], 1, 0), None, "too old");
        assert_eq!(find([1, 2], 5, 0), Some(101));
        assert_eq!(find([4, 5], 1, 104), None, "used");
        assert_eq!(find_codes(seed, &["", "x"], 0, 1, 0), None);
    }
}
