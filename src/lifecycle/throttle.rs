//! So many calls a second to one service and no more, whoever calls it: one after the other, each in its place.
//!
//! A place in the line is worth waiting for only so long, and for a command longer than for a question: questions never
//! stand more than `QUESTION_WAITS_MAX` deep before a command, however many there are.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::{Instant, sleep_until};

use super::art::{Gallery, NoAsset};
use super::{Looked, Reply, Request, TokenService, Trouble};
use crate::domain::command::{Service, Target};
use crate::store::assets::Medium;

/// A call for a command waits so long for its turn at most.
pub(super) const COMMAND_WAITS_MAX: Duration = Duration::from_secs(10);
/// And a question that no command hangs by so long.
const QUESTION_WAITS_MAX: Duration = Duration::from_secs(2);

/// A service that is called at most so many times a second. Whoever would wait too long for a turn is told so at once,
/// and the service is not called.
#[derive(Clone)]
pub struct Throttled {
    inner: Arc<dyn TokenService>,
    line: Arc<Line>,
    waits_max: Duration,
}

impl Throttled {
    /// That service as commands call it; a rate of none is one. There is one of it for a service: all others come of it.
    pub fn new(inner: Arc<dyn TokenService>, calls_per_second: u32) -> Self {
        Throttled {
            inner,
            line: Arc::new(Line::new(calls_per_second)),
            waits_max: COMMAND_WAITS_MAX,
        }
    }

    /// The same service in the same line, as it is asked where no command hangs by the answer.
    pub fn for_questions(&self) -> Self {
        Throttled {
            waits_max: QUESTION_WAITS_MAX,
            ..self.clone()
        }
    }

    /// Its assets, in the same line, as a question.
    pub fn gallery(&self, inner: Arc<dyn Gallery>) -> ThrottledGallery {
        ThrottledGallery {
            inner,
            line: self.line.clone(),
        }
    }

    async fn turn(&self) -> Result<(), Trouble> {
        self.line.turn(self.waits_max).await.map_err(|why| Trouble {
            code: None,
            why,
            no_such_token: false,
            of_this_token: false,
            unasked: true,
            words: None,
        })
    }
}

/// The assets of a service that is called at most so many times a second.
pub struct ThrottledGallery {
    inner: Arc<dyn Gallery>,
    line: Arc<Line>,
}

#[async_trait]
impl Gallery for ThrottledGallery {
    async fn asset(&self, id: &str) -> Result<Vec<Medium>, NoAsset> {
        self.line.turn(QUESTION_WAITS_MAX).await.map_err(NoAsset::Failed)?;
        self.inner.asset(id).await
    }
}

#[async_trait]
impl TokenService for Throttled {
    fn service(&self) -> Service {
        self.inner.service()
    }

    async fn look(&self, target: &Target) -> Result<Looked, Trouble> {
        self.turn().await?;
        self.inner.look(target).await
    }

    async fn look_with_number(&self, target: &Target) -> Result<Looked, Trouble> {
        self.turn().await?;
        self.inner.look_with_number(target).await
    }

    async fn change(&self, request: &Request<'_>) -> Reply {
        match self.turn().await {
            Ok(()) => self.inner.change(request).await,
            Err(trouble) => Reply::Unsent(trouble),
        }
    }
}

/// The turns of one service.
struct Line {
    every: Duration,
    next: Mutex<Instant>,
}

impl Line {
    fn new(calls_per_second: u32) -> Self {
        Line {
            every: Duration::from_secs(1) / calls_per_second.max(1),
            next: Mutex::new(Instant::now()),
        }
    }

    /// Waits for a turn; why there is none, if it is too far off.
    async fn turn(&self, waits_max: Duration) -> Result<(), String> {
        let Some(turn) = self.place(Instant::now(), waits_max) else {
            let seconds = waits_max.as_secs();
            return Err(format!(
                "too much is asked of it: no turn within {seconds} s, see `lifecycle.calls_per_second`"
            ));
        };
        sleep_until(turn).await;
        Ok(())
    }

    /// When who comes now may call; `None`, and no place taken, if that is too far off.
    fn place(&self, now: Instant, waits_max: Duration) -> Option<Instant> {
        let mut next = self.next.lock().expect("no one panics while holding it");
        let turn = (*next).max(now);
        (turn - now <= waits_max).then(|| {
            *next = turn + self.every;
            turn
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn turns_come_one_after_the_other_at_the_rate() {
        let line = Line::new(4);
        let now = Instant::now() + SECOND;
        let turns: Vec<_> = (0..3).map(|_| line.place(now, COMMAND_WAITS_MAX)).collect();
        assert_eq!(turns, [0, 1, 2].map(|nth| Some(now + nth * SECOND / 4)));
        let later = now + 10 * SECOND;
        assert_eq!(
            line.place(later, COMMAND_WAITS_MAX),
            Some(later),
            "what was not used is gone"
        );
    }

    #[test]
    fn however_much_is_asked_a_command_finds_a_place_behind_few_questions() {
        let line = Line::new(10);
        let now = Instant::now() + SECOND;
        let asked = (0..1_000).filter_map(|_| line.place(now, QUESTION_WAITS_MAX)).count();
        assert_eq!(asked, 21, "two seconds of them, and the one that goes at once");
        let turn = line.place(now, COMMAND_WAITS_MAX).expect("there is room for a command");
        assert!(turn - now <= QUESTION_WAITS_MAX + SECOND / 10);
    }

    #[test]
    fn who_would_wait_too_long_takes_no_place() {
        let line = Line::new(1);
        let now = Instant::now() + SECOND;
        while line.place(now, COMMAND_WAITS_MAX).is_some() {}
        assert_eq!(line.place(now, COMMAND_WAITS_MAX), None);
        assert!(line.place(now + SECOND, COMMAND_WAITS_MAX).is_some());
    }

    /// A gallery that has one thing for everybody.
    struct Any;

    #[async_trait]
    impl Gallery for Any {
        async fn asset(&self, _: &str) -> Result<Vec<Medium>, NoAsset> {
            Ok(Vec::new())
        }
    }

    struct Nobody;

    #[async_trait]
    impl TokenService for Nobody {
        fn service(&self) -> Service {
            Service::Mdes
        }

        async fn look(&self, _: &Target) -> Result<Looked, Trouble> {
            unreachable!("nobody looks")
        }

        async fn change(&self, _: &Request<'_>) -> Reply {
            unreachable!("nobody changes anything")
        }
    }

    #[tokio::test]
    async fn assets_stand_in_the_line_of_their_service() {
        let service = Throttled::new(Arc::new(Nobody), 1_000);
        let gallery = service.gallery(Arc::new(Any));
        let now = Instant::now() + SECOND;
        assert!(gallery.asset("A").await.is_ok());
        while service.line.place(now, COMMAND_WAITS_MAX).is_some() {}
        let late = gallery.asset("A").await;
        assert!(matches!(late, Err(NoAsset::Failed(_))), "{late:?}");
    }
}
