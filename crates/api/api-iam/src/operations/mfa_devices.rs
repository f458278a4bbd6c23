//! Virtual MFA devices: Create, Enable, Resync, Deactivate, Delete, Get, the lists, and their tags.

use crate::entities::now;
use crate::errors::{Failure, already_exists, delete_conflict, no_such_entity, other, over_quota};
use crate::paging::Paging;
use crate::retry::retrying;
use crate::shapes::{
    AssignmentStatusType, CreateVirtualMFADeviceRequest, CreateVirtualMFADeviceResponse,
    DeactivateMFADeviceRequest, DeleteVirtualMFADeviceRequest, EnableMFADeviceRequest, GetMFADeviceRequest,
    GetMFADeviceResponse, ListMFADevicesRequest, ListMFADevicesResponse, ListVirtualMFADevicesRequest,
    ListVirtualMFADevicesResponse, MFADevice as Enabled, ResyncMFADeviceRequest, VirtualMFADevice, errors,
};
use crate::{IamService, qr_code, quotas, render, tags};
use access::{find_codes, open_seed, step_at};
use aws_wire::RequestContext;
use data_encoding::BASE32_NOPAD;
use environment::Timestamp;
use resources::Stored;
use resources::iam::{MfaDevice, MfaUser, UniqueId, User, key_of, rows_of};
use resources::sealed::{SealedText, Sealing};
use store::Versioned;
use zeroize::Zeroizing;

/// Bytes of a seed: as many as Base32 writes with 64 characters.
const SEED_BYTES: usize = 40;
/// Steps around now that the two codes which enable a device may be of: they are typed one after the other.
const ENABLING: u64 = 4;
/// The same when a device whose clock has gone astray is to be set right: an hour.
const RESYNCING: u64 = 120;

pub(crate) async fn create_virtual_mfa_device(
    service: &IamService,
    context: &RequestContext,
    input: CreateVirtualMFADeviceRequest,
) -> Result<CreateVirtualMFADeviceResponse, Failure> {
    let mut seed = Zeroizing::new([0; SEED_BYTES]);
    service.environment().fill_random(&mut *seed);
    let device = MfaDevice {
        account: context.account.clone(),
        name: input.virtual_mfa_device_name,
        path: input.path.unwrap_or_else(|| "/".to_owned()),
        sealed: SealedText::new(String::new()),
        user: None,
        drift: 0,
        last_step: 0,
        wrong: 0,
        wrong_at: Timestamp::default(),
        tags: tags::new(input.tags)?,
        created_at: now(context),
    };
    let sealed = SealedText::new(service.keys.seal(&device.purpose(), &*seed));
    let device = MfaDevice { sealed, ..device };
    let quota = ("MFADevicesPerAccount", quotas::MFA_DEVICES);
    if !service.create_counted(&context.account, &device, quota).await? {
        return Err(already_exists("MFADevice entity at the same path and name already exists."));
    }
    // The one time that the seed is shown.
    let text = Zeroizing::new(BASE32_NOPAD.encode(&*seed));
    let url = format!("otpauth://totp/{}@{}?secret={}", device.name, context.account, &*text);
    Ok(CreateVirtualMFADeviceResponse {
        virtual_mfa_device: VirtualMFADevice {
            base32_string_seed: Some(text.as_bytes().to_vec()),
            enable_date: None,
            qr_code_png: qr_code::png(&Zeroizing::new(url)),
            serial_number: device.arn(),
            tags: tags::shown_if_any(&device.tags),
            user: None,
        },
    })
}

pub(crate) async fn enable_mfa_device(
    service: &IamService,
    context: &RequestContext,
    input: EnableMFADeviceRequest,
) -> Result<(), Failure> {
    retrying!(enable(service, context, &input))
}

