//! Card art: what an asset's id names never changes, so that it is fetched once, when somebody first looks at it.
//!
//! Only ids that the card art of a token of ours names are asked for: nobody can have us fetch what they like. Of one id
//! one fetch is under way; what is not there is not asked for again for a while.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use time::{Duration, OffsetDateTime};
use tokio::sync::Semaphore;

use crate::clock::Clock;
use crate::domain::id::Namespace;
use crate::store;
use crate::store::assets::{Medium, SharedAssets};

/// Media of one asset, and bytes of one of them.
pub const MEDIA_MAX: usize = 8;
/// More than any picture of a card.
pub const MEDIUM_BYTES_MAX: usize = 2 << 20;
/// Fetches that are under way or wait.
const WAITING_MAX: usize = 64;
/// Fetches under way: the answer of each may take tens of megabytes while it is read.
const AT_ONCE_MAX: usize = 2;
/// How long it is remembered that there is no such asset, and that a fetch failed.
const ABSENT_FOR: Duration = Duration::minutes(5);
const FAILED_FOR: Duration = Duration::seconds(10);
/// So many are remembered at most.
const REMEMBERED_MAX: usize = 1_000;
/// The specification's own bound of an id.
const ID_CHARS_MAX: usize = 64;

/// Who gives assets by their id. Every call has a deadline of its own.
#[async_trait]
pub trait Gallery: Send + Sync {
    /// All media of an asset, at most [`MEDIA_MAX`] of [`MEDIUM_BYTES_MAX`] bytes each.
    async fn asset(&self, id: &str) -> Result<Vec<Medium>, NoAsset>;
}

/// Why there is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoAsset {
    /// The service has none of that id, or none that can be used.
    #[error("there is no such asset")]
    Absent,
    /// Nobody knows: try again later. For people; masked.
    #[error("{0}")]
    Failed(String),
}

/// Why nothing can be shown.
#[derive(Debug, thiserror::Error)]
pub enum NoArt {
    /// No token of ours names it, the service has none, or it has no medium at that place.
    #[error("no token names such an asset, or there is none")]
    Unknown,
    /// It is not kept, and nobody is configured who could be asked.
    #[error("it is not kept, and `[lifecycle.mdes]` is not configured, which would give it")]
    NobodyToAsk,
    /// Too many wait already.
    #[error("too many assets are being fetched: try again")]
    Busy,
    /// It could not be fetched.
    #[error("{0}")]
    Failed(String),
    /// The memory.
    #[error(transparent)]
    Store(#[from] store::Error),
}

/// All art. One per process; share it by `Arc`.
pub struct Art {
    assets: SharedAssets,
    gallery: Option<Arc<dyn Gallery>>,
    clock: Arc<dyn Clock>,
    places: Arc<Semaphore>,
    fetching: Semaphore,
    /// One lock for each id that is being fetched.
    under_way: Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>,
    in_vain: Mutex<BTreeMap<String, (OffsetDateTime, NoAsset)>>,
}

impl Art {
    /// Over this memory; without a gallery only what is kept is shown.
    pub fn new(assets: SharedAssets, gallery: Option<Arc<dyn Gallery>>, clock: Arc<dyn Clock>) -> Self {
        Art {
            assets,
            gallery,
            clock,
            places: Arc::new(Semaphore::new(WAITING_MAX)),
            fetching: Semaphore::new(AT_ONCE_MAX),
            under_way: Mutex::default(),
            in_vain: Mutex::default(),
        }
    }

