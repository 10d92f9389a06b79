//! getAsset: card art and texts by their ids (`GET /assets/static/1/0/asset/{AssetId}`, signed as any call).

use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hyper::{Method, StatusCode};
use serde::Deserialize;
use serde_json::Value;

use super::{Client, Unheard};
use crate::lifecycle::art::{Gallery, MEDIA_MAX, MEDIUM_BYTES_MAX, NoAsset};
use crate::net::egress::Limits;
use crate::store::assets::Medium;

const PATH: &str = "/assets/static/1/0/asset/";
/// All media of an asset in base64, and what stands around them.
const ANSWER_BYTES_MAX: usize = MEDIA_MAX * (MEDIUM_BYTES_MAX / 3 * 4) + 64 * 1024;
const TYPE_CHARS_MAX: usize = 128;

/// What of the answer is of use; numbers come as text.
#[derive(Deserialize)]
struct Given {
    #[serde(rename = "mediaContents")]
    media: Vec<Written>,
}

#[derive(Deserialize)]
struct Written {
    #[serde(rename = "type")]
    content_type: Option<String>,
    data: Option<String>,
    height: Option<Value>,
    width: Option<Value>,
}

#[async_trait]
impl Gallery for Client {
    async fn asset(&self, id: &str) -> Result<Vec<Medium>, NoAsset> {
        let limits = Limits {
            total: self.settings.egress.total,
            body_bytes_max: ANSWER_BYTES_MAX,
        };
        let response = self
            .send(Method::GET, &format!("{PATH}{id}"), Bytes::new(), limits)
            .await;
        let response = response.map_err(|unheard: Unheard| NoAsset::Failed(unheard.trouble().why))?;
        match response.status {
            status if status.is_success() && !response.truncated => read(&response.body),
            StatusCode::BAD_REQUEST | StatusCode::NOT_FOUND => Err(NoAsset::Absent),
            _ if response.truncated => Err(NoAsset::Failed("MDES: the asset is too large".to_owned())),
            status => Err(NoAsset::Failed(format!("MDES: HTTP {}", status.as_u16()))),
        }
    }
}

/// A 200 without media is an error, as any 200 of MDES's may be.
fn read(body: &[u8]) -> Result<Vec<Medium>, NoAsset> {
    let given: Given = serde_json::from_slice(body)
        .map_err(|_| NoAsset::Failed("MDES: HTTP 200, and a body that is no asset".to_owned()))?;
    let media: Vec<Medium> = given.media.into_iter().filter_map(medium).take(MEDIA_MAX).collect();
    match media.is_empty() {
        true => Err(NoAsset::Absent),
        false => Ok(media),
    }
}

/// One that is too large, or is no base64, is passed over.
fn medium(written: Written) -> Option<Medium> {
    let data: String = written.data?.split_ascii_whitespace().collect();
    let body = STANDARD.decode(data).ok()?;
    let content_type = written.content_type.unwrap_or_default();
    let is_type = content_type.len() <= TYPE_CHARS_MAX && content_type.chars().all(|c| c.is_ascii_graphic());
    (!body.is_empty() && body.len() <= MEDIUM_BYTES_MAX).then(|| Medium {
        content_type: if is_type { content_type } else { String::new() },
        body,
        width: pixels(written.width),
        height: pixels(written.height),
    })
}

fn pixels(given: Option<Value>) -> Option<u32> {
    match given? {
        Value::String(text) => text.trim().parse().ok(),
        Value::Number(number) => number.as_u64().and_then(|pixels| u32::try_from(pixels).ok()),
        _ => None,
    }
}
