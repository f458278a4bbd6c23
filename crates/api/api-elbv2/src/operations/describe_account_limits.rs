//! DescribeAccountLimits.

use crate::errors::Failure;
use crate::shapes::{DescribeAccountLimitsInput, DescribeAccountLimitsOutput, Limit};
use crate::{ElbV2Service, limits, paging};
use aws_wire::RequestContext;

#[expect(clippy::unused_async, reason = "operations are called alike")]
pub(crate) async fn run(
    _service: &ElbV2Service,
    _context: &RequestContext,
    input: DescribeAccountLimitsInput,
) -> Result<DescribeAccountLimitsOutput, Failure> {
    let rows = limits::SHOWN.to_vec();
    let (rows, next_marker) =
        paging::cut(rows, input.marker.as_deref(), input.page_size, |(name, _)| (*name).to_owned())?;
    let limit =
        |(name, most): (&str, usize)| Limit { name: Some(name.to_owned()), max: Some(most.to_string()) };
    Ok(DescribeAccountLimitsOutput { limits: Some(rows.into_iter().map(limit).collect()), next_marker })
}
