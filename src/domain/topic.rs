//! The Kafka topic under which an event is told, from a template.
//!
//! As a [subject](super::subject), of letters, digits, `.`, `_` and `-` alone: whatever else a token's data bring
//! becomes `_`.

use super::event::EventType;
use super::id::Namespace;
use super::subject::SubjectTemplate;

/// Kafka's own bound.
const CHARS_MAX: usize = 249;

/// `tokens-{token_requestor_id}`, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicTemplate(SubjectTemplate);

impl TopicTemplate {
    /// The template of this text, or what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let template = SubjectTemplate::parse(text)?;
        if !template.texts().all(|text| text.chars().all(is_safe)) {
            return Err("must be of letters, digits, `.`, `_` and `-`, but for its placeholders".to_owned());
        }
        Ok(TopicTemplate(template))
    }

    /// The topic of one event.
    pub fn topic(&self, kind: EventType, requestor: Option<&str>, namespace: Option<Namespace>) -> String {
        let topic = self.0.subject(kind, requestor, namespace);
        let cut = topic.chars().take(CHARS_MAX);
        cut.map(|c| if is_safe(c) { c } else { '_' }).collect()
    }
}

fn is_safe(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topic(text: &str, requestor: &str) -> String {
        let template = TopicTemplate::parse(text).expect("a template");
        template.topic(EventType::TokenSuspended, Some(requestor), Some(Namespace::Mdes))
    }

    #[test]
    fn each_placeholder_is_filled() {
        assert_eq!(
            topic("{namespace}.x-{token_requestor_id}.{type}", "50100000001"),
            "mdes.x-50100000001.token.suspended"
        );
        assert_eq!(topic("tokens", "50100000001"), "tokens");
    }

    #[test]
    fn whatever_a_part_is_the_topic_is_one() {
        assert_eq!(topic("a.{token_requestor_id}", "1/2 é\u{0}..,"), "a.1_2______");
        let long = topic(
            &format!("{}{{token_requestor_id}}", "t".repeat(180)),
            &"9".repeat(10_000),
        );
        assert!(long.len() <= CHARS_MAX, "{}", long.len());
        let long = topic(
            &format!("{}{{token_requestor_id}}-{{type}}", "t".repeat(170)),
            &"9".repeat(64),
        );
        assert_eq!(long.len(), CHARS_MAX);
    }

    #[test]
    fn what_is_no_topic_is_refused() {
        for text in ["", ".", "..", "to kens", "tokens/x", "tökens", "a.{trid}", "a:{type}"] {
            TopicTemplate::parse(text).expect_err(text);
        }
    }
}
