//! Finds parameters, their versions and values.

use crate::SsmService;
use crate::errors::{no_parameter, no_version, store, unopened};
use crate::names::{Asked, Selector};
use aws_wire::{RequestContext, ServiceError};
use resources::sealed::SealedText;
use resources::ssm::{Parameter, ParameterKind, ParameterVersion};
use store::Versioned;
use zeroize::Zeroizing;

impl SsmService {
    /// The parameter with this name, with or without the leading slash, unless it has expired.
    pub(crate) async fn find(
        &self,
        context: &RequestContext,
        name: &str,
    ) -> Result<Option<Versioned<Parameter>>, ServiceError> {
        let key = Parameter::key_of(context.account.as_str(), context.region.as_str(), name);
        let found = self.tables.get::<Parameter>(&key).await.map_err(store)?;
        Ok(found.filter(|parameter| !parameter.is_expired(context.time)))
    }

    /// The parameter with this name.
    pub(crate) async fn require(
        &self,
        context: &RequestContext,
        name: &str,
    ) -> Result<Versioned<Parameter>, ServiceError> {
        self.find(context, name).await?.ok_or_else(|| no_parameter(name))
    }

    /// Every parameter of the account in this region, by name.
    pub(crate) async fn all(
        &self,
        context: &RequestContext,
    ) -> Result<Vec<Versioned<Parameter>>, ServiceError> {
        let prefix = Parameter::key_of(context.account.as_str(), context.region.as_str(), "");
        let mut found = self.tables.list_all::<Parameter>(&prefix).await.map_err(store)?;
        found.retain(|parameter| !parameter.is_expired(context.time));
        Ok(found)
    }

    /// The version that is asked for. `text` is what the request says, for errors.
    pub(crate) async fn version(
        &self,
        context: &RequestContext,
        asked: &Asked<'_>,
        text: &str,
    ) -> Result<(Versioned<Parameter>, Versioned<ParameterVersion>), ServiceError> {
        let found = self.find(context, asked.name).await?;
        let parameter = found.ok_or_else(|| no_parameter(text))?;
        let number = match asked.selector {
            Selector::Newest => parameter.newest.version,
            Selector::Version(number) => number,
            Selector::Label(label) => {
                *parameter.labels.get(label).ok_or_else(|| no_version(asked.name, label))?
            }
        };
        let version = self.numbered(&parameter, number).await?;
        let version = version.ok_or_else(|| no_version(asked.name, number))?;
        Ok((parameter, version))
    }

    /// A version by its number, if it is kept.
    pub(crate) async fn numbered(
        &self,
        parameter: &Parameter,
        number: i64,
    ) -> Result<Option<Versioned<ParameterVersion>>, ServiceError> {
        if !(parameter.oldest..=parameter.newest.version).contains(&number) {
            return Ok(None);
        }
        let key = ParameterVersion::key_of(&parameter.account, &parameter.id, number);
        self.tables.get(&key).await.map_err(store)
    }

    /// What a caller sees of a value: the value, or the sealed form of a `SecureString` that is not to be decrypted.
    pub(crate) fn shown(
        &self,
        parameter: &Parameter,
        version: &ParameterVersion,
        decrypt: bool,
    ) -> Result<String, ServiceError> {
        if version.info.kind == ParameterKind::SecureString && !decrypt {
            return Ok(version.sealed.as_str().to_owned());
        }
        let value = self.opened(parameter, version)?;
        // It was a text when it was sealed, and what opens was not altered.
        Ok(String::from_utf8_lossy(&value).into_owned())
    }

    /// The value of a version.
    fn opened(
        &self,
        parameter: &Parameter,
        version: &ParameterVersion,
    ) -> Result<Zeroizing<Vec<u8>>, ServiceError> {
        let purpose =
            ParameterVersion::purpose_of(&version.account, &version.parameter_id, version.info.version);
        self.keys.open(&purpose, version.sealed.as_str()).map_err(|error| unopened(error, &parameter.arn()))
    }

    /// A value, sealed for one version.
    pub(crate) fn sealed(&self, parameter: &Parameter, number: i64, value: &str) -> SealedText {
        let purpose = ParameterVersion::purpose_of(&parameter.account, &parameter.id, number);
        SealedText::new(self.keys.seal(&purpose, value.as_bytes()))
    }
}
