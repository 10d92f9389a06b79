//! The other side of the street: plays Mastercard, on any desk and against any receiver.
//!
//! It writes and seals its JSON by itself, from the specification, and never uses `mdes` or `keys`,
//! so that it cannot share our misreadings.
//!
//! | module | what it is |
//! |---|---|
//! | [`scenario`] | the scenarios by name: what is sent and what should come back |
//! | [`story`] | what is said: one token's life, as JSON |
//! | [`seal`] | seals it to the receiver's public key |
//! | [`sender`] | the HTTPS client with the client certificate |
//! | [`play`] | plays scenarios and judges the answers |
//! | [`load`] | sends many notifications at once and measures |
//! | [`endpoint`] | the merchant's endpoint: takes what is told, and measures |
//! | [`services`] | plays the token services, TokenEx and MDES, for whoever changes tokens |
//! | [`set`] | `--set path=value` |
//! | [`pki`], [`dev_files`] | a test PKI, and the files of it that `dev` keeps |

mod caller;
mod card;
pub mod dev_files;
pub mod dice;
pub mod endpoint;
pub mod load;
mod message;
pub mod pki;
pub mod play;
pub mod refusal;
pub mod scenario;
pub mod seal;
pub mod sender;
pub mod services;
pub mod set;
pub mod story;
mod summary;
mod wording;
