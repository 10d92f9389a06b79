//! The stylesheet and the script, within the program.

use axum::extract::Path;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};

use super::page::Failure;

const STYLE: &str = include_str!("assets/console.css");
const SCRIPT: &str = include_str!("assets/console.js");

/// `GET /console/assets/{name}`.
pub(super) async fn serve(Path(name): Path<String>) -> Result<Response, Failure> {
    let (kind, text) = match name.as_str() {
        "console.css" => ("text/css; charset=utf-8", STYLE),
        "console.js" => ("text/javascript; charset=utf-8", SCRIPT),
        _ => return Err(Failure::not_found()),
    };
    Ok(([(CONTENT_TYPE, kind)], text).into_response())
}
