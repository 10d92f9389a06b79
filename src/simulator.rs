//! The other side of the street: plays Mastercard.

pub mod pki;
