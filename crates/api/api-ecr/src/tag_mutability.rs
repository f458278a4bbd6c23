//! Whether tags may be moved: between what is stored and what is shown, with the rules for exclusion filters.

use crate::errors::invalid;
use crate::shapes::{
    ImageTagMutability, ImageTagMutabilityExclusionFilter,
    ImageTagMutabilityExclusionFilterType as FilterType,
};
use aws_wire::ServiceError;
use resources::ecr::TagMutability;

/// Most `*` in a filter.
const MOST_WILDCARDS: usize = 2;

/// Reads a setting and its filters.
pub(crate) fn read(
    setting: ImageTagMutability,
    filters: Option<Vec<ImageTagMutabilityExclusionFilter>>,
) -> Result<(TagMutability, Vec<String>), ServiceError> {
    let filters: Vec<String> = filters.into_iter().flatten().map(|filter| filter.filter).collect();
    let setting = match setting {
        ImageTagMutability::Mutable => TagMutability::Mutable,
        ImageTagMutability::Immutable => TagMutability::Immutable,
        ImageTagMutability::MutableWithExclusion => TagMutability::MutableWithExclusion,
        ImageTagMutability::ImmutableWithExclusion => TagMutability::ImmutableWithExclusion,
    };
    let excludes =
        matches!(setting, TagMutability::MutableWithExclusion | TagMutability::ImmutableWithExclusion);
    if excludes && filters.is_empty() {
        return Err(invalid(
            "Invalid parameter at 'imageTagMutabilityExclusionFilters' failed to satisfy constraint: 'exclusion \
             filters are required when image tag mutability is IMMUTABLE_WITH_EXCLUSION or MUTABLE_WITH_EXCLUSION'",
        ));
    }
    if !excludes && !filters.is_empty() {
        return Err(invalid(
            "Invalid parameter at 'imageTagMutabilityExclusionFilters' failed to satisfy constraint: 'exclusion \
             filters can only be used when image tag mutability is IMMUTABLE_WITH_EXCLUSION or \
             MUTABLE_WITH_EXCLUSION'",
        ));
    }
    if filters.iter().any(|filter| filter.matches('*').count() > MOST_WILDCARDS) {
        return Err(invalid(format!(
            "Invalid parameter at 'imageTagMutabilityExclusionFilters' failed to satisfy constraint: 'a filter can \
             contain a maximum of {MOST_WILDCARDS} wildcards (*)'"
        )));
    }
    Ok((setting, filters))
}

/// The setting as the API shows it.
pub(crate) fn show(setting: TagMutability) -> ImageTagMutability {
    match setting {
        TagMutability::Mutable => ImageTagMutability::Mutable,
        TagMutability::Immutable => ImageTagMutability::Immutable,
        TagMutability::MutableWithExclusion => ImageTagMutability::MutableWithExclusion,
        TagMutability::ImmutableWithExclusion => ImageTagMutability::ImmutableWithExclusion,
    }
}

/// The filters as the API shows them.
pub(crate) fn show_filters(filters: &[String]) -> Option<Vec<ImageTagMutabilityExclusionFilter>> {
    let shown = filters.iter().map(|filter| ImageTagMutabilityExclusionFilter {
        filter: filter.clone(),
        filter_type: FilterType::Wildcard,
    });
    (!filters.is_empty()).then(|| shown.collect())
}
