//! The program as a process: what is promised of `mdes-receiver` itself, by its own binary.

mod beside;
mod commands;
mod crash;
mod dev;
mod door;
mod generated;
mod guesses;
mod interop;
pub mod process;
mod readme;
mod shell;
mod signals;
mod supervisor;
mod terminal;
pub mod traffic;
mod upgrade;
