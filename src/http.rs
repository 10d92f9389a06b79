//! Over HTTP: the callback and the admin side.
