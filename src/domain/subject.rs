//! The subject under which a broker is told of an event, from a template.
//!
//! Words between points, as NATS has them; what a token's data puts in can neither add a point nor a wildcard, except
//! that the event type's own point stays, since it is a hierarchy too (`token.suspended`).

use super::event::EventType;
use super::id::Namespace;

/// Stands for what is not known.
const UNKNOWN: &str = "unknown";
/// No subject that we make is longer than this, in characters of the template plus those of each part.
const CHARS_MAX: usize = 200;
const PART_CHARS_MAX: usize = 64;

/// What a subject may be made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Placeholder {
    Type,
    Requestor,
    Namespace,
}

const PLACEHOLDERS: &[(&str, Placeholder)] = &[
    ("token_requestor_id", Placeholder::Requestor),
    ("type", Placeholder::Type),
    ("namespace", Placeholder::Namespace),
];

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Filled(Placeholder),
}

/// `tokens.{token_requestor_id}.{type}`, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubjectTemplate {
    text: String,
    pieces: Vec<Piece>,
}

impl SubjectTemplate {
    /// The template of this text, or what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() || text.chars().count() > CHARS_MAX {
            return Err(format!("must have from 1 to {CHARS_MAX} characters"));
        }
        let pieces = pieces(text)?;
        let is_bad = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '*' | '>');
        if text.contains(is_bad) {
            return Err("must be without spaces and wildcards: a message goes to one subject".to_owned());
        }
        if text.split('.').any(str::is_empty) {
            return Err("must have a word before, between and after its points".to_owned());
        }
        if text.starts_with('$') {
            return Err("must not begin with `$`: those are the server's own subjects".to_owned());
        }
        Ok(SubjectTemplate {
            text: text.to_owned(),
            pieces,
        })
    }

    /// What is written between its placeholders.
    pub(super) fn texts(&self) -> impl Iterator<Item = &str> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Text(text) => Some(text.as_str()),
            Piece::Filled(_) => None,
        })
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Its first word is the same for every event, so that a stream can take all of its subjects and no others.
    pub fn begins_fixed(&self) -> bool {
        let first = self.text.split('.').next().unwrap_or_default();
        !first.contains('{')
    }

    /// The subject of one event.
    pub fn subject(&self, kind: EventType, requestor: Option<&str>, namespace: Option<Namespace>) -> String {
        let mut subject = String::with_capacity(self.text.len());
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => subject.push_str(text),
                Piece::Filled(Placeholder::Type) => subject.push_str(kind.as_str()),
                Piece::Filled(Placeholder::Requestor) => subject.push_str(&safe(requestor)),
                Piece::Filled(Placeholder::Namespace) => subject.push_str(&safe(namespace.map(Namespace::as_str))),
            }
        }
        subject
    }

    /// Patterns that every subject of it fits, for a stream that takes them.
    ///
    /// A type is one word or two; at the end of a template `>` stands for either, so that a later type fits too.
    pub fn patterns(&self) -> Vec<String> {
        let mut words: Vec<&str> = self.text.split('.').collect();
        let ends_in_type = words.last() == Some(&"{type}");
        let typed = words
            .iter()
            .position(|word| word.contains("{type}"))
            .filter(|_| !ends_in_type);
        for word in words.iter_mut().filter(|word| word.contains('{')) {
            *word = "*";
        }
        if let Some(last) = words.last_mut().filter(|_| ends_in_type) {
            *last = ">";
        }
        let mut patterns = vec![words.join(".")];
        if let Some(at) = typed {
            words[at] = "*.*";
            patterns.push(words.join("."));
        }
        patterns
    }
}

fn pieces(text: &str) -> Result<Vec<Piece>, String> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}').ok_or("has a `{` without its `}`".to_owned())?;
        let piece = Piece::Filled(placeholder(name)?);
        if pieces.contains(&piece) {
            return Err(format!("has `{{{name}}}` twice"));
        }
        pieces.push(Piece::Text(before.to_owned()));
        pieces.push(piece);
        rest = after;
    }
    pieces.push(Piece::Text(rest.to_owned()));
    let is_stray = |piece: &Piece| matches!(piece, Piece::Text(text) if text.contains('}'));
    if pieces.iter().any(is_stray) {
        return Err("has a `}` without its `{`".to_owned());
    }
    Ok(pieces)
}

