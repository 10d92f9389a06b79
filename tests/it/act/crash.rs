//! A desk that dies between any two steps: no command is lost, and none is sent twice unless the service said that it
//! did not happen.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use mdes_receiver::domain::command::{Action, Service, Stage};
use mdes_receiver::domain::id::{CommandId, TokenReference};
use mdes_receiver::store::desk::{
    Approved, Claims, CommandFilter, Desk, KeptCommand, Link, NewCommand, Ordered, Progress, SharedDesk, Step,
};
use mdes_receiver::store::{Error, Memory};
use tokio::sync::Notify;

use super::network::{Entry, Fault, Network};
use super::scene::{LONG, Scene};
use crate::support::Database;

promises!(
    a_desk_that_dies_anywhere_loses_no_suspension_and_sends_none_blindly,
    a_desk_that_dies_anywhere_loses_no_deletion_and_sends_none_blindly,
);

/// What a desk's work hangs by: it breaks at the point with that number, for good.
pub struct Thread {
    left: AtomicUsize,
    broken: Notify,
}

impl Thread {
    pub fn breaking_at(point: usize) -> Arc<Self> {
        Arc::new(Thread {
            left: AtomicUsize::new(point),
            broken: Notify::new(),
        })
    }

    /// One more point; who comes to the last one goes no further.
    pub async fn point(&self) {
        let left = self
            .left
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        if left == Ok(1) {
            self.broken.notify_one();
            std::future::pending::<()>().await;
        }
    }

    /// It breaks at the point with that number from here.
    pub fn breaks_at(&self, point: usize) {
        self.left.store(point, Ordering::SeqCst);
    }

    /// Returns once it is broken.
    pub async fn is_broken(&self) {
        self.broken.notified().await;
    }

    /// It will not break any more.
    pub fn mend(&self) {
        self.breaks_at(0);
    }
}

/// A memory at whose steps the thread may break, before their commit and after it.
pub struct Frail {
    memory: Arc<Memory>,
    thread: Arc<Thread>,
}

impl Frail {
    /// Over that memory, hanging by that thread.
    pub fn over(memory: &Arc<Memory>, thread: &Arc<Thread>) -> SharedDesk {
        Arc::new(Frail {
            memory: Arc::clone(memory),
            thread: Arc::clone(thread),
        })
    }
}

#[async_trait]
impl Desk for Frail {
    async fn order(&self, command: &NewCommand) -> Result<Ordered, Error> {
        self.memory.order(command).await
    }

    async fn approve(&self, id: CommandId, by: &str) -> Result<Approved, Error> {
        self.memory.approve(id, by).await
    }

    async fn withdraw(&self, id: CommandId, by: &str) -> Result<bool, Error> {
        self.memory.withdraw(id, by).await
    }

    async fn command(&self, id: CommandId) -> Result<Option<KeptCommand>, Error> {
        self.memory.command(id).await
    }

    async fn commands(
        &self,
        which: &CommandFilter,
        before: Option<CommandId>,
        limit: u32,
    ) -> Result<Vec<KeptCommand>, Error> {
        self.memory.commands(which, before, limit).await
    }

    async fn open_of(&self, asked_by: &str, at_most: u32) -> Result<u32, Error> {
        self.memory.open_of(asked_by, at_most).await
    }

    async fn steps(&self, id: CommandId) -> Result<Vec<Step>, Error> {
        self.memory.steps(id).await
    }

    async fn claim(&self, through: Service, lease: Duration, limit: u32) -> Result<Claims, Error> {
        let claims = self.memory.claim(through, lease, limit).await;
        self.thread.point().await;
        claims
    }

    async fn progress(&self, progress: &Progress) -> Result<bool, Error> {
        self.thread.point().await;
        let is_ours = self.memory.progress(progress).await;
        self.thread.point().await;
        is_ours
    }

    async fn link(&self, links: &[Link]) -> Result<u64, Error> {
        self.memory.link(links).await
    }

    async fn links_of(&self, token: &TokenReference) -> Result<Vec<Link>, Error> {
        self.memory.links_of(token).await
    }

    async fn links(&self, after: Option<&Link>, limit: u32) -> Result<Vec<Link>, Error> {
        self.memory.links(after, limit).await
    }

    async fn unlink(&self, link: &Link) -> Result<bool, Error> {
        self.memory.unlink(link).await
    }
}

async fn a_desk_that_dies_anywhere_loses_no_suspension_and_sends_none_blindly(database: Database) {
    dies_anywhere(database, Service::TokenEx, Action::Suspend).await;
}

async fn a_desk_that_dies_anywhere_loses_no_deletion_and_sends_none_blindly(database: Database) {
    dies_anywhere(database, Service::Mdes, Action::Delete).await;
}

async fn dies_anywhere(database: Database, service: Service, action: Action) {
    let mut scene = Scene::new(database, service).await;
    for fault in [Fault::None, Fault::LostAfter, Fault::LostBefore, Fault::Unsent] {
        dies_at_each_point(&mut scene, service, action, fault).await;
    }
}

/// Dies at its first point, then at its second with another token, and so on, until it lives through all of them.
async fn dies_at_each_point(scene: &mut Scene, service: Service, action: Action, fault: Fault) {
    for point in 1.. {
        assert!(point < 50, "it never ends");
        let thread = Thread::breaking_at(point);
        scene.network = Arc::new(Network::new(service).on(&thread));
        let token = format!("{fault:?}-{point}");
        scene.token(&token, "ACTIVE").await;
        scene.network.fail(&[fault]);
        let id = scene.order(action, &token).await;

        let lived = lives(scene, &thread, id).await;
        thread.mend();
        scene.wait(LONG);
        scene.turns(LONG).await;

        let stage = scene.stands(id).await.0;
        assert_eq!(stage, Stage::Confirmed, "dead at point {point} of {fault:?}");
        sends_none_blindly(&scene.network.log(&token));
        if lived {
            assert!(point > 8, "there are more points than {point} in {fault:?}");
            return;
        }
    }
}

/// Works until the thread breaks, or the command has come to its end.
async fn lives(scene: &Scene, thread: &Arc<Thread>, id: CommandId) -> bool {
    let office = scene.office_over(Frail::over(&scene.memory, thread));
    loop {
        tokio::select! {
            // Dropped with all that it was doing, as a process is.
            () = thread.is_broken() => return false,
            turned = office.turn(10) => drop(turned.expect("the store answers")),
        }
        if scene.stands(id).await.0.is_final() {
            return true;
        }
        scene.wait(1);
    }
}

/// Between two requests stands an answer to a question; and what has happened, and was not undone, is not asked for again.
fn sends_none_blindly(log: &[Entry]) {
    let (mut may, mut landed) = (true, false);
    for entry in log {
        match entry {
            Entry::Change { applied, .. } => {
                assert!(may && !landed, "sent blindly: {log:?}");
                (may, landed) = (false, *applied);
            }
            Entry::Look { seen, .. } => may |= seen.is_some(),
        }
    }
}
