//! Who is at the browser: a login with an operator's token, and a session from then on.
//!
//! The cookie holds a number that stands for nothing but this session (a cookie goes to every port of a host, and a
//! token would be worth as much elsewhere). It lives in the store by its hash, so that any replica knows it, and ends
//! with the operator's token.

use axum::Extension;
use axum::extract::{Query, Request, State};
use axum::http::header::{COOKIE, SET_COOKIE};
use axum::http::{HeaderMap, HeaderValue, Method, Uri};
use axum::middleware::Next;
use axum::response::{Html, IntoResponse, Redirect, Response};
use maud::{Markup, html};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use time::Duration;

use super::form::Posted;
use super::page::{Failure, bare};
use super::{Console, SharedConsole};
use crate::domain::bearer::Bearer;
use crate::http::admin::is_cross_site;
use crate::http::admin::leave::Leave;
use crate::net::peer::Address;
use crate::store::ledger::{Deed, Hand};
use crate::store::roster::{NewSession, Operator, Right};

/// A working day and a night.
const LIVES: Duration = Duration::hours(12);
const NAME: &str = "mdes_receiver_console";
/// Where TLS is: no page of another host, port or path can have set it.
const SECURE_NAME: &str = "__Host-mdes_receiver_console";
const HOME: &str = "/console";

/// Who looks at a page.
#[derive(Clone)]
pub(super) struct Visitor {
    /// They.
    pub(super) operator: Operator,
    came_from: String,
    seal: String,
}

impl Visitor {
    /// What each form of theirs shows: only a page of this session knows it.
    pub(super) fn seal(&self) -> Markup {
        html! { input type="hidden" name="seal" value=(self.seal); }
    }

    pub(super) fn made(&self, seal: &str) -> bool {
        aws_lc_rs::constant_time::verify_slices_are_equal(self.seal.as_bytes(), seal.as_bytes()).is_ok()
    }

    /// They may change something.
    pub(super) fn acts(&self) -> bool {
        self.operator.role.may(Right::Act)
    }

    /// In their hand it is done.
    pub(super) fn hand(&self, why: Option<&str>) -> Hand {
        hand(&self.operator, &self.came_from, why)
    }
}

fn hand(operator: &Operator, came_from: &str, why: Option<&str>) -> Hand {
    Hand {
        who: operator.name.clone(),
        role: Some(operator.role),
        came_from: came_from.to_owned(),
        why: why.map(str::to_owned),
    }
}

fn came_from(address: Option<&Address>) -> String {
    address.map_or_else(|| "-".to_owned(), |address| address.0.ip().to_string())
}

/// The number of a session.
struct Number([u8; 32]);

impl Number {
    fn random() -> Result<Self, Failure> {
        let mut random = [0; 32];
        let drawn = aws_lc_rs::rand::fill(&mut random);
        drawn.map_err(|_| Failure::busy("The system gives no random numbers."))?;
        Ok(Number(random))
    }

    /// Of the one cookie of our name.
    fn shown(headers: &HeaderMap, name: &str) -> Option<Self> {
        let cookies = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
        let pairs = cookies.flat_map(|line| line.split(';')).map(str::trim);
        let mut ours = pairs.filter_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
        let (Some(digits), None) = (ours.next(), ours.next()) else {
            return None;
        };
        let mut number = [0; 32];
        hex::decode_to_slice(digits, &mut number).ok()?;
        Some(Number(number))
    }

    fn hash(&self) -> [u8; 32] {
        sha256(&[&self.0])
    }

    fn seal(&self) -> String {
        hex::encode(sha256(&[b"seal", &self.0]))
    }
}

fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    let mut digest = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256);
    parts.iter().for_each(|part| digest.update(part));
    digest.finish().as_ref().try_into().expect("SHA-256 has 32 bytes")
}

impl Console {
    fn cookie_name(&self) -> &'static str {
        if self.is_secure { SECURE_NAME } else { NAME }
    }

    fn cookie(&self, number: Option<&Number>) -> HeaderValue {
        let (name, secure) = (self.cookie_name(), if self.is_secure { "; Secure" } else { "" });
        let (digits, age) = match number {
            Some(number) => (hex::encode(number.0), ""),
            None => (String::new(), "; Max-Age=0"),
        };
        // What begins with __Host- must be for every path.
        let path = if self.is_secure { "/" } else { "/console" };
        let cookie = format!("{name}={digits}; Path={path}; HttpOnly; SameSite=Strict{secure}{age}");
        let mut cookie = HeaderValue::from_str(&cookie).expect("a name, digits and words");
        cookie.set_sensitive(true);
        cookie
    }
}

