//! What a piece of work went through, noted where it happens and read where it ends.
//!
//! Who does the work knows no trace: it names its stages, and where nobody witnesses them, that costs one look.

use std::cell::RefCell;
use std::time::Instant;

use uuid::Uuid;

/// Of one piece of work; more are not noted.
const STAGES_MAX: usize = 16;

/// One stage.
#[derive(Clone, Copy, Debug)]
pub struct Stage {
    /// What it was.
    pub name: &'static str,
    /// From when …
    pub from: Instant,
    /// … to when.
    pub until: Instant,
}

/// What was seen of a piece of work.
#[derive(Debug, Default)]
pub struct Witnessed {
    /// What it was about, once that had an id.
    pub about: Option<Uuid>,
    /// Its stages that came to their end, in the order of that.
    pub stages: Vec<Stage>,
}

tokio::task_local! {
    static SEEN: RefCell<Witnessed>;
}

/// Does the work, and gives what was seen of it.
pub(super) async fn witness<F: Future>(work: F) -> (F::Output, Witnessed) {
    let scope = async {
        let output = work.await;
        (output, SEEN.with(RefCell::take))
    };
    SEEN.scope(RefCell::default(), scope).await
}

/// What is done here is about that.
pub fn about(id: Uuid) {
    // Where nobody witnesses, nobody is told; so below.
    let _ = SEEN.try_with(|seen| seen.borrow_mut().about = Some(id));
}

/// Does it, as a stage.
pub fn within<T>(name: &'static str, work: impl FnOnce() -> T) -> T {
    if !is_witnessed() {
        return work();
    }
    let from = Instant::now();
    let done = work();
    note(name, from);
    done
}

/// Waits for it, as a stage; one that is cut off is none.
pub async fn during<F: Future>(name: &'static str, work: F) -> F::Output {
    if !is_witnessed() {
        return work.await;
    }
    let from = Instant::now();
    let done = work.await;
    note(name, from);
    done
}

fn is_witnessed() -> bool {
    SEEN.try_with(|_| ()).is_ok()
}

fn note(name: &'static str, from: Instant) {
    let until = Instant::now();
    let _ = SEEN.try_with(|seen| {
        let stages = &mut seen.borrow_mut().stages;
        if stages.len() < STAGES_MAX {
            stages.push(Stage { name, from, until });
        }
    });
}