async fn enable(
    service: &IamService,
    context: &RequestContext,
    input: &EnableMFADeviceRequest,
) -> Result<(), Failure> {
    let user = service.find::<User>(context, &input.user_name).await?;
    let device = find(service, context, &input.serial_number).await?;
    if device.user.is_some() {
        return Err(already_exists("MFA device is already in use."));
    }
    if user.mfa_devices.len() >= quotas::MFA_DEVICES_PER_USER {
        return Err(over_quota("MFADevicesPerUser", quotas::MFA_DEVICES_PER_USER));
    }
    let codes = [input.authentication_code1.as_str(), input.authentication_code2.as_str()];
    let (step, drift) = synchronized(service, context, &device, codes, ENABLING)?;
    let owner = MfaUser { id: user.id.clone(), enabled_at: now(context) };
    let enabled = MfaDevice { user: Some(owner), drift, last_step: step, ..MfaDevice::clone(&device) };
    let mut with_device = User::clone(&user);
    with_device.mfa_devices.push(device.arn());
    let batch = service.tables.batch().replace(&device, &enabled).replace(&user, &with_device);
    batch.put_any(&UniqueId::from(&*user.value)).commit().await?;
    Ok(())
}

pub(crate) async fn resync_mfa_device(
    service: &IamService,
    context: &RequestContext,
    input: ResyncMFADeviceRequest,
) -> Result<(), Failure> {
    let user = service.find::<User>(context, &input.user_name).await?;
    let device = find_of(service, context, &user, &input.serial_number).await?;
    let codes = [input.authentication_code1.as_str(), input.authentication_code2.as_str()];
    let (last_step, drift) = synchronized(service, context, &device, codes, RESYNCING)?;
    let right = MfaDevice { drift, last_step, wrong: 0, ..MfaDevice::clone(&device) };
    service.tables.replace(&device, right).await?;
    Ok(())
}

/// The step of the second of two codes, and how far ahead that is of now.
fn synchronized(
    service: &IamService,
    context: &RequestContext,
    device: &MfaDevice,
    codes: [&str; 2],
    reach: u64,
) -> Result<(u64, i64), Failure> {
    let seed = open_seed(&service.keys, device)
        .map_err(|error| store::StoreError::Unreadable { key: device.arn(), reason: error.to_string() })?;
    let around = step_at(context.time);
    let first = find_codes(&seed, &codes, around, reach, device.last_step);
    let second = first.map(|first| first + 1).ok_or_else(|| {
        other(&errors::INVALID_AUTHENTICATION_CODE_EXCEPTION, "Authentication code for device is not valid.")
    })?;
    // The second code is the one that the device shows now, if its clock is right or the user a little slow.
    let drift = i64::try_from(second).unwrap_or_default() - i64::try_from(around).unwrap_or_default();
    Ok((second, if drift.abs() <= 1 { 0 } else { drift }))
}

pub(crate) async fn deactivate_mfa_device(
    service: &IamService,
    context: &RequestContext,
    input: DeactivateMFADeviceRequest,
) -> Result<(), Failure> {
    retrying!(deactivate(service, context, &input))
}

async fn deactivate(
    service: &IamService,
    context: &RequestContext,
    input: &DeactivateMFADeviceRequest,
) -> Result<(), Failure> {
    let user = service.user_or_caller(context, input.user_name.as_deref()).await?;
    let device = find_of(service, context, &user, &input.serial_number).await?;
    let free = MfaDevice { user: None, ..MfaDevice::clone(&device) };
    let mut without = User::clone(&user);
    without.mfa_devices.retain(|serial| *serial != input.serial_number);
    service.tables.batch().replace(&device, &free).replace(&user, &without).commit().await?;
    Ok(())
}

pub(crate) async fn delete_virtual_mfa_device(
    service: &IamService,
    context: &RequestContext,
    input: DeleteVirtualMFADeviceRequest,
) -> Result<(), Failure> {
    let device = find(service, context, &input.serial_number).await?;
    if device.user.is_some() {
        return Err(delete_conflict("MFA VirtualDevice in use. Must deactivate first."));
    }
    service.tables.delete(&device).await?;
    Ok(())
}

pub(crate) async fn get_mfa_device(
    service: &IamService,
    context: &RequestContext,
    input: GetMFADeviceRequest,
) -> Result<GetMFADeviceResponse, Failure> {
    let device = match &input.user_name {
        Some(name) => {
            let user = service.find::<User>(context, name).await?;
            find_of(service, context, &user, &input.serial_number).await?
        }
        None => find(service, context, &input.serial_number).await?,
    };
    let user = owner(service, &device).await?;
    Ok(GetMFADeviceResponse {
        certifications: None,
        enable_date: device.user.as_ref().map(|user| user.enabled_at),
        serial_number: device.arn(),
        user_name: user.map(|user| user.name.clone()),
    })
}

