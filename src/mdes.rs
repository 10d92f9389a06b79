//! Mastercard's language: bytes in, domain out.