    /// The medium at that place of an asset: from the memory, or fetched now and kept.
    ///
    /// A crash on the way leaves nothing, or all of it.
    pub async fn medium(self: &Arc<Self>, id: &str, place: u32) -> Result<Medium, NoArt> {
        if !is_id(id) {
            return Err(NoArt::Unknown);
        }
        if let Some(medium) = self.assets.medium(Namespace::Mdes, id, place).await? {
            return Ok(medium);
        }
        if self.assets.holds_asset(Namespace::Mdes, id).await? {
            // It may have come since we looked.
            let medium = self.assets.medium(Namespace::Mdes, id, place).await?;
            return medium.ok_or(NoArt::Unknown);
        }
        let waits = self.places.clone().try_acquire_owned().map_err(|_| NoArt::Busy)?;
        let (art, wanted) = (self.clone(), id.to_owned());
        // On a task of its own: whoever asked may go away, and what was fetched is kept all the same.
        let fetched = tokio::spawn(async move { (art.fetch_in_turn(&wanted).await, drop(waits)).0 });
        fetched
            .await
            .unwrap_or_else(|_| Err(NoArt::Failed("a defect of this program".to_owned())))?;
        let medium = self.assets.medium(Namespace::Mdes, id, place).await?;
        medium.ok_or(NoArt::Unknown)
    }

    async fn fetch_in_turn(&self, id: &str) -> Result<(), NoArt> {
        let turn = self.turn(id);
        let fetched = {
            let _turn = turn.lock().await;
            self.fetch(id).await
        };
        self.leave(id, turn);
        fetched
    }

    /// After `Ok` it is kept. Who comes second finds what the first one fetched, or that it was in vain.
    async fn fetch(&self, id: &str) -> Result<(), NoArt> {
        if self.assets.holds_asset(Namespace::Mdes, id).await? {
            return Ok(());
        }
        if let Some(known) = self.known_in_vain(id) {
            return Err(known.into());
        }
        let _one = self.fetching.acquire().await.expect("nobody closes it");
        if !self.assets.names_asset(id).await? {
            self.remember(id, &NoAsset::Absent);
            return Err(NoArt::Unknown);
        }
        let gallery = self.gallery.as_ref().ok_or(NoArt::NobodyToAsk)?;
        match gallery.asset(id).await {
            Ok(media) => Ok(self.assets.keep_asset(Namespace::Mdes, id, &media).await?),
            Err(why) => {
                tracing::warn!(asset = id, %why, "cannot fetch an asset");
                self.remember(id, &why);
                Err(why.into())
            }
        }
    }

    fn turn(&self, id: &str) -> Arc<tokio::sync::Mutex<()>> {
        locked(&self.under_way).entry(id.to_owned()).or_default().clone()
    }

    /// The last one to leave takes the lock away.
    fn leave(&self, id: &str, turn: Arc<tokio::sync::Mutex<()>>) {
        let mut under_way = locked(&self.under_way);
        drop(turn);
        under_way.retain(|other, lock| other != id || Arc::strong_count(lock) > 1);
    }

    fn known_in_vain(&self, id: &str) -> Option<NoAsset> {
        let in_vain = locked(&self.in_vain);
        let (until, why) = in_vain.get(id)?;
        (self.clock.now() < *until).then(|| why.clone())
    }

    fn remember(&self, id: &str, why: &NoAsset) {
        let now = self.clock.now();
        let lasts = match why {
            NoAsset::Absent => ABSENT_FOR,
            NoAsset::Failed(_) => FAILED_FOR,
        };
        let mut in_vain = locked(&self.in_vain);
        if in_vain.len() >= REMEMBERED_MAX {
            in_vain.retain(|_, (until, _)| now < *until);
        }
        if in_vain.len() >= REMEMBERED_MAX {
            in_vain.pop_first();
        }
        in_vain.insert(id.to_owned(), (now + lasts, why.clone()));
    }
}

impl From<NoAsset> for NoArt {
    fn from(why: NoAsset) -> Self {
        match why {
            NoAsset::Absent => NoArt::Unknown,
            NoAsset::Failed(why) => NoArt::Failed(why),
        }
    }
}

/// As MDES writes its ids (UUIDs): nothing in it that a path, a header or a URL would stumble over.
fn is_id(text: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    (1..=ID_CHARS_MAX).contains(&text.len()) && text.chars().all(is_plain)
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
