//! Cedar's `like`.

use crate::evaluator::program::Piece;

/// Whether the pattern matches all of the text. Takes no memory, and time of at most the product of the two lengths.
pub(super) fn matches(text: &str, pattern: &[Piece]) -> bool {
    let (mut text, mut pattern) = (text.chars(), pattern);
    // Where to go on when something does not match: the last wildcard takes one character more.
    let mut retry = None;
    loop {
        match (pattern.split_first(), text.clone().next()) {
            (None, None) | (Some((Piece::Wildcard, [])), _) => return true,
            (Some((Piece::Wildcard, rest)), _) => {
                retry = Some((text.clone(), rest));
                pattern = rest;
            }
            (Some((Piece::Char(wanted), rest)), Some(found)) if *wanted == found => {
                text.next();
                pattern = rest;
            }
            (Some((Piece::Char(_), _)), None) => return false,
            (Some((Piece::Char(_), _)) | None, Some(_)) => {
                let Some((from, rest)) = &mut retry else { return false };
                from.next();
                (text, pattern) = (from.clone(), *rest);
            }
        }
    }
}
