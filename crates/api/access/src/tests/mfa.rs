//! Codes of MFA devices at the door.

use super::*;
use crate::mfa::{MfaError, code_of, step_at};
use resources::iam::{MfaDevice, MfaUser};
use resources::sealed::{SealedText, Sealing};

const SERIAL: &str = "arn:aws:iam::123456789012:mfa/phone";
const SEED: &[u8] = b"12345678901234567890";

/// A user with a device.
async fn with_device(region: &Region) -> Caller {
    let (user, key) = region.user("ci", "").await;
    let now = region.tables.environment().now();
    let device = MfaDevice {
        account: account(),
        name: "phone".into(),
        path: "/".into(),
        sealed: SealedText::new(String::new()),
        user: Some(MfaUser { id: user.id, enabled_at: now }),
        drift: 0,
        last_step: 0,
        wrong: 0,
        wrong_at: Timestamp::default(),
        tags: vec![],
        created_at: now,
    };
    let sealed = SealedText::new(region.access.keys.seal(&device.purpose(), SEED));
    region.tables.create(MfaDevice { sealed, ..device }).await.expect("creates");
    region.caller(&key).await
}

fn code(region: &Region, steps: i64) -> String {
    code_of(SEED, step_at(region.tables.environment().now()).saturating_add_signed(steps))
}

#[tokio::test]
async fn a_code_is_taken_once_and_near_to_its_time() {
    let region = Region::new();
    let caller = with_device(&region).await;
    let take = |code: String| {
        let (access, caller) = (region.access.clone(), caller.clone());
        async move { access.use_mfa(&caller, SERIAL, &code).await.is_ok() }
    };
    assert!(!take(code(&region, -2)).await && !take(code(&region, 2)).await, "far off");
    assert!(take(code(&region, 0)).await);
    assert!(!take(code(&region, 0)).await, "twice");
    assert!(!take(code(&region, -1)).await, "older than the last one");
    assert!(take(code(&region, 1)).await, "the clock of the phone is ahead");
    let racing = (0..20).map(|_| tokio::spawn(take(code(&region, 1)))).collect::<Vec<_>>();
    for one in racing {
        assert!(!one.await.expect("joins"));
    }
}

#[tokio::test]
async fn of_many_who_show_a_code_one_is_let_in() {
    let region = Region::new();
    let caller = with_device(&region).await;
    let right = code(&region, 0);
    let racing = (0..20)
        .map(|_| {
            let (access, caller, right) = (region.access.clone(), caller.clone(), right.clone());
            tokio::spawn(async move { access.use_mfa(&caller, SERIAL, &right).await.is_ok() })
        })
        .collect::<Vec<_>>();
    let mut taken = 0;
    for one in racing {
        taken += usize::from(one.await.expect("joins"));
    }
    assert_eq!(taken, 1);
}

#[tokio::test]
async fn guessing_is_slow() {
    let region = Region::new();
    let caller = with_device(&region).await;
    let wrong = code(&region, 1_000);
    for _ in 0..5 {
        let refused = region.access.use_mfa(&caller, SERIAL, &wrong).await.expect_err("is wrong");
        assert!(matches!(refused, MfaError::WrongCode));
    }
    assert!(region.access.use_mfa(&caller, SERIAL, &code(&region, 0)).await.is_err(), "it pauses");
    region.clock.advance(Duration::from_secs(30));
    region.access.use_mfa(&caller, SERIAL, &code(&region, 0)).await.expect("takes it");
    assert!(region.access.use_mfa(&caller, SERIAL, &wrong).await.is_err());
    region
        .access
        .use_mfa(&caller, SERIAL, &code(&region, 1))
        .await
        .expect("a right code forgives wrong ones");
}

#[tokio::test]
async fn a_device_is_good_for_its_user_alone() {
    let region = Region::new();
    let caller = with_device(&region).await;
    let (_, key) = region.user("other", "").await;
    let other = region.caller(&key).await;
    for (who, serial) in [
        (&other, SERIAL),
        (&Caller::root(&account()), SERIAL),
        (&caller, "arn:aws:iam::123456789012:mfa/none"),
        (&caller, "arn:aws:iam::123456789012:mfa/path/phone"),
        (&caller, "GAHT12345678"),
    ] {
        let refused = region.access.use_mfa(who, serial, &code(&region, 0)).await.expect_err("is not theirs");
        assert!(matches!(refused, MfaError::NoDevice), "{serial}");
    }
}
