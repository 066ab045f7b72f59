//! Requests in JSON.

use std::path::Path;

use cedar_policy::{Context, Request, Schema};
use serde::Deserialize;
use serde_json::Value;
use zt_policy::read_uid;

use super::{Failure, RequestError};

/// Reads an array of requests, and checks each against the schema.
pub(super) fn read_requests(path: &Path, text: &str, schema: &Schema) -> Result<Vec<Request>, Failure> {
    let requests: Vec<Value> =
        serde_json::from_str(text).map_err(|problem| Failure::Requests { path: path.to_owned(), problem })?;
    let request = |(index, value)| {
        request(value, schema).map_err(|problem| Failure::Request { path: path.to_owned(), index, problem })
    };
    requests.into_iter().enumerate().map(request).collect()
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields {
    principal: String,
    action: String,
    resource: String,
    context: Value,
}

fn request(value: Value, schema: &Schema) -> Result<Request, RequestError> {
    let Fields { principal, action, resource, context } = serde_json::from_value(value)?;
    let uid = |field, value: String| {
        read_uid(&value).map_err(|problem| RequestError::Uid { field, value, problem })
    };
    let principal = uid("principal", principal)?;
    let action = uid("action", action)?;
    let resource = uid("resource", resource)?;
    let text = context.to_string();
    let context = Context::from_json_value(context, Some((schema, &action))).map_err(|error| {
        RequestError::Context { value: text, action: Box::new(action.clone()), problem: chain(&error) }
    })?;
    Request::new(principal, action, resource, context, Some(schema))
        .map_err(|error| RequestError::Schema(chain(&error)))
}

/// An error and what caused it, in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |error| error.source());
    std::iter::once(error.to_string()).chain(causes.map(ToString::to_string)).collect::<Vec<_>>().join(": ")
}
