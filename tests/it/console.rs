//! The console: who comes in, what they see, and what a form may do.

pub mod browser;
mod chromium;

mod login;
mod pages;
