//! The doors that a stranger's bytes come in by, each with what must hold whatever the bytes are.
//!
//! A door takes any bytes and panics if a promise is broken. The fuzzer's targets (`fuzz/targets`) walk through them
//! guided by coverage; the suite (`tests/it/fuzz.rs`) plays the seeds, and a few seconds of blind changes of them.

mod certificate;
mod configuration;
mod cursor;
mod envelope;
mod masking;
mod message;
mod proxy;
mod ring;
mod signature;
mod tokenex;

/// What a door is: any bytes in, a panic if a promise is broken.
pub type Door = fn(&[u8]);

/// Every door by its name, which is also the name of its target and of the folder of its seeds.
pub const DOORS: [(&str, Door); 10] = [
    ("envelope", envelope::enter),
    ("message", message::enter),
    ("tokenex_request", tokenex::request),
    ("tokenex_reply", tokenex::reply),
    ("tokenex_notice", tokenex::notice),
    ("proxy_header", proxy::enter),
    ("forwarded_certificate", certificate::enter),
    ("configuration", configuration::enter),
    ("cursor", cursor::enter),
    ("signature", signature::enter),
];

/// The door of that name.
///
/// # Panics
/// If there is none.
pub fn door(name: &str) -> Door {
    let found = DOORS.iter().find(|(known, _)| *known == name);
    found.unwrap_or_else(|| panic!("no door is called `{name}`")).1
}
