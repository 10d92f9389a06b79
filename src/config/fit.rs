//! Holds what was written against the shape of what may be written.
//!
//! After it, every key is known, every value is of its kind and every `${NAME}` is read. No message shows a value.

use std::collections::BTreeMap;

use ::config::{File, FileFormat, Value, ValueKind};

use super::error::{Error, Origins};
use super::shape::Shape;

/// What a fit is made against.
pub(super) struct Fit<'a> {
    pub(super) root: &'a Shape,
    pub(super) origins: &'a Origins,
    pub(super) env: &'a BTreeMap<String, String>,
}

impl Fit<'_> {
    /// The whole tree, fitted.
    pub(super) fn tree(&self, tree: Value) -> Result<Value, Error> {
        self.value(tree, self.root, "")
    }

    fn value(&self, value: Value, shape: &Shape, at: &str) -> Result<Value, Error> {
        let fitted: ValueKind = match (shape, value.kind) {
            (Shape::Table(fields), ValueKind::Table(table)) => self.table(table.into_iter().collect(), fields, at)?,
            (Shape::List(inner), ValueKind::Array(items)) => self.list(items, inner, at)?,
            (Shape::TextOrList, ValueKind::Array(items)) => self.list(items, &Shape::Text, at)?,
            (_, ValueKind::String(text)) => self.text(text, shape, at)?,
            (Shape::Number, ValueKind::I64(number)) if number >= 0 => ValueKind::I64(number),
            (Shape::Flag, ValueKind::Boolean(flag)) => ValueKind::Boolean(flag),
            (_, found) => return Err(self.wrong_type(at, shape, &found)),
        };
        Ok(Value::new(None, fitted))
    }

    fn table(
        &self,
        table: BTreeMap<String, Value>,
        fields: &[(&'static str, Shape)],
        at: &str,
    ) -> Result<ValueKind, Error> {
        let mut fitted = ::config::Map::new();
        for (name, value) in table {
            let Some((_, shape)) = fields.iter().find(|(field, _)| *field == name) else {
                return Err(unknown(self.root, fields, at, &name));
            };
            let value = self.value(value, shape, &join(at, &name))?;
            fitted.insert(name, value);
        }
        Ok(ValueKind::Table(fitted))
    }

    fn list(&self, items: Vec<Value>, shape: &Shape, at: &str) -> Result<ValueKind, Error> {
        let items = items.into_iter().enumerate();
        let fitted: Result<Vec<Value>, Error> = items
            .map(|(index, item)| self.value(item, shape, &format!("{at}[{index}]")))
            .collect();
        Ok(ValueKind::Array(fitted?))
    }

    fn text(&self, text: String, shape: &Shape, at: &str) -> Result<ValueKind, Error> {
        let expanded = self.expanded(&text, at)?;
        let from_environment = expanded.is_some();
        let text = expanded.unwrap_or(text);
        let fitted = match shape {
            Shape::Text | Shape::TextOrList => Some(ValueKind::String(text.clone())),
            Shape::Word(words) => words.contains(&text.as_str()).then(|| ValueKind::String(text.clone())),
            // What the environment says is always text: it is read as the kind that belongs there.
            Shape::Number | Shape::Flag | Shape::List(_) if from_environment => {
                from_text(&text, shape).map(|value| value.kind)
            }
            _ => None,
        };
        fitted.ok_or_else(|| self.wrong_type(at, shape, &ValueKind::String(text)))
    }

    /// `text` with every `${NAME}` read from the environment; `None` if there is none. `$${` stands for `${`.
    fn expanded(&self, text: &str, at: &str) -> Result<Option<String>, Error> {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(start) = rest.find("${") {
            let (before, after) = rest.split_at(start);
            let after = &after[2..];
            if let Some(before) = before.strip_suffix('$') {
                out.push_str(before);
                out.push_str("${");
                rest = after;
                continue;
            }
            let Some((name, after)) = after.split_once('}').filter(|(name, _)| is_name(name)) else {
                let why = "`${` must be followed by a variable's name and `}`; write `$${` for these two characters";
                return Err(self.origins.invalid(at, why));
            };
            let value = self.env.get(name).ok_or_else(|| Error::Unset {
                key: at.to_owned(),
                origin: self.origins.of(at),
                name: name.to_owned(),
            })?;
            out.push_str(before);
            out.push_str(value);
            rest = after;
        }
        out.push_str(rest);
        Ok((out != text).then_some(out))
    }

    fn wrong_type(&self, at: &str, shape: &Shape, found: &ValueKind) -> Error {
        let found = match found {
            ValueKind::Nil => "nothing".to_owned(),
            ValueKind::Boolean(flag) => flag.to_string(),
            ValueKind::I64(number) if *number < 0 => "a negative number".to_owned(),
            ValueKind::I64(_) | ValueKind::U64(_) | ValueKind::I128(_) | ValueKind::U128(_) => "a number".to_owned(),
            ValueKind::Float(_) => "a number with a fraction".to_owned(),
            ValueKind::String(word) if matches!(shape, Shape::Word(_)) => format!("{word:?}"),
            ValueKind::String(_) => "text".to_owned(),
            ValueKind::Table(_) => "a table".to_owned(),
            ValueKind::Array(_) => "a list".to_owned(),
        };
        Error::WrongType {
            key: at.to_owned(),
            origin: self.origins.of(at),
            expected: shape.expected(),
            found,
        }
    }
}

/// What a flag or an environment variable says, read as the kind that belongs there; `None` if it cannot be.
///
/// A list is comma-separated, or a TOML array; a table is a TOML inline table.
pub(super) fn from_text(text: &str, shape: &Shape) -> Option<Value> {
    let kind = match shape {
        Shape::Text | Shape::Word(_) => ValueKind::String(text.to_owned()),
        Shape::Number => ValueKind::I64(text.trim().parse().ok()?),
        Shape::Flag => ValueKind::Boolean(text.trim().parse().ok()?),
        Shape::List(_) | Shape::TextOrList if text.trim_start().starts_with('[') => return toml_value(text),
        Shape::Table(_) => return toml_value(text),
        Shape::List(inner) if matches!(**inner, Shape::Table(_)) => return None,
        // A comma may stand in the options of one URL: only whole URLs make a list.
        Shape::TextOrList if !text.contains(',') || !text.split(',').all(|item| item.contains("://")) => {
            ValueKind::String(text.to_owned())
        }
        Shape::List(_) | Shape::TextOrList => {
            let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
            ValueKind::Array(items.map(|item| Value::new(None, item)).collect())
        }
    };
    Some(Value::new(None, kind))
}

fn toml_value(text: &str) -> Option<Value> {
    let document = format!("value = {text}");
    let source = File::from_str(&document, FileFormat::Toml);
    let parsed = ::config::Config::builder().add_source(source).build().ok()?;
    let ValueKind::Table(mut table) = parsed.cache.kind else {
        return None;
    };
    table.remove("value").filter(|_| table.is_empty())
}

/// The error for a key that no setting has, with the known one that is most like it.
pub(super) fn unknown(root: &Shape, siblings: &[(&'static str, Shape)], at: &str, name: &str) -> Error {
    let key = join(at, name);
    let sibling = nearest(name, siblings.iter().map(|(sibling, _)| *sibling)).map(|sibling| join(at, sibling));
    let keys = root.keys();
    let elsewhere = || {
        let same_name = keys.iter().find(|known| known.rsplit('.').next() == Some(name));
        same_name
            .map(String::as_str)
            .or_else(|| nearest(&key, keys.iter().map(String::as_str)))
    };
    Error::UnknownKey {
        nearest: sibling.or_else(|| elsewhere().map(str::to_owned)),
        key: key.escape_debug().to_string(),
    }
}

/// The candidate that is most like `name`, if any is like it at all.
pub(super) fn nearest<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let allowed = (name.len() / 3).max(2);
    candidates
        .map(|candidate| (strsim::damerau_levenshtein(name, candidate), candidate))
        .filter(|(distance, _)| *distance <= allowed)
        .min()
        .map(|(_, candidate)| candidate)
}

fn join(at: &str, name: &str) -> String {
    if at.is_empty() {
        name.to_owned()
    } else {
        format!("{at}.{name}")
    }
}

fn is_name(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '_';
    !name.is_empty() && name.chars().all(allowed) && !name.starts_with(|c: char| c.is_ascii_digit())
}
