//! The decryption key ring.
