//! Open files: each connection is one, and the usual limit of 1,024 is soon reached.

use rlimit::Resource;
use tracing::{info, warn};

/// What the database, the files and the runtime need besides the connections.
const BESIDES: u64 = 256;

/// Raises this process's limit of open files until `connections_max` fit, or says in the log that it could not.
/// Returns whether they fit.
pub fn raise_file_limit(connections_max: usize) -> bool {
    let needed = connections_max as u64 + BESIDES;
    let (soft, hard) = match Resource::NOFILE.get() {
        Ok(limits) => limits,
        Err(error) => {
            warn!(%error, needed, "the limit of open files cannot be read; set it by hand (ulimit -n)");
            return false;
        }
    };
    if soft >= needed {
        return true;
    }
    // Only root may raise the hard limit; anyone may go up to it.
    let raised = Resource::NOFILE.set(needed, hard.max(needed)).map(|()| needed);
    match raised.or_else(|_| Resource::NOFILE.set(hard, hard).map(|()| hard)) {
        Ok(limit) if limit >= needed => {
            info!(from = soft, to = limit, "raised the limit of open files");
            true
        }
        Ok(limit) => {
            warn!(
                limit,
                needed, "too few open files for `callback.limits.connections_max`; raise `ulimit -Hn` (LimitNOFILE)"
            );
            false
        }
        Err(error) => {
            warn!(%error, limit = soft, needed, "the limit of open files cannot be raised; raise `ulimit -n` (LimitNOFILE)");
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_raised_as_far_as_the_machine_allows() {
        let (soft, hard) = Resource::NOFILE.get().expect("a limit");
        let room = soft.saturating_sub(BESIDES) as usize;
        let fits = raise_file_limit(room + 1);
        let (now, _) = Resource::NOFILE.get().expect("a limit");
        assert_eq!(fits, now > soft);
        assert!(now > soft || hard == soft);
    }
}
