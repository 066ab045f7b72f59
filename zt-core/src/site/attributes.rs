//! Attributes of people and resources, as files give them.

use std::collections::BTreeMap;

use toml::Spanned;

use super::limits::{MAX_ATTRIBUTE_BYTES, MAX_ATTRIBUTE_TEXTS, MAX_ATTRIBUTES};
use super::source::{At, excerpt};
use crate::id::{NameError, check_name};
use crate::identity::AttributeValue;

/// Why attributes were refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AttributeError {
    /// There are more than [`MAX_ATTRIBUTES`].
    #[error("{0} attributes, {MAX_ATTRIBUTES} is the most")]
    TooMany(usize),
    /// The name of an attribute is no name.
    #[error("attribute `{0}`: {1}")]
    Name(String, NameError),
    /// The value is of a type that policies do not have.
    #[error("attribute `{name}` is {found}; write true or false, a whole number, a text or a list of texts")]
    Type {
        /// The attribute.
        name: String,
        /// What it is, with its article.
        found: &'static str,
    },
    /// A text has more than [`MAX_ATTRIBUTE_BYTES`] bytes.
    #[error("attribute `{name}` has a text of {bytes} bytes, {MAX_ATTRIBUTE_BYTES} is the most")]
    TextTooLong {
        /// The attribute.
        name: String,
        /// How long the text is.
        bytes: usize,
    },
    /// A list has more than [`MAX_ATTRIBUTE_TEXTS`] texts.
    #[error("attribute `{name}` has {count} texts, {MAX_ATTRIBUTE_TEXTS} is the most")]
    TooManyTexts {
        /// The attribute.
        name: String,
        /// How many there are.
        count: usize,
    },
}

/// A table of attributes, as a file gives it.
pub(crate) type AttributeTable = BTreeMap<String, Spanned<toml::Value>>;

/// Reads a table of attributes; what comes out still has to pass [`check_attributes`].
pub(crate) fn read_attributes<F: From<AttributeError>>(
    table: &AttributeTable,
) -> Result<BTreeMap<String, AttributeValue>, At<F>> {
    let read = |(name, value): (&String, &Spanned<toml::Value>)| {
        let typed = attribute(value.get_ref())
            .map_err(|found| AttributeError::Type { name: excerpt(name), found })
            .and_then(|typed| check_attribute(name, &typed).map(|()| typed));
        match typed {
            Ok(typed) => Ok((name.clone(), typed)),
            Err(error) => Err(At::new(value.span().start, error)),
        }
    };
    table.iter().map(read).collect()
}

/// Checks names, counts and lengths.
pub(crate) fn check_attributes(attributes: &BTreeMap<String, AttributeValue>) -> Result<(), AttributeError> {
    if attributes.len() > MAX_ATTRIBUTES {
        return Err(AttributeError::TooMany(attributes.len()));
    }
    attributes.iter().try_for_each(|(name, value)| check_attribute(name, value))
}

fn check_attribute(name: &str, value: &AttributeValue) -> Result<(), AttributeError> {
    check_name(name).map_err(|error| AttributeError::Name(excerpt(name), error))?;
    let check_text = |text: &String| {
        let bytes = text.len();
        let fits = bytes <= MAX_ATTRIBUTE_BYTES;
        fits.then_some(()).ok_or_else(|| AttributeError::TextTooLong { name: excerpt(name), bytes })
    };
    match value {
        AttributeValue::Bool(_) | AttributeValue::Long(_) => Ok(()),
        AttributeValue::String(text) => check_text(text),
        AttributeValue::Strings(texts) if texts.len() > MAX_ATTRIBUTE_TEXTS => {
            Err(AttributeError::TooManyTexts { name: excerpt(name), count: texts.len() })
        }
        AttributeValue::Strings(texts) => texts.iter().try_for_each(check_text),
    }
}

fn attribute(value: &toml::Value) -> Result<AttributeValue, &'static str> {
    let text =
        |item: &toml::Value| item.as_str().map(str::to_owned).ok_or("a list of other things than texts");
    match value {
        toml::Value::Boolean(value) => Ok(AttributeValue::Bool(*value)),
        toml::Value::Integer(value) => Ok(AttributeValue::Long(*value)),
        toml::Value::String(value) => Ok(AttributeValue::String(value.clone())),
        toml::Value::Array(items) => {
            items.iter().map(text).collect::<Result<_, _>>().map(AttributeValue::Strings)
        }
        toml::Value::Float(_) => Err("a fraction"),
        toml::Value::Datetime(_) => Err("a date or time"),
        toml::Value::Table(_) => Err("a table"),
    }
}
