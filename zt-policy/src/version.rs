//! The hash over everything that decisions depend on besides facts.

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};
use zt_core::decide::PolicyVersion;
use zt_core::event::PolicySource;
use zt_core::identity::AttributeValue;
use zt_core::site::Site;

use crate::schema::ENTITIES;

/// The version of `source` as loaded for `site`, whose schema is `generated`.
///
/// Every text goes in with its length before it and every list with its count, so that no two inputs look the same.
pub(crate) fn version(source: &PolicySource, site: &Site, generated: &str) -> PolicyVersion {
    let mut hash = Hash(Sha256::new());
    hash.text(concat!("zt-policy ", env!("CARGO_PKG_VERSION")));
    hash.text(ENTITIES);
    hash.text(generated);
    hash.files(&source.schema);
    hash.files(&source.policies);
    hash.list(site.groups.keys().map(|group| group.as_str()));
    hash.list(site.segments.iter().map(|segment| segment.as_str()));
    hash.list(site.windows.keys().map(|window| window.as_str()));
    hash.count(site.resources().len());
    for resource in site.resources() {
        hash.text(resource.id.as_str());
        hash.list(resource.segments.iter().map(|segment| segment.as_str()));
        hash.count(resource.attributes.len());
        for (name, value) in &resource.attributes {
            hash.text(name);
            hash.value(value);
        }
    }
    PolicyVersion(hash.0.finalize().into())
}

struct Hash(Sha256);

impl Hash {
    fn count(&mut self, count: usize) {
        self.0.update(u64::try_from(count).unwrap_or(u64::MAX).to_le_bytes());
    }

    fn text(&mut self, text: &str) {
        self.count(text.len());
        self.0.update(text.as_bytes());
    }

    fn list<'a>(&mut self, texts: impl ExactSizeIterator<Item = &'a str>) {
        self.count(texts.len());
        texts.for_each(|text| self.text(text));
    }

    fn files(&mut self, files: &BTreeMap<String, String>) {
        self.count(files.len());
        for (name, text) in files {
            self.text(name);
            self.text(text);
        }
    }

    fn value(&mut self, value: &AttributeValue) {
        match value {
            AttributeValue::Bool(value) => self.0.update([0, u8::from(*value)]),
            AttributeValue::Long(value) => {
                self.0.update([1]);
                self.0.update(value.to_le_bytes());
            }
            AttributeValue::String(value) => {
                self.0.update([2]);
                self.text(value);
            }
            AttributeValue::Strings(values) => {
                self.0.update([3]);
                self.list(values.iter().map(String::as_str));
            }
        }
    }
}
