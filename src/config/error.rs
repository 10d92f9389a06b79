//! Why a configuration cannot be used: the key, where it was given, and what to write instead.
//!
//! No error holds a value that might be a secret; a value is shown only where it must be one of a few words.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

/// Why a configuration cannot be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The file cannot be read.
    #[error("configuration file {}: {why}", file.display())]
    Unreadable {
        /// Which file.
        file: PathBuf,
        /// What the operating system says.
        why: String,
    },
    /// The file is not TOML.
    #[error("configuration file {}: {why}", file.display())]
    Syntax {
        /// Which file.
        file: PathBuf,
        /// Line, column and what was expected there.
        why: String,
    },
    /// A key that no setting has.
    #[error("unknown key `{key}`{}", did_you_mean(nearest.as_deref()))]
    UnknownKey {
        /// Its full path.
        key: String,
        /// The known key that is most like it.
        nearest: Option<String>,
    },
    /// A `MDES_RECEIVER__…` variable that no setting has.
    #[error("unknown environment variable `{name}`{}", did_you_mean(nearest.as_deref()))]
    UnknownVariable {
        /// Its name.
        name: String,
        /// The known variable that is most like it.
        nearest: Option<String>,
    },
    /// A key that must be given.
    #[error("key `{key}` is missing {origin}")]
    Missing {
        /// Its full path.
        key: String,
        /// Where it was looked for.
        origin: Origin,
    },
    /// A value of the wrong type.
    #[error("key `{key}` {origin}: expected {expected}, found {found}")]
    WrongType {
        /// Its full path.
        key: String,
        /// Where it was given.
        origin: Origin,
        /// What may stand there.
        expected: String,
        /// What kind of thing stands there.
        found: String,
    },
    /// `${NAME}` without such a variable.
    #[error("key `{key}` {origin}: environment variable `{name}` is not set")]
    Unset {
        /// The key's full path.
        key: String,
        /// Where it was given.
        origin: Origin,
        /// The variable.
        name: String,
    },
    /// A value that cannot be right.
    #[error("key `{key}` {origin}: {why}")]
    Invalid {
        /// Its full path.
        key: String,
        /// Where it was given.
        origin: Origin,
        /// What is wrong, and what to write instead.
        why: String,
    },
}

fn did_you_mean(nearest: Option<&str>) -> String {
    match nearest {
        Some(nearest) => format!(": did you mean `{nearest}`?"),
        None => ": see config/example.toml for all keys".to_owned(),
    }
}

/// Where a value was given, or looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// In the configuration file.
    File(PathBuf),
    /// In an environment variable.
    Variable(String),
    /// By `--setting KEY=…`.
    Flag(String),
    /// Nowhere: no file was named, so that the default holds or a key is missing.
    Nowhere,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::File(file) => write!(f, "in {}", file.display()),
            Origin::Variable(name) => write!(f, "in environment variable `{name}`"),
            Origin::Flag(key) => write!(f, "in `--setting {key}`"),
            Origin::Nowhere => f.write_str("and no configuration file is named (`--config FILE`)"),
        }
    }
}

/// Which key was given where: what stands above the file, and the file for the rest.
#[derive(Debug)]
pub(super) struct Origins {
    pub(super) base: Origin,
    pub(super) above: BTreeMap<String, Origin>,
}

impl Origins {
    /// Where `key` was given: by itself, or with the list or table that holds it.
    pub(super) fn of(&self, key: &str) -> Origin {
        let holds = |given: &str| {
            key.strip_prefix(given)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        };
        let above = self.above.iter().find(|(given, _)| holds(given));
        above.map_or_else(|| self.base.clone(), |(_, origin)| origin.clone())
    }

    pub(super) fn invalid(&self, key: impl Into<String>, why: impl Into<String>) -> Error {
        let key = key.into();
        Error::Invalid {
            origin: self.of(&key),
            key,
            why: why.into(),
        }
    }

    pub(super) fn missing(&self, key: impl Into<String>) -> Error {
        let key = key.into();
        Error::Missing {
            origin: self.of(&key),
            key,
        }
    }
}
