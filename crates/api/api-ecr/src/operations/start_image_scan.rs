//! StartImageScan.

use crate::EcrService;
use crate::errors::store;
use crate::shapes::{ImageScanStatus, ScanStatus, StartImageScanRequest, StartImageScanResponse, errors};
use aws_wire::{RequestContext, ServiceError};
use resources::Stored;
use resources::ecr::{self, ImageScan};
use std::time::Duration;
use store::StoreError;

/// Time in which an image is scanned once by request, while no other data comes.
const ONCE: Duration = Duration::from_secs(24 * 3600);

pub(crate) async fn run(
    service: &EcrService,
    context: &RequestContext,
    input: StartImageScanRequest,
) -> Result<StartImageScanResponse, ServiceError> {
    let repository =
        service.repository(context, input.registry_id.as_deref(), &input.repository_name).await?;
    let (image, id, _) = service.image_to_scan(&repository, &input.image_id).await?;
    if image.is_archived() {
        let text = "The image is archived. Restore it before it is scanned.";
        return Err(ServiceError::new(&errors::IMAGE_ARCHIVED_EXCEPTION, text));
    }
    if !image.is_scannable() {
        let text = "The image is of a type that cannot be scanned: only container images can, not indexes and artifacts.";
        return Err(ServiceError::new(&errors::UNSUPPORTED_IMAGE_TYPE_EXCEPTION, text));
    }
    let generation = service.data_generation().await?;
    let asked = |old: &ImageScan| -> Result<Option<ImageScan>, Refusal> {
        // The same data would say the same; AWS refuses a second scan within a day whatever happened.
        let lately = old.manual_at.is_some_and(|at| context.time.since(at) < ONCE);
        if lately && (old.is_due() || old.tried_with == generation) {
            return Err(Refusal::Quota);
        }
        let (requested_at, manual_at) = (context.time, Some(context.time));
        Ok(Some(ImageScan { requested_at, manual_at, status: ecr::ScanStatus::InProgress, ..old.clone() }))
    };
    let first = ImageScan {
        manual_at: Some(context.time),
        status: ecr::ScanStatus::InProgress,
        ..ImageScan::new(&image, context.time)
    };
    let key = first.key();
    let updated = match service.tables.update::<ImageScan, Refusal>(&key, asked).await {
        Ok(Some(_)) => Ok(()),
        Ok(None) => match service.tables.create(first).await {
            // Another request, or the push, came first.
            Err(StoreError::AlreadyExists(_)) => {
                service.tables.update::<ImageScan, Refusal>(&key, asked).await.map(drop)
            }
            created => created.map(drop).map_err(Refusal::Store),
        },
        Err(error) => Err(error),
    };
    updated.map_err(Refusal::error)?;
    Ok(StartImageScanResponse {
        registry_id: Some(repository.account.to_string()),
        repository_name: Some(repository.name.clone()),
        image_id: Some(id),
        image_scan_status: Some(ImageScanStatus { status: Some(ScanStatus::InProgress), description: None }),
    })
}

enum Refusal {
    Quota,
    Store(StoreError),
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl Refusal {
    fn error(self) -> ServiceError {
        match self {
            Self::Quota => ServiceError::new(
                &errors::LIMIT_EXCEEDED_EXCEPTION,
                "The scan quota per image has been exceeded. Wait and try again.",
            ),
            Self::Store(error) => store(error),
        }
    }
}
