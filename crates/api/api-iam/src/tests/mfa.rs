//! Virtual MFA devices.

use super::*;
use crate::shapes::*;
use access::{code_of, step_at};
use data_encoding::BASE32_NOPAD;
use std::time::Duration;

const SERIAL: &str = "arn:aws:iam::123456789012:mfa/phone";

/// Makes a device and returns its seed.
async fn device(service: &IamService, context: &RequestContext, name: &str) -> Vec<u8> {
    let input = CreateVirtualMFADeviceRequest {
        virtual_mfa_device_name: name.into(),
        ..CreateVirtualMFADeviceRequest::default()
    };
    let made = service.create_virtual_mfa_device(context, input).await.expect("creates").virtual_mfa_device;
    assert!(made.qr_code_png.expect("is shown").starts_with(b"\x89PNG"));
    let seed = made.base32_string_seed.expect("is shown");
    assert_eq!(seed.len(), 64);
    BASE32_NOPAD.decode(&seed).expect("is Base32")
}

fn codes(seed: &[u8], context: &RequestContext, first: i64) -> [String; 2] {
    let step = step_at(context.time).saturating_add_signed(first);
    [code_of(seed, step), code_of(seed, step + 1)]
}

async fn enable(
    service: &IamService,
    context: &RequestContext,
    serial: &str,
    [first, second]: [String; 2],
) -> Result<(), ServiceError> {
    let input = EnableMFADeviceRequest {
        user_name: "ann".into(),
        serial_number: serial.into(),
        authentication_code1: first,
        authentication_code2: second,
    };
    service.enable_mfa_device(context, input).await
}

async fn listed(service: &IamService, context: &RequestContext) -> Vec<String> {
    let input = ListMFADevicesRequest { user_name: Some("ann".into()), ..ListMFADevicesRequest::default() };
    let list = service.list_mfa_devices(context, input).await.expect("lists").mfa_devices;
    list.into_iter().map(|device| device.serial_number).collect()
}

#[tokio::test]
async fn a_device_is_enabled_with_two_codes_in_a_row() {
    let (service, context) = fixture();
    user(&service, &context, "ann").await;
    let seed = device(&service, &context, "phone").await;
    let again = CreateVirtualMFADeviceRequest {
        virtual_mfa_device_name: "Phone".into(),
        ..CreateVirtualMFADeviceRequest::default()
    };
    assert_eq!(code(service.create_virtual_mfa_device(&context, again).await), "EntityAlreadyExists");
    let elsewhere = CreateVirtualMFADeviceRequest {
        virtual_mfa_device_name: "phone".into(),
        path: Some("/team/".into()),
        ..CreateVirtualMFADeviceRequest::default()
    };
    let made = service.create_virtual_mfa_device(&context, elsewhere).await.expect("creates");
    assert_eq!(made.virtual_mfa_device.serial_number, "arn:aws:iam::123456789012:mfa/team/phone");
    let [first, second] = codes(&seed, &context, -1);
    for wrong in [
        [first.clone(), first.clone()],
        [second.clone(), first.clone()],
        [first.clone(), codes(&seed, &context, 1)[0].clone()],
        codes(&seed, &context, 30),
    ] {
        assert_eq!(
            refused(enable(&service, &context, SERIAL, wrong).await),
            ("InvalidAuthenticationCode", "Authentication code for device is not valid.".to_owned())
        );
    }
    assert_eq!(
        refused(
            enable(&service, &context, "arn:aws:iam::123456789012:mfa/x", [first.clone(), second.clone()])
                .await
        ),
        (
            "NoSuchEntity",
            "VirtualMFADevice with serial number arn:aws:iam::123456789012:mfa/x doesn't exist.".to_owned()
        )
    );
    enable(&service, &context, SERIAL, [first.clone(), second.clone()]).await.expect("enables");
    assert_eq!(listed(&service, &context).await, [SERIAL]);
    assert_eq!(code(enable(&service, &context, SERIAL, [first, second]).await), "EntityAlreadyExists");
    // Renaming the user changes nothing.
    let rename =
        UpdateUserRequest { user_name: "ann".into(), new_user_name: Some("bea".into()), new_path: None };
    service.update_user(&context, rename).await.expect("renames");
    let get = GetMFADeviceRequest { serial_number: SERIAL.into(), user_name: None };
    let shown = service.get_mfa_device(&context, get).await.expect("reads");
    assert_eq!(shown.user_name.as_deref(), Some("bea"));
    let list = ListVirtualMFADevicesRequest {
        assignment_status: Some(AssignmentStatusType::Assigned),
        ..ListVirtualMFADevicesRequest::default()
    };
    let list = service.list_virtual_mfa_devices(&context, list).await.expect("lists").virtual_mfa_devices;
    assert_eq!(list[0].user.as_ref().map(|user| user.user_name.as_str()), Some("bea"));
    assert!(list[0].base32_string_seed.is_none() && list[0].qr_code_png.is_none(), "shown once");
}

