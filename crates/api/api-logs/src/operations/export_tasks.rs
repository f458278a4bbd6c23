//! CreateExportTask, DescribeExportTasks and CancelExportTask.
//!
//! An export writes into a bucket of S3, which a region does not serve: no bucket exists.

use crate::LogsService;
use crate::errors::invalid;
use crate::shapes::errors::RESOURCE_NOT_FOUND_EXCEPTION;
use crate::shapes::{
    CancelExportTaskRequest, CreateExportTaskRequest, CreateExportTaskResponse, DescribeExportTasksRequest,
    DescribeExportTasksResponse,
};
use aws_wire::{RequestContext, ServiceError};

/// Refuses the export: its bucket does not exist.
pub async fn create(
    service: &LogsService,
    context: &RequestContext,
    input: CreateExportTaskRequest,
) -> Result<CreateExportTaskResponse, ServiceError> {
    service.require_group(context, &input.log_group_name).await?;
    Err(invalid("The given bucket does not exist. Please make sure the bucket is valid."))
}

/// There is no task.
pub async fn describe(
    _: &LogsService,
    _: &RequestContext,
    input: DescribeExportTasksRequest,
) -> Result<DescribeExportTasksResponse, ServiceError> {
    match input.task_id {
        Some(_) => Err(no_task()),
        None => Ok(DescribeExportTasksResponse { export_tasks: Some(vec![]), next_token: None }),
    }
}

/// There is no task to cancel.
pub async fn cancel(
    _: &LogsService,
    _: &RequestContext,
    _: CancelExportTaskRequest,
) -> Result<(), ServiceError> {
    Err(no_task())
}

fn no_task() -> ServiceError {
    ServiceError::new(&RESOURCE_NOT_FOUND_EXCEPTION, "The specified export task does not exist.")
}
