//! Connections: what is secret in them, sealed and opened.

use crate::EventsService;
use crate::errors::{internal, invalid, refuse};
use crate::shapes as wire;
use aws_wire::ServiceError;
use resources::events::{Authorization, Connection, ConnectionParameter, ParameterPlace};
use resources::sealed::{SealedText, Sealing};
use zeroize::Zeroizing;

/// Most parameters of a connection.
const MOST_PARAMETERS: usize = 100;

/// Everything about an authorization that a request says.
pub(crate) struct Given {
    pub(crate) authorization: Authorization,
    pub(crate) secret: Zeroizing<String>,
}

/// Parameters of each request, and the values of the secret ones in their order.
#[derive(Default)]
pub(crate) struct Parameters {
    pub(crate) shown: Vec<ConnectionParameter>,
    pub(crate) secrets: Vec<Zeroizing<String>>,
}

/// Checks that a name can be a header.
pub(crate) fn header(name: String) -> Result<String, ServiceError> {
    let good = http::HeaderName::from_bytes(name.as_bytes()).is_ok();
    if good { Ok(name) } else { Err(invalid(format!("{name} is not valid as the name of a header."))) }
}

/// Reads the parameters of a connection.
pub(crate) fn parameters(given: Option<wire::ConnectionHttpParameters>) -> Result<Parameters, ServiceError> {
    let wire::ConnectionHttpParameters { body_parameters, header_parameters, query_string_parameters } =
        given.unwrap_or_default();
    let mut read = Parameters::default();
    for item in header_parameters.unwrap_or_default() {
        let key = header(item.key.unwrap_or_default())?;
        read.add(ParameterPlace::Header, key, item.value, item.is_value_secret)?;
    }
    for item in query_string_parameters.unwrap_or_default() {
        read.add(ParameterPlace::Query, item.key.unwrap_or_default(), item.value, item.is_value_secret)?;
    }
    for item in body_parameters.unwrap_or_default() {
        read.add(ParameterPlace::Body, item.key.unwrap_or_default(), item.value, item.is_value_secret)?;
    }
    if read.shown.len() > MOST_PARAMETERS {
        return Err(invalid(format!("A connection has at most {MOST_PARAMETERS} parameters.")));
    }
    Ok(read)
}

impl Parameters {
    fn add(
        &mut self,
        place: ParameterPlace,
        key: String,
        value: Option<String>,
        secret: Option<bool>,
    ) -> Result<(), ServiceError> {
        if key.is_empty() {
            return Err(invalid("Every parameter of a connection has a key."));
        }
        let value = value.unwrap_or_default();
        let shown = if secret == Some(true) {
            self.secrets.push(Zeroizing::new(value));
            None
        } else {
            Some(value)
        };
        self.shown.push(ConnectionParameter { place, key, value: shown });
        Ok(())
    }
}

/// Refuses what connections of this region do not have.
pub(crate) fn refuse_extras(
    kind: Option<wire::ConnectionAuthorizationType>,
    key: Option<&String>,
    connectivity: bool,
) -> Result<(), ServiceError> {
    let oauth = kind == Some(wire::ConnectionAuthorizationType::OauthClientCredentials);
    refuse(oauth, "The authorization type OAUTH_CLIENT_CREDENTIALS")?;
    refuse(key.is_some_and(|key| !key.is_empty()), "KmsKeyIdentifier")?;
    refuse(connectivity, "ConnectivityParameters: private endpoints")
}

impl EventsService {
    /// Seals what is secret in a connection.
    pub(crate) fn seal(
        &self,
        connection: &mut Connection,
        secret: &str,
        secrets: &[Zeroizing<String>],
    ) -> Result<(), ServiceError> {
        let all: Vec<&str> =
            std::iter::once(secret).chain(secrets.iter().map(|text| text.as_str())).collect();
        let plain = Zeroizing::new(serde_json::to_vec(&all).map_err(|error| internal(&error))?);
        connection.sealed = SealedText::new(self.keys.seal(&connection.purpose(), &plain));
        Ok(())
    }

    /// What is secret in a connection: the password or key first.
    pub(crate) fn open(&self, connection: &Connection) -> Result<Vec<Zeroizing<String>>, ServiceError> {
        let opened = self.keys.open(&connection.purpose(), connection.sealed.as_str());
        let opened = opened.map_err(|error| internal(&error))?;
        let texts: Vec<String> = serde_json::from_slice(&opened).map_err(|error| internal(&error))?;
        Ok(texts.into_iter().map(Zeroizing::new).collect())
    }
}

/// A connection's parameters as the API shows them.
pub(crate) fn shown_parameters(connection: &Connection) -> Option<wire::ConnectionHttpParameters> {
    let at = |place: ParameterPlace| connection.parameters.iter().filter(move |item| item.place == place);
    let secret = |item: &ConnectionParameter| Some(item.value.is_none());
    let headers: Vec<_> = at(ParameterPlace::Header)
        .map(|item| wire::ConnectionHeaderParameter {
            is_value_secret: secret(item),
            key: Some(item.key.clone()),
            value: item.value.clone(),
        })
        .collect();
    let query: Vec<_> = at(ParameterPlace::Query)
        .map(|item| wire::ConnectionQueryStringParameter {
            is_value_secret: secret(item),
            key: Some(item.key.clone()),
            value: item.value.clone(),
        })
        .collect();
    let body: Vec<_> = at(ParameterPlace::Body)
        .map(|item| wire::ConnectionBodyParameter {
            is_value_secret: secret(item),
            key: Some(item.key.clone()),
            value: item.value.clone(),
        })
        .collect();
    (!connection.parameters.is_empty()).then_some(wire::ConnectionHttpParameters {
        body_parameters: Some(body),
        header_parameters: Some(headers),
        query_string_parameters: Some(query),
    })
}
