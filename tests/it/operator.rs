//! The operator's side: configuration, command line, check, the admin listener's pages.

mod config;