fn placeholder(name: &str) -> Result<Placeholder, String> {
    let known = PLACEHOLDERS.iter().find(|(known, _)| *known == name);
    known.map(|(_, placeholder)| *placeholder).ok_or_else(|| {
        let names: Vec<String> = PLACEHOLDERS.iter().map(|(name, _)| format!("`{{{name}}}`")).collect();
        format!(
            "has the unknown placeholder `{{{name}}}`; there are {}",
            names.join(", ")
        )
    })
}

/// One word that may stand between points.
fn safe(part: Option<&str>) -> String {
    let is_safe = |c: char| !(c.is_whitespace() || c.is_control() || matches!(c, '.' | '*' | '>'));
    let part = part.filter(|part| !part.is_empty()).unwrap_or(UNKNOWN);
    let cut = part.chars().take(PART_CHARS_MAX);
    cut.map(|c| if is_safe(c) { c } else { '_' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template(text: &str) -> SubjectTemplate {
        SubjectTemplate::parse(text).expect("a template")
    }

    fn refused(text: &str) -> String {
        SubjectTemplate::parse(text).expect_err("not a template")
    }

    #[test]
    fn each_placeholder_is_filled_and_the_types_own_point_stays() {
        let template = template("{namespace}.x-{token_requestor_id}.{type}");
        assert_eq!(
            template.subject(EventType::TokenSuspended, Some("50100000001"), Some(Namespace::Mdes)),
            "mdes.x-50100000001.token.suspended"
        );
    }

    #[test]
    fn a_missing_part_is_unknown() {
        let template = template("tokens.{namespace}.{token_requestor_id}.{type}");
        assert_eq!(
            template.subject(EventType::Test, None, None),
            "tokens.unknown.unknown.test"
        );
        assert_eq!(
            template.subject(EventType::Test, Some(""), None),
            "tokens.unknown.unknown.test"
        );
    }

    #[test]
    fn a_part_can_make_neither_a_point_nor_a_wildcard_nor_a_line() {
        let subject = template("a.{token_requestor_id}").subject(EventType::Test, Some("1.2*3>4 5\r\n6"), None);
        assert_eq!(subject, "a.1_2_3_4_5__6");
    }

    #[test]
    fn a_part_is_cut() {
        let long = "9".repeat(10_000);
        let subject = template("a.{token_requestor_id}").subject(EventType::Test, Some(&long), None);
        assert_eq!(subject.len(), "a.".len() + PART_CHARS_MAX);
    }

    #[test]
    fn an_unknown_placeholder_is_refused_with_the_known_ones() {
        let why = refused("tokens.{trid}");
        assert!(
            why.contains("`{trid}`") && why.contains("`{token_requestor_id}`, `{type}`, `{namespace}`"),
            "{why}"
        );
    }

    #[test]
    fn what_no_message_can_be_sent_to_is_refused() {
        for text in [
            "",
            "tokens.*",
            "tokens.>",
            "to kens",
            "tokens..x",
            ".tokens",
            "tokens.",
            "$JS.x",
            "a.{type",
            "a.type}",
            "{type}.{type}",
        ] {
            refused(text);
        }
    }

    #[test]
    fn every_subject_fits_the_patterns_of_its_template() {
        for (text, patterns) in [
            ("tokens.{token_requestor_id}.{type}", vec!["tokens.*.>"]),
            ("tokens.{type}.{namespace}", vec!["tokens.*.*", "tokens.*.*.*"]),
            ("tokens.x-{type}", vec!["tokens.*", "tokens.*.*"]),
            ("tokens", vec!["tokens"]),
        ] {
            let template = template(text);
            assert_eq!(template.patterns(), patterns);
            for kind in EventType::ALL {
                let subject = template.subject(*kind, Some("50.100"), None);
                let fitting = patterns.iter().filter(|pattern| fits(pattern, &subject)).count();
                assert_eq!(fitting, 1, "{subject} and {patterns:?}");
            }
        }
    }

    /// As NATS matches.
    fn fits(pattern: &str, subject: &str) -> bool {
        let (mut pattern, mut subject) = (pattern.split('.'), subject.split('.'));
        loop {
            match (pattern.next(), subject.next()) {
                (None, None) => return true,
                (Some(">"), Some(_)) => return true,
                (Some(word), Some(other)) if word == "*" || word == other => {}
                _ => return false,
            }
        }
    }
}