/// Lets a visitor in, or sends them to the login.
pub(super) async fn admit(State(console): State<SharedConsole>, mut request: Request, next: Next) -> Response {
    let is_reading = matches!(*request.method(), Method::GET | Method::HEAD);
    if !is_reading && is_cross_site(request.uri(), request.headers()) {
        console.state.metrics.admin_request("cross_site");
        return Failure::not_from_here().into_response();
    }
    let Some(number) = Number::shown(request.headers(), console.cookie_name()) else {
        return to_login(request.uri(), is_reading);
    };
    let roster = &console.state.roster;
    match roster.session_of(&number.hash()).await {
        Ok(Some(operator)) => {
            console.state.metrics.admin_request("admitted");
            let came_from = came_from(request.extensions().get());
            let leave = Leave::by_session(roster, number.hash());
            request.extensions_mut().insert(leave);
            request.extensions_mut().insert(Visitor {
                operator,
                came_from,
                seal: number.seal(),
            });
            next.run(request).await
        }
        Ok(None) => to_login(request.uri(), is_reading),
        Err(error) => Failure::from(error).into_response(),
    }
}

/// With the way back, for who only looked.
fn to_login(uri: &Uri, is_reading: bool) -> Response {
    // Within the nest the path is without its first part.
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let back = utf8_percent_encode(path, NON_ALPHANUMERIC);
    match is_reading && path != "/" && !path.starts_with("/live") {
        true => Redirect::to(&format!("/console/login?to={back}")).into_response(),
        false => Redirect::to("/console/login").into_response(),
    }
}

#[derive(Deserialize)]
pub(super) struct Way {
    #[serde(default)]
    to: String,
}

/// `GET /console/login`.
pub(super) async fn form(Query(way): Query<Way>) -> Html<String> {
    login_page(&way.to, None)
}

fn login_page(to: &str, trouble: Option<&str>) -> Html<String> {
    let content = html! {
        h1 { "mdes-receiver" }
        form.login method="post" action="/console/login" {
            input type="hidden" name="to" value=(to);
            label for="token" { "Your token" }
            input id="token" name="token" type="password" autocomplete="current-password" required autofocus
                aria-describedby="how" spellcheck="false";
            @if let Some(trouble) = trouble {
                p.trouble role="alert" { (trouble) }
            }
            button type="submit" { "Log in" }
            p.muted id="how" {
                "The bearer token of the admin API. A new one: "
                code { "mdes-receiver operators add NAME --role operator" }
            }
        }
    };
    bare("Log in", &content)
}

#[derive(Deserialize)]
pub(super) struct Login {
    token: String,
    #[serde(default)]
    to: String,
}

/// `POST /console/login`.
pub(super) async fn login(
    State(console): State<SharedConsole>,
    uri: Uri,
    headers: HeaderMap,
    address: Option<Extension<Address>>,
    Posted(login): Posted<Login>,
) -> Result<Response, Failure> {
    if is_cross_site(&uri, &headers) {
        return Err(Failure::not_from_here());
    }
    let source = address.as_deref().map(|address| address.0.ip());
    if !console.guesses.may_try(source, console.now()) {
        console.state.metrics.admin_request("too_many_logins");
        return Err(Failure::too_many_logins());
    }
    let roster = &console.state.roster;
    let operator = match Bearer::parse(login.token.trim()) {
        Some(bearer) => roster.operator_of(&bearer.sha256()).await?,
        None => None,
    };
    let Some(operator) = operator.filter(|operator| operator.role.may(Right::Look)) else {
        console.state.metrics.admin_request("bad_token");
        console.guesses.failed(source, console.now());
        let trouble = "This token is unknown, expired or revoked, or it is not for looking around.";
        return Ok(login_page(&login.to, Some(trouble)).into_response());
    };
    let number = Number::random()?;
    let begun = NewSession {
        id_hash: number.hash(),
        expires_at: (console.now() + LIVES).min(operator.expires_at),
        operator: operator.name.clone(),
    };
    roster.begin_session(&begun).await?;
    let hand = hand(&operator, &came_from(address.as_deref()), None);
    let deed = Deed::on("console.login", &operator.name);
    console.state.ledger.note(&hand, &deed, "done").await?;
    tracing::info!(operator = operator.name, "logged in to the console");
    let cookie = [(SET_COOKIE, console.cookie(Some(&number)))];
    Ok((cookie, Redirect::to(&inside(&login.to))).into_response())
}

/// Within the console, whatever was written.
fn inside(to: &str) -> String {
    let is_path = to.starts_with('/') && !to.contains("//") && !to.contains('\\') && to.is_ascii();
    match is_path && !to.chars().any(|c| c.is_ascii_control()) {
        true => format!("/console{to}"),
        false => HOME.to_owned(),
    }
}

#[derive(Deserialize)]
pub(super) struct Nothing {}

/// `POST /console/logout`.
pub(super) async fn logout(
    State(console): State<SharedConsole>,
    headers: HeaderMap,
    Posted(Nothing {}): Posted<Nothing>,
) -> Result<Response, Failure> {
    if let Some(number) = Number::shown(&headers, console.cookie_name()) {
        console.state.roster.end_session(&number.hash()).await?;
    }
    let cookie = [(SET_COOKIE, console.cookie(None))];
    Ok((cookie, Redirect::to("/console/login")).into_response())
}
