//! The filters of DescribeParameters and GetParametersByPath.

use crate::errors::invalid;
use crate::names::{check_path, is_below};
use crate::render;
use crate::shapes::errors::{INVALID_FILTER_KEY, INVALID_FILTER_OPTION, INVALID_FILTER_VALUE};
use crate::shapes::{ParameterStringFilter, ParametersFilter};
use aws_wire::ServiceError;
use resources::ssm::Parameter;

const TYPES: [&str; 3] = ["String", "StringList", "SecureString"];
const TIERS: [&str; 3] = ["Standard", "Advanced", "Intelligent-Tiering"];

/// Filters that were read; a parameter must pass all of them.
#[derive(Debug, Default)]
pub(crate) struct Filters {
    filters: Vec<Filter>,
    /// Labels of which a version must have one.
    pub(crate) labels: Vec<String>,
}

#[derive(Debug)]
struct Filter {
    key: String,
    option: Comparison,
    values: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparison {
    Equals,
    BeginsWith,
    Contains,
    Recursive,
    OneLevel,
}

impl Filters {
    /// The filters of DescribeParameters.
    pub(crate) fn describe(filters: Vec<ParameterStringFilter>) -> Result<Self, ServiceError> {
        if filters.iter().any(|filter| filter.key == "Label") {
            return Err(wrong_key("Label", "[Path, Name, Type, KeyId, Tier]"));
        }
        refuse_repeated(&filters)?;
        let filters = filters.into_iter().map(Filter::read).collect::<Result<_, _>>()?;
        Ok(Self { filters, labels: vec![] })
    }

    /// The older filters of DescribeParameters.
    pub(crate) fn older(filters: Vec<ParametersFilter>) -> Self {
        let read = |filter: ParametersFilter| Filter {
            key: filter.key.as_str().to_owned(),
            option: Comparison::Equals,
            values: filter.values,
        };
        Self { filters: filters.into_iter().map(read).collect(), labels: vec![] }
    }

    /// The filters of GetParametersByPath.
    pub(crate) fn by_path(filters: Vec<ParameterStringFilter>) -> Result<Self, ServiceError> {
        let known = |key: &str| matches!(key, "Type" | "KeyId" | "Label");
        if let Some(filter) = filters.iter().find(|filter| !known(&filter.key)) {
            return Err(wrong_key(&filter.key, "[Type, KeyId]."));
        }
        refuse_repeated(&filters)?;
        let mut read = Self::default();
        for filter in filters {
            let filter = Filter::read(filter)?;
            if filter.key == "Label" {
                read.labels = filter.values;
            } else {
                read.filters.push(filter);
            }
        }
        Ok(read)
    }

    pub(crate) fn let_through(&self, parameter: &Parameter) -> bool {
        self.filters.iter().all(|filter| filter.lets_through(parameter))
    }
}

impl Filter {
    fn read(filter: ParameterStringFilter) -> Result<Self, ServiceError> {
        let ParameterStringFilter { key, option, values } = filter;
        let values = values.unwrap_or_default();
        if values.is_empty() && !key.starts_with("tag:") {
            return Err(ServiceError::new(
                &INVALID_FILTER_VALUE,
                format!("The following filter values are missing : null for filter key {key}"),
            ));
        }
        let option = comparison(&key, option.as_deref())?;
        match key.as_str() {
            "Type" if option == Comparison::Equals => check_values(&values, &TYPES)?,
            "Tier" => check_values(&values, &TIERS)?,
            "Path" => values.iter().try_for_each(|path| check_filter_path(path))?,
            _ => {}
        }
        Ok(Self { key, option, values })
    }

