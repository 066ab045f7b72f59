//! Texts and entity uids as numbers, so that what is compared in a decision is one word.

use std::collections::HashMap;
use std::sync::Arc;

use cedar_policy::EntityUid;

use crate::evaluator::fast_hash::FastMap;

/// A text: a string, or the name of an attribute, a tag or a type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct TextId(pub(crate) u32);

/// An entity uid, of an entity that exists or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Uid(pub(crate) u32);

/// The numbers of texts and uids: equal numbers if, and only if, they are equal.
///
/// A table may continue another, which then does not change any more; the numbers of both go together.
#[derive(Debug, Clone, Default)]
pub(crate) struct Symbols {
    base: Option<Arc<Symbols>>,
    texts: Vec<Arc<str>>,
    text_ids: HashMap<Arc<str>, TextId>,
    entities: Vec<(TextId, TextId)>,
    entity_ids: FastMap<(TextId, TextId), Uid>,
    full: bool,
}

impl Symbols {
    /// A table without entries, which goes on where `base` ends.
    pub(crate) fn after(base: Arc<Symbols>) -> Self {
        Self { base: Some(base), ..Self::default() }
    }

    /// The number of a text, a new one if it had none.
    pub(crate) fn text(&mut self, text: &str) -> TextId {
        if let Some(known) = self.find_text(text) {
            return known;
        }
        let id = TextId(self.number(self.text_count()));
        let text: Arc<str> = text.into();
        self.texts.push(Arc::clone(&text));
        self.text_ids.insert(text, id);
        id
    }

    /// The number of a uid, a new one if it had none.
    pub(crate) fn uid(&mut self, type_name: &str, id: &str) -> Uid {
        let key = (self.text(type_name), self.text(id));
        if let Some(known) = self.find_uid(key) {
            return known;
        }
        let uid = Uid(self.number(self.entity_count()));
        self.entities.push(key);
        self.entity_ids.insert(key, uid);
        uid
    }

    /// The number of one of Cedar's uids.
    pub(crate) fn cedar_uid(&mut self, uid: &EntityUid) -> Uid {
        self.uid(&uid.type_name().to_string(), uid.id().unescaped())
    }

    /// The text behind a number.
    pub(crate) fn text_of(&self, id: TextId) -> Option<&str> {
        let index = usize::try_from(id.0).ok()?;
        match (index.checked_sub(self.base_texts()), &self.base) {
            (Some(index), _) => self.texts.get(index).map(|text| &**text),
            (None, Some(base)) => base.text_of(id),
            (None, None) => None,
        }
    }

    /// The type and the id behind a number.
    pub(crate) fn parts(&self, uid: Uid) -> Option<(TextId, TextId)> {
        let index = usize::try_from(uid.0).ok()?;
        match (index.checked_sub(self.base_entities()), &self.base) {
            (Some(index), _) => self.entities.get(index).copied(),
            (None, Some(base)) => base.parts(uid),
            (None, None) => None,
        }
    }

    /// How many uids have numbers, those of the table continued included.
    pub(crate) fn entity_count(&self) -> usize {
        self.base_entities().saturating_add(self.entities.len())
    }

    /// Whether there are more texts or uids than numbers, so that numbers say nothing any more.
    pub(crate) fn is_full(&self) -> bool {
        self.full
    }

    fn find_text(&self, text: &str) -> Option<TextId> {
        let base = self.base.as_ref().and_then(|base| base.find_text(text));
        base.or_else(|| self.text_ids.get(text).copied())
    }

    fn find_uid(&self, key: (TextId, TextId)) -> Option<Uid> {
        let base = self.base.as_ref().and_then(|base| base.find_uid(key));
        base.or_else(|| self.entity_ids.get(&key).copied())
    }

    fn text_count(&self) -> usize {
        self.base_texts().saturating_add(self.texts.len())
    }

    fn base_texts(&self) -> usize {
        self.base.as_ref().map_or(0, |base| base.text_count())
    }

    fn base_entities(&self) -> usize {
        self.base.as_ref().map_or(0, |base| base.entity_count())
    }

    fn number(&mut self, count: usize) -> u32 {
        u32::try_from(count).unwrap_or_else(|_| {
            self.full = true;
            u32::MAX
        })
    }
}
