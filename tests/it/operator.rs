//! The operator's side: configuration, command line, check, the admin listener's pages.

mod admin;
mod check;
mod command_line;
mod config;
mod delivering;
mod desk;
mod lifecycle;
mod operators;
mod registering;
