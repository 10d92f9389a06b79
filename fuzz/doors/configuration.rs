//! The configuration: a file that anybody may have written, by hand, at night.

use std::path::PathBuf;
use std::sync::LazyLock;

use mdes_receiver::config;

static FILE: LazyLock<PathBuf> =
    LazyLock::new(|| std::env::temp_dir().join(format!("mdes-receiver-fuzz-{}.toml", std::process::id())));

const SECRET: &str = "c0rrect-horse";

/// It is taken, or refused in words: the same both times, and never with what stands in the place of a secret.
pub fn enter(data: &[u8]) {
    std::fs::write(&*FILE, data).expect("written");
    let env = || [("DATABASE_PASSWORD".to_owned(), SECRET.to_owned())];
    let told = || config::load(Some(&FILE), &[], env()).map_err(|error| error.to_string());
    match (told(), told()) {
        (Ok(settings), Ok(_)) => assert!(!format!("{settings:?}").contains(SECRET), "Debug shows no secret"),
        (Err(first), Err(second)) => {
            assert!(!first.trim().is_empty(), "an error says something");
            assert_eq!(first, second);
        }
        _ => panic!("it was taken once and refused once"),
    }
}
