//! A form that was sent: read within its bounds, and, from who is logged in, only if a page of theirs made it.

use axum::Form;
use axum::body::Body;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::header::CONTENT_LENGTH;
use axum::http::request::Parts;
use bytes::Bytes;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::page::Failure;
use super::session::Visitor;
use super::{Console, SharedConsole};
use crate::http::body::{Collected, collect};

impl<S: Sync> FromRequestParts<S> for Visitor {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        // Nobody comes here whom `admit` has not let through.
        parts.extensions.get().cloned().ok_or_else(Failure::not_from_here)
    }
}

/// The fields of a form; those that nobody asks for are passed over.
pub(super) struct Posted<T>(pub(super) T);

#[derive(Deserialize)]
struct Sealed {
    #[serde(default)]
    seal: String,
}

impl<T: DeserializeOwned> FromRequest<SharedConsole> for Posted<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, console: &SharedConsole) -> Result<Self, Failure> {
        let (head, body) = request.into_parts();
        let visitor = head.extensions.get::<Visitor>().cloned();
        let body = whole(&head, body, console).await?;
        if let Some(visitor) = visitor {
            let sealed: Sealed = read(&head, &body).await?;
            if !visitor.made(&sealed.seal) {
                return Err(Failure::not_from_here());
            }
        }
        read(&head, &body).await.map(Posted)
    }
}

/// A form of somebody who may act.
pub(super) struct Acting<T> {
    pub(super) visitor: Visitor,
    pub(super) form: T,
}

impl<T: DeserializeOwned> FromRequest<SharedConsole> for Acting<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, console: &SharedConsole) -> Result<Self, Failure> {
        let visitor = request.extensions().get::<Visitor>().cloned();
        let visitor = visitor.ok_or_else(Failure::not_from_here)?;
        if !visitor.acts() {
            return Err(Failure::only_operators());
        }
        let Posted(form) = Posted::from_request(request, console).await?;
        Ok(Acting { visitor, form })
    }
}

async fn read<T: DeserializeOwned>(head: &Parts, body: &Bytes) -> Result<T, Failure> {
    let request = Request::from_parts(head.clone(), Body::from(body.clone()));
    match Form::from_request(request, &()).await {
        Ok(Form(form)) => Ok(form),
        Err(_) => Err(Failure::unfit(
            "The form did not come whole. Load the page again and repeat it.",
        )),
    }
}

async fn whole(head: &Parts, body: Body, console: &Console) -> Result<Bytes, Failure> {
    let announced = head.headers.get(CONTENT_LENGTH);
    let announced = announced.and_then(|length| length.to_str().ok()?.parse().ok());
    let (collected, _taken) = collect(body, announced, &console.limits, &console.room).await;
    match collected {
        Collected::Whole(body) => Ok(body),
        Collected::NoRoom => Err(Failure::busy("There is no room for more forms just now.")),
        _ => Err(Failure::unfit(
            "The form did not come whole. Load the page again and repeat it.",
        )),
    }
}
