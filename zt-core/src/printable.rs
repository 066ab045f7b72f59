//! Text from outside in messages: what would garble a terminal or a log is escaped.

use std::fmt;

/// Writes on, with control characters and marks of text direction escaped.
pub(crate) struct Printable<'a, 'b> {
    out: &'a mut fmt::Formatter<'b>,
    newlines: bool,
}

impl<'a, 'b> Printable<'a, 'b> {
    /// Escapes line ends too.
    pub(crate) const fn line(out: &'a mut fmt::Formatter<'b>) -> Self {
        Self { out, newlines: false }
    }

    /// Lets line ends pass.
    pub(crate) const fn lines(out: &'a mut fmt::Formatter<'b>) -> Self {
        Self { out, newlines: true }
    }
}

impl fmt::Write for Printable<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.chars().try_for_each(|c| match c {
            '\n' if self.newlines => self.out.write_char(c),
            _ if c.is_control() || is_direction_mark(c) => write!(self.out, "{}", c.escape_unicode()),
            _ => self.out.write_char(c),
        })
    }
}

/// The characters that change the direction in which a text is shown (Unicode Standard Annex 9).
const fn is_direction_mark(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}