pub(crate) async fn list_mfa_devices(
    service: &IamService,
    context: &RequestContext,
    input: ListMFADevicesRequest,
) -> Result<ListMFADevicesResponse, Failure> {
    let paging = Paging::new(input.marker.as_deref(), input.max_items)?;
    if input.user_name.is_none() && crate::entities::is_root(context) {
        // The root has no device: none can be enabled for it with a call.
        return Ok(ListMFADevicesResponse { mfa_devices: vec![], is_truncated: Some(false), marker: None });
    }
    let user = service.user_or_caller(context, input.user_name.as_deref()).await?;
    let keys: Vec<String> =
        user.mfa_devices.iter().filter_map(|serial| MfaDevice::key_of(&user.account, serial)).collect();
    let rows = service.tables.get_many::<MfaDevice>(&keys).await?.into_iter().flatten().collect();
    let part = paging.cut_in_order(rows).map(|device: Versioned<MfaDevice>| Enabled {
        enable_date: device.user.as_ref().map(|user| user.enabled_at).unwrap_or_default(),
        serial_number: device.arn(),
        user_name: user.name.clone(),
    });
    Ok(ListMFADevicesResponse {
        mfa_devices: part.items,
        is_truncated: part.is_truncated,
        marker: part.marker,
    })
}

pub(crate) async fn list_virtual_mfa_devices(
    service: &IamService,
    context: &RequestContext,
    input: ListVirtualMFADevicesRequest,
) -> Result<ListVirtualMFADevicesResponse, Failure> {
    let paging = Paging::new(input.marker.as_deref(), input.max_items)?;
    let wanted = input.assignment_status.unwrap_or(AssignmentStatusType::Any);
    let rows = service.tables.list_all::<MfaDevice>(&rows_of(&context.account)).await?;
    let rows = rows.into_iter().filter(|device| match wanted {
        AssignmentStatusType::Assigned => device.user.is_some(),
        AssignmentStatusType::Unassigned => device.user.is_none(),
        AssignmentStatusType::Any => true,
    });
    let part = paging.cut(rows, |device| device.key());
    let mut devices = Vec::with_capacity(part.items.len());
    for device in &part.items {
        devices.push(VirtualMFADevice {
            base32_string_seed: None,
            enable_date: device.user.as_ref().map(|user| user.enabled_at),
            qr_code_png: None,
            serial_number: device.arn(),
            tags: None,
            user: owner(service, device).await?.map(|user| render::user_in_list(&user)),
        });
    }
    Ok(ListVirtualMFADevicesResponse {
        virtual_mfa_devices: devices,
        is_truncated: part.is_truncated,
        marker: part.marker,
    })
}

/// A device of the caller's account by its serial number.
pub(crate) async fn find(
    service: &IamService,
    context: &RequestContext,
    serial: &str,
) -> Result<Versioned<MfaDevice>, Failure> {
    let found = match MfaDevice::key_of(&context.account, serial) {
        Some(key) => service.tables.get::<MfaDevice>(&key).await?,
        None => None,
    };
    found.filter(|device| device.arn() == serial).ok_or_else(|| {
        no_such_entity(format_args!("VirtualMFADevice with serial number {serial} doesn't exist."))
    })
}

/// A device that is enabled for a user.
async fn find_of(
    service: &IamService,
    context: &RequestContext,
    user: &User,
    serial: &str,
) -> Result<Versioned<MfaDevice>, Failure> {
    let device = find(service, context, serial).await?;
    if device.user.as_ref().is_some_and(|owner| owner.id == user.id) {
        return Ok(device);
    }
    Err(no_such_entity(format_args!(
        "The MFA Device with serial number {serial} is not associated with user {}.",
        user.name
    )))
}

/// The user that a device is enabled for.
async fn owner(service: &IamService, device: &MfaDevice) -> Result<Option<Versioned<User>>, Failure> {
    let Some(user) = &device.user else { return Ok(None) };
    let Some(id) = service.tables.get::<UniqueId>(&user.id).await? else { return Ok(None) };
    Ok(service.tables.get::<User>(&key_of(&id.account, &id.name)).await?)
}
