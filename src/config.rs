//! What an operator writes, and what it means.
//!
//! One TOML file, overridden by the environment (`MDES_RECEIVER__STORE__URL`), overridden by flags
//! (`--setting store.url=…`). `${NAME}` in a value reads the environment. [`load`] gives [`settings::Settings`],
//! in which nothing can be wrong any more but what only a look at the files and the network can tell.

mod error;
mod file;
mod fit;
mod resolve;
mod secrets;
pub mod settings;
mod shape;

use std::collections::BTreeMap;
use std::path::Path;

use ::config::builder::{ConfigBuilder, DefaultState};
use ::config::{ConfigError, FileFormat, Value};

use self::error::Origins;
pub use self::error::{Error, Origin};
use self::settings::Settings;
use self::shape::Shape;

const PREFIX: &str = "MDES_RECEIVER__";

/// Reads the file (if one is named), lays the environment and the flags over it, and checks the whole.
///
/// A variable is `MDES_RECEIVER__` and the key in upper case, its parts divided by `__`; a flag is the key and a text.
/// A list is comma-separated or a TOML array, an array of tables a TOML array of inline tables.
/// Relative paths, wherever they were given, stand against the folder of the file.
pub fn load(
    path: Option<&Path>,
    flags: &[(String, String)],
    env: impl IntoIterator<Item = (String, String)>,
) -> Result<Settings, Error> {
    let env: BTreeMap<String, String> = env.into_iter().collect();
    let root = shape::of::<file::File>();
    let mut origins = Origins {
        base: path.map_or(Origin::Nowhere, |path| Origin::File(path.to_owned())),
        above: BTreeMap::new(),
    };

    let mut layers = ::config::Config::builder();
    if let Some(path) = path {
        layers = layers.add_source(::config::File::from_str(&text_of(path)?, FileFormat::Toml));
    }
    for (name, text) in env.iter().filter(|(name, _)| name.starts_with(PREFIX)) {
        let key = key_of_variable(name);
        let shape = root.at(&key).ok_or_else(|| unknown_variable(name, &root))?;
        layers = lay_over(layers, &key, text, shape, &origins)?;
        origins.above.insert(key, Origin::Variable(name.clone()));
    }
    for (key, text) in flags {
        let shape = root.at(key).ok_or_else(|| unknown_key(key, &root))?;
        layers = lay_over(layers, key, text, shape, &origins)?;
        origins.above.insert(key.clone(), Origin::Flag(key.clone()));
    }
    let tree = layers.build().map_err(|error| syntax(path, &error))?.cache;

    let fit = fit::Fit {
        root: &root,
        origins: &origins,
        env: &env,
    };
    let file: file::File = serde_path_to_error::deserialize(fit.tree(tree)?)
        .map_err(|error| origins.invalid(error.path().to_string(), "cannot be read"))?;
    let folder = path.and_then(Path::parent).unwrap_or(Path::new(""));
    resolve::settings(file, &resolve::Resolver::new(folder, &origins))
}

fn text_of(path: &Path) -> Result<String, Error> {
    std::fs::read_to_string(path).map_err(|error| Error::Unreadable {
        file: path.to_owned(),
        why: error.to_string(),
    })
}

/// What does not fit its kind is left as text: the check that follows says so, and where it was given.
fn lay_over(
    layers: ConfigBuilder<DefaultState>,
    key: &str,
    text: &str,
    shape: &Shape,
    origins: &Origins,
) -> Result<ConfigBuilder<DefaultState>, Error> {
    let value = fit::from_text(text, shape).unwrap_or_else(|| Value::new(None, text));
    let laid = layers.set_override(key, value);
    laid.map_err(|_| origins.invalid(key, "is no key"))
}

fn key_of_variable(name: &str) -> String {
    name[PREFIX.len()..].to_ascii_lowercase().replace("__", ".")
}

fn unknown_variable(name: &str, root: &Shape) -> Error {
    let nearest = match unknown_key(&key_of_variable(name), root) {
        Error::UnknownKey { nearest, .. } => nearest.filter(|key| !key.contains('[')),
        _ => None,
    };
    Error::UnknownVariable {
        name: name.to_owned(),
        nearest: nearest.map(|key| format!("{PREFIX}{}", key.to_ascii_uppercase().replace('.', "__"))),
    }
}

/// The error for a dotted key: the table that it leads to is where its neighbours are looked for.
fn unknown_key(key: &str, root: &Shape) -> Error {
    let (table, name) = key.rsplit_once('.').unwrap_or(("", key));
    let siblings = match if table.is_empty() { Some(root) } else { root.at(table) } {
        Some(Shape::Table(fields)) => fields.as_slice(),
        _ => &[],
    };
    fit::unknown(root, siblings, table, name)
}

/// Only the place and the parser's own words: the line itself may hold a password.
fn syntax(path: Option<&Path>, error: &ConfigError) -> Error {
    let cause = match error {
        ConfigError::FileParse { cause, .. } => cause.to_string(),
        _ => String::new(),
    };
    let mut lines = cause.lines().filter(|line| !line.trim().is_empty());
    let place = lines
        .next()
        .and_then(|line| line.split_once(" at "))
        .map_or("", |(_, place)| place);
    let why = lines.next_back().unwrap_or("not TOML");
    Error::Syntax {
        file: path.unwrap_or(Path::new("")).to_owned(),
        why: format!("{place}: {why}"),
    }
}

#[cfg(test)]
mod tests;
