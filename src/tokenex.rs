//! The token service's language: TokenEx's `NetworkToken` methods, as asked and as answered.
