//! A JSON object that is wiped when it is dropped.
//!
//! What the parser's own scratch space held is out of reach; what we hold is not.

use std::io;

use serde_json::{Map, Value};
use zeroize::{Zeroize, Zeroizing};

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// A JSON object from outside. Debug is left out on purpose.
pub(in crate::mdes) struct Plaintext(Value);

impl Plaintext {
    /// The object that these bytes write; `None` if they are no UTF-8 JSON object.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let bytes = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes);
        let plaintext = Plaintext(serde_json::from_slice(bytes).ok()?);
        plaintext.0.is_object().then_some(plaintext)
    }

    /// Its value.
    pub fn value(&self) -> &Value {
        &self.0
    }

    /// Its fields.
    pub fn fields(&self) -> &Map<String, Value> {
        self.0.as_object().expect("parse lets nothing but objects in")
    }

    /// The same, to change them.
    pub fn fields_mut(&mut self) -> &mut Map<String, Value> {
        self.0.as_object_mut().expect("parse lets nothing but objects in")
    }

    /// Moves it out, and leaves an empty object.
    pub fn take(&mut self) -> Self {
        Plaintext(std::mem::replace(&mut self.0, Value::Object(Map::new())))
    }
}

impl Drop for Plaintext {
    fn drop(&mut self) {
        wipe(&mut self.0);
    }
}

fn wipe(value: &mut Value) {
    match value {
        Value::String(text) => text.zeroize(),
        Value::Array(items) => items.iter_mut().for_each(wipe),
        Value::Object(map) => {
            for (mut name, mut value) in std::mem::take(map) {
                name.zeroize();
                wipe(&mut value);
            }
        }
        Value::Number(_) => *value = Value::Null,
        Value::Null | Value::Bool(_) => {}
    }
}

/// A value in one form, whatever form it came in: no blanks, keys sorted (serde_json's map is a sorted one).
pub(in crate::mdes) fn canonical(value: &Value) -> Zeroizing<Vec<u8>> {
    let mut length = Length(0);
    let measured = serde_json::to_writer(&mut length, value);
    // Measured first, so that growing leaves no copies behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(length.0));
    measured
        .and_then(|()| serde_json::to_writer(&mut *bytes, value))
        .expect("a value that was parsed can be written to memory");
    bytes
}

struct Length(usize);

impl io::Write for Length {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
