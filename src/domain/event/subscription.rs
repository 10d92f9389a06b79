//! Which events a destination asked for.

use std::collections::BTreeSet;

use super::{EventType, OPS};

/// Event types with a wildcard: `*`, `token.*`, `token.suspended`, `ops.*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern(String);

impl Pattern {
    /// The pattern of this text, if some event type fits it.
    pub fn parse(text: &str) -> Option<Self> {
        let pattern = Pattern(text.to_owned());
        EventType::ALL
            .iter()
            .any(|kind| pattern.fits(kind.as_str()))
            .then_some(pattern)
    }

    /// `*` stands for any text at the end, but not for what is about the receiver itself: that is for who asks for it by
    /// name, as `ops.*`, and no surprise for who wants all that is said of tokens.
    pub fn fits(&self, kind: &str) -> bool {
        if kind.starts_with(OPS) && !self.0.starts_with(OPS) {
            return false;
        }
        match self.0.strip_suffix('*') {
            Some(start) => kind.starts_with(start),
            None => kind == self.0,
        }
    }
}

/// Which events: of which types, of whose tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// Any of these.
    pub types: Vec<Pattern>,
    /// Only tokens of these requestors; empty: of all. A token whose requestor is unknown passes.
    pub requestors: BTreeSet<String>,
}

impl Subscription {
    /// Everything that is said of tokens.
    pub fn all() -> Self {
        Subscription {
            types: vec![Pattern("*".to_owned())],
            requestors: BTreeSet::new(),
        }
    }

    /// It was asked for.
    pub fn wants(&self, kind: &str, requestor: Option<&str>) -> bool {
        let is_ours =
            requestor.is_none_or(|requestor| self.requestors.is_empty() || self.requestors.contains(requestor));
        is_ours && self.types.iter().any(|pattern| pattern.fits(kind))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subscription(types: &[&str], requestors: &[&str]) -> Subscription {
        Subscription {
            types: types
                .iter()
                .map(|text| Pattern::parse(text).expect("a pattern"))
                .collect(),
            requestors: requestors.iter().map(ToString::to_string).collect(),
        }
    }

    #[test]
    fn a_star_stands_for_any_end() {
        let tokens = subscription(&["token.*"], &[]);
        assert!(tokens.wants("token.suspended", None));
        assert!(!tokens.wants("card.changed", None));
        assert!(subscription(&["*"], &[]).wants("card.changed", None));
    }

    #[test]
    fn what_is_about_the_receiver_itself_is_asked_for_by_name() {
        assert!(!subscription(&["*"], &[]).wants("ops.gap", None));
        assert!(!Subscription::all().wants("ops.gap", None));
        assert!(subscription(&["*", "ops.*"], &[]).wants("ops.gap", None));
        let gaps = subscription(&["ops.gap"], &["50100000001"]);
        assert!(gaps.wants("ops.gap", None) && !gaps.wants("ops.key", None));
        assert_eq!(Pattern::parse("o*"), None);
    }

    #[test]
    fn a_pattern_that_nothing_fits_is_none() {
        assert_eq!(Pattern::parse("tokens.suspended"), None);
        assert_eq!(Pattern::parse(""), None);
    }

    #[test]
    fn a_token_whose_requestor_is_unknown_passes_every_filter() {
        let ours = subscription(&["*"], &["50100000001"]);
        assert!(ours.wants("token.suspended", Some("50100000001")));
        assert!(!ours.wants("token.suspended", Some("50100000002")));
        assert!(ours.wants("token.suspended", None));
    }
}
