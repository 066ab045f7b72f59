//! A lexer for Cedar's two languages, exact in what hides text from a reader: strings and comments.
//!
//! It exists because Cedar's parser has no limits and ends the process when it runs out of stack, so the size and the
//! depth of a text have to be known before the parser sees it. It splits where Cedar's own lexer splits; what Cedar
//! would refuse as a token it passes on as a [`Token::Symbol`], for Cedar to refuse.

use std::iter::Peekable;
use std::str::CharIndices;

/// What a text is made of, as far as limits and places are concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Token<'a> {
    /// `(`, `[` or `{`.
    Open(char),
    /// `)`, `]` or `}`.
    Close(char),
    /// A string with its quotes.
    Text,
    /// A name or a keyword.
    Word(&'a str),
    /// Digits.
    Number,
    /// `&&` or `||`.
    Junction,
    /// Any other character.
    Symbol(char),
}

/// A token and where it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Placed<'a> {
    /// The token.
    pub(crate) token: Token<'a>,
    /// The byte at which it begins.
    pub(crate) start: usize,
    /// The byte after it.
    pub(crate) end: usize,
    /// The line on which it begins, from 1.
    pub(crate) line: usize,
}

/// A string that begins on this line and does not end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct UnclosedString {
    /// The line, from 1.
    pub(crate) line: usize,
}

/// The tokens of `text`, without spaces and comments.
pub(crate) fn lex(text: &str) -> Lexer<'_> {
    Lexer { text, rest: text.char_indices().peekable(), line: 1 }
}

/// See [`lex`].
#[derive(Debug)]
pub(crate) struct Lexer<'a> {
    text: &'a str,
    rest: Peekable<CharIndices<'a>>,
    line: usize,
}

impl<'a> Iterator for Lexer<'a> {
    type Item = Result<Placed<'a>, UnclosedString>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let line = self.line;
            let (start, first) = self.take()?;
            let token = match first {
                '/' if self.take_if('/') => {
                    self.take_while(|c| c != '\n' && c != '\r');
                    continue;
                }
                c if c.is_whitespace() => continue,
                '"' if self.close_string() => Token::Text,
                '"' => return Some(Err(UnclosedString { line })),
                '(' | '[' | '{' => Token::Open(first),
                ')' | ']' | '}' => Token::Close(first),
                '&' | '|' if self.take_if(first) => Token::Junction,
                '0'..='9' => {
                    self.take_while(|c| c.is_ascii_digit());
                    Token::Number
                }
                '_' | 'a'..='z' | 'A'..='Z' => {
                    self.take_while(|c| c == '_' || c.is_ascii_alphanumeric());
                    Token::Word(self.text.get(start..self.position()).unwrap_or_default())
                }
                other => Token::Symbol(other),
            };
            return Some(Ok(Placed { token, start, end: self.position(), line }));
        }
    }
}

impl Lexer<'_> {
    fn position(&mut self) -> usize {
        self.rest.peek().map_or(self.text.len(), |&(at, _)| at)
    }

    fn take(&mut self) -> Option<(usize, char)> {
        let next = self.rest.next()?;
        if next.1 == '\n' {
            self.line = self.line.saturating_add(1);
        }
        Some(next)
    }

    fn take_if(&mut self, wanted: char) -> bool {
        self.rest.next_if(|&(_, c)| c == wanted).is_some()
    }

    fn take_while(&mut self, keep: impl Fn(char) -> bool) {
        while self.rest.next_if(|&(_, c)| keep(c)).is_some() {}
    }

    /// Goes on to the end of a string whose opening quote was taken; false if it has none.
    fn close_string(&mut self) -> bool {
        while let Some((_, c)) = self.take() {
            match c {
                '"' => return true,
                // Cedar knows no backslash before a line break.
                '\\' if !matches!(self.take(), Some((_, escaped)) if escaped != '\n') => return false,
                _ => {}
            }
        }
        false
    }
}

#[cfg(test)]
mod tests;