#[tokio::test]
async fn a_device_in_use_stays_and_its_codes_are_not_used_twice() {
    let (service, mut context) = fixture();
    user(&service, &context, "ann").await;
    let seed = device(&service, &context, "phone").await;
    let pair = codes(&seed, &context, 0);
    enable(&service, &context, SERIAL, pair.clone()).await.expect("enables");
    let delete = || DeleteVirtualMFADeviceRequest { serial_number: SERIAL.into() };
    assert_eq!(code(service.delete_virtual_mfa_device(&context, delete()).await), "DeleteConflict");
    let gone = DeleteUserRequest { user_name: "ann".into() };
    assert_eq!(
        refused(service.delete_user(&context, gone.clone()).await).1,
        "Cannot delete entity, must delete MFA device first."
    );
    let summary = service.get_account_summary(&context, ()).await.expect("sums").summary_map.expect("a map");
    assert_eq!((summary["MFADevices"], summary["MFADevicesInUse"]), (1, 1));
    let resync = |pair: [String; 2]| {
        let [first, second] = pair;
        ResyncMFADeviceRequest {
            user_name: "ann".into(),
            serial_number: SERIAL.into(),
            authentication_code1: first,
            authentication_code2: second,
        }
    };
    let used = service.resync_mfa_device(&context, resync(pair)).await;
    assert_eq!(code(used), "InvalidAuthenticationCode");
    // The clock of the phone is twenty minutes ahead.
    let ahead = codes(&seed, &context, 40);
    service.resync_mfa_device(&context, resync(ahead)).await.expect("resynchronizes");
    context.time = context.time + Duration::from_secs(60);
    let row = crate::operations::mfa_devices::find(&service, &context, SERIAL).await.expect("is there");
    assert_eq!(row.drift, 41);
    let deactivate =
        || DeactivateMFADeviceRequest { user_name: Some("ann".into()), serial_number: SERIAL.into() };
    service.deactivate_mfa_device(&context, deactivate()).await.expect("deactivates");
    assert_eq!(code(service.deactivate_mfa_device(&context, deactivate()).await), "NoSuchEntity");
    assert!(listed(&service, &context).await.is_empty());
    service.delete_virtual_mfa_device(&context, delete()).await.expect("deletes");
    service.delete_user(&context, gone).await.expect("deletes");
}

#[tokio::test]
async fn seeds_are_sealed() {
    let (service, context) = fixture();
    let seed = device(&service, &context, "phone").await;
    let row = crate::operations::mfa_devices::find(&service, &context, SERIAL).await.expect("is there");
    assert_eq!(access::open_seed(&service.keys, &row).expect("opens").as_slice(), seed);
    let stored = serde_json::to_string(&*row.value).expect("has a form");
    assert!(!stored.contains(&BASE32_NOPAD.encode(&seed)) && !stored.contains(&format!("{seed:?}")));
}
