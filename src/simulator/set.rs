//! `--set path=value`: one change to what a scenario says.
//!
//! The path has dots and indexes from 0 (`tokens.0.tokenInfo.tokenExpiry`) and begins in the sealed content,
//! or, behind `envelope.`, in the body around it. The value is JSON if it can be read as such, else a string.

use std::str::FromStr;

use serde_json::{Map, Value};

const ENVELOPE: &str = "envelope";

/// One change.
#[derive(Clone, Debug, PartialEq)]
pub struct Edit {
    in_envelope: bool,
    path: Vec<String>,
    value: Value,
}

/// Why a change cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// There is no `=`, or no path before it.
    #[error("`{0}` is not of the form path=value, as in tokens.0.status=SUSPENDED")]
    NotAnEdit(String),
}

impl FromStr for Edit {
    type Err = EditError;

    fn from_str(text: &str) -> Result<Self, EditError> {
        let not_an_edit = || EditError::NotAnEdit(text.to_owned());
        let (path, value) = text.split_once('=').ok_or_else(not_an_edit)?;
        let (in_envelope, path) = match path.split_once('.') {
            Some((ENVELOPE, rest)) => (true, rest),
            _ => (false, path),
        };
        if path.split('.').any(str::is_empty) {
            return Err(not_an_edit());
        }
        Ok(Edit {
            in_envelope,
            path: path.split('.').map(str::to_owned).collect(),
            value: serde_json::from_str(value).unwrap_or_else(|_| Value::from(value)),
        })
    }
}

impl Edit {
    /// Makes the changes that are for the sealed content.
    pub fn apply_to_content(edits: &[Edit], content: &mut Value) {
        edits
            .iter()
            .filter(|edit| !edit.in_envelope)
            .for_each(|edit| edit.apply(content));
    }

    /// Makes the changes that are for the body around it.
    pub fn apply_to_envelope(edits: &[Edit], envelope: &mut Value) {
        edits
            .iter()
            .filter(|edit| edit.in_envelope)
            .for_each(|edit| edit.apply(envelope));
    }

    /// What is missing on the way is made; what stands in the way is replaced.
    fn apply(&self, root: &mut Value) {
        let place = self.path.iter().fold(root, |place, step| step_into(place, step));
        *place = self.value.clone();
    }
}

/// An index one past the end of an array, or further, appends.
fn step_into<'a>(place: &'a mut Value, step: &str) -> &'a mut Value {
    match step.parse::<usize>() {
        Ok(index) if place.is_array() => {
            let items = place.as_array_mut().expect("asked in the line above");
            if index >= items.len() {
                items.push(Value::Null);
            }
            let last = items.len() - 1;
            &mut items[index.min(last)]
        }
        _ => {
            if !place.is_object() {
                *place = Value::Object(Map::new());
            }
            place
                .as_object_mut()
                .expect("made one in the lines above")
                .entry(step)
                .or_insert(Value::Null)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn set(edits: &[&str], mut content: Value) -> Value {
        let edits: Vec<Edit> = edits.iter().map(|edit| edit.parse().expect("a good edit")).collect();
        Edit::apply_to_content(&edits, &mut content);
        content
    }

    #[test]
    fn a_value_is_json_where_it_can_be_and_a_string_where_not() {
        let said = set(
            &[
                "tokens.0.a=SUSPENDED",
                "tokens.0.b=921",
                "tokens.0.c=0921",
                "tokens.0.d=null",
                "tokens.0.e=[\"X\"]",
            ],
            json!({"tokens": [{}]}),
        );
        assert_eq!(
            said,
            json!({"tokens": [{"a": "SUSPENDED", "b": 921, "c": "0921", "d": null, "e": ["X"]}]})
        );
    }

    #[test]
    fn what_is_missing_on_the_way_is_made() {
        let said = set(
            &["tokens.1.tokenInfo.tokenExpiry=\"1132\""],
            json!({"tokens": [{"status": "ACTIVE"}]}),
        );
        assert_eq!(
            said,
            json!({"tokens": [{"status": "ACTIVE"}, {"tokenInfo": {"tokenExpiry": "1132"}}]})
        );
    }

    #[test]
    fn the_envelope_is_reached_behind_its_name_only() {
        let edits = ["envelope.requestId=7".parse().expect("a good edit")];
        let (mut content, mut envelope) = (json!({}), json!({"requestId": "a"}));
        Edit::apply_to_content(&edits, &mut content);
        Edit::apply_to_envelope(&edits, &mut envelope);
        assert_eq!((content, envelope), (json!({}), json!({"requestId": 7})));
    }

    #[test]
    fn an_edit_without_a_path_is_refused_with_an_example() {
        for bad in ["tokens.0.status", "=1", "tokens..status=1", "envelope.=1"] {
            assert!(
                bad.parse::<Edit>().is_err_and(|e| e.to_string().contains("path=value")),
                "{bad}"
            );
        }
    }
}
