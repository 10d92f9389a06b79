//! Times in which a notification may have been missed: seen, kept, closed, and asked after.

mod doors;
mod watch;