    fn lets_through(&self, parameter: &Parameter) -> bool {
        let info = &parameter.newest;
        match self.key.as_str() {
            "Name" => self.any(|value| self.fits_name(value, &parameter.name)),
            "Path" => {
                self.any(|value| is_below(value, &parameter.name, self.option == Comparison::Recursive))
            }
            "Type" => self.fits(render::kind(info.kind).as_str()),
            "Tier" => self.fits(render::tier(info.tier).as_str()),
            "DataType" => self.fits(&info.data_type),
            "KeyId" => info.key_id.as_deref().is_some_and(|key| self.fits(key)),
            tag => {
                let key = tag.strip_prefix("tag:").unwrap_or_default();
                let value = parameter.tags.iter().find(|(own, _)| own == key).map(|(_, value)| value);
                value.is_some_and(|value| self.values.is_empty() || self.fits(value))
            }
        }
    }

    fn any(&self, fits: impl Fn(&str) -> bool) -> bool {
        self.values.iter().any(|value| fits(value))
    }

    fn fits(&self, found: &str) -> bool {
        self.any(|value| match self.option {
            Comparison::BeginsWith => found.starts_with(value),
            Comparison::Contains => found.contains(value),
            _ => found == value,
        })
    }

    /// A leading slash distinguishes nothing, but may be asked for.
    fn fits_name(&self, value: &str, name: &str) -> bool {
        let (plain, plain_value) = (name.trim_start_matches('/'), value.trim_start_matches('/'));
        match self.option {
            Comparison::BeginsWith => plain.starts_with(plain_value),
            Comparison::Contains => format!("/{plain}").contains(value),
            _ => plain == plain_value,
        }
    }
}

fn comparison(key: &str, option: Option<&str>) -> Result<Comparison, ServiceError> {
    let wrong = |valid: &str| {
        let option = option.unwrap_or_default();
        let text =
            format!("The following filter option is not valid: {option}. Valid options include: {valid}");
        ServiceError::new(&INVALID_FILTER_OPTION, text)
    };
    match (key, option) {
        ("Path", None | Some("OneLevel")) => Ok(Comparison::OneLevel),
        ("Path", Some("Recursive")) => Ok(Comparison::Recursive),
        ("Path", Some(_)) => Err(wrong("[Recursive, OneLevel]")),
        ("Name", Some("Contains")) => Ok(Comparison::Contains),
        (_, None | Some("Equals")) => Ok(Comparison::Equals),
        (_, Some("BeginsWith")) => Ok(Comparison::BeginsWith),
        _ => Err(wrong("[BeginsWith, Equals].")),
    }
}

fn check_values(values: &[String], valid: &[&str]) -> Result<(), ServiceError> {
    match values.iter().find(|value| !valid.contains(&value.as_str())) {
        None => Ok(()),
        Some(value) => Err(ServiceError::new(
            &INVALID_FILTER_VALUE,
            format!(
                "The following filter value is not valid: {value}. Valid values include: [{}]",
                valid.join(", ")
            ),
        )),
    }
}

fn check_filter_path(path: &str) -> Result<(), ServiceError> {
    let plain = path.trim_start_matches('/').to_ascii_lowercase();
    if plain.starts_with("aws") || plain.starts_with("ssm") {
        return Err(invalid(
            "Filters for common parameters can't be prefixed with \"aws\" or \"ssm\" (case-insensitive). When using global \
             parameters, please specify within a global namespace.",
        ));
    }
    check_path(path)
}

fn refuse_repeated(filters: &[ParameterStringFilter]) -> Result<(), ServiceError> {
    for (index, filter) in filters.iter().enumerate() {
        if filters[..index].iter().any(|before| before.key == filter.key) {
            return Err(ServiceError::new(
                &INVALID_FILTER_KEY,
                format!(
                    "The following filter is duplicated in the request: {}. A request can contain only one occurrence of \
                     a specific filter.",
                    filter.key
                ),
            ));
        }
    }
    Ok(())
}

fn wrong_key(key: &str, valid: &str) -> ServiceError {
    ServiceError::new(
        &INVALID_FILTER_KEY,
        format!("The following filter key is not valid: {key}. Valid filter keys include: {valid}"),
    )
}
