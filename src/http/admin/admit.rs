//! Who may ask under `/v1`: who shows a token of an operator, in a request that no page of another site made.
//!
//! The token's hash is looked up for each request, so that a revocation holds from the next one on. Each path says what
//! its caller must be allowed ([`Right`]); whatever changes something comes as JSON.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderName, ORIGIN};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, Method, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::AdminState;
use super::leave::Leave;
use super::problem::Problem;
use crate::clock::{Clock, new_id};
use crate::domain::bearer::Bearer;
use crate::net::peer::Address;
use crate::store::SharedRoster;
use crate::store::roster::{Operator, Right};
use crate::telemetry::traces::{self, Kind, Place, Said, Span};
use crate::telemetry::{Flood, Metrics};

/// W3C Trace Context.
const TRACE: HeaderName = HeaderName::from_static("traceparent");
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// What admitting needs.
pub(super) struct Door {
    roster: SharedRoster,
    clock: Arc<dyn Clock>,
    metrics: Metrics,
    floods: Mutex<BTreeMap<&'static str, Flood>>,
}

impl Door {
    pub(super) fn new(state: &AdminState) -> Self {
        Door {
            roster: state.roster.clone(),
            clock: state.clock.clone(),
            metrics: state.metrics.clone(),
            floods: Mutex::default(),
        }
    }

    async fn judge(&self, uri: &Uri, headers: &HeaderMap) -> Result<(Operator, Leave), Refused> {
        if is_cross_site(uri, headers) {
            return Err(Refused::CrossSite);
        }
        let bearer = shown(headers)?;
        let sha256 = bearer.sha256();
        let holder = self.roster.operator_of(&sha256).await;
        let operator = holder
            .map_err(|error| Refused::NoStore(error.into()))?
            .ok_or(Refused::BadToken)?;
        Ok((operator, Leave::by_token(&self.roster, sha256)))
    }

    /// Of one who was admitted: the role allows what the path is for.
    fn allow(&self, request: &Request, right: Right) -> Result<(), Refused> {
        // Nobody comes here whom `admit` has not let through.
        let operator = request.extensions().get::<Operator>().ok_or(Refused::NoToken)?;
        if !operator.role.may(right) {
            return Err(Refused::NotAllowed(operator.clone(), right));
        }
        let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
        if !is_read && !is_json(request.headers()) {
            return Err(Refused::NotJson);
        }
        Ok(())
    }

    async fn traced(&self, path: &'static str, request: Request, next: Next) -> Response {
        let traces = self.metrics.traces();
        if !traces.are_on() {
            return next.run(request).await;
        }
        let from = Instant::now();
        let above = request.headers().get(TRACE).and_then(|value| value.to_str().ok());
        let above = above.and_then(Place::parse);
        let own = new_id(self.clock.now());
        let place = match above {
            Some(above) => Some(above.beside()),
            None => traces.keep(own).then(|| Place::of(own)),
        };
        let operator = request.extensions().get::<Operator>().map(|one| one.name.clone());
        let response = next.run(request).await;
        let now = self.clock.now();
        traces.send(place.map(|place| Span {
            place,
            under: above.map(|above| above.span),
            name: "ask",
            kind: Kind::Server,
            from: traces::at(from, now),
            until: now,
            says: vec![
                ("path", Said::Word(path)),
                ("operator", Said::Text(operator.unwrap_or_default())),
                (
                    "http.response.status_code",
                    Said::Figure(response.status().as_u16().into()),
                ),
            ],
            links: Vec::new(),
            failed: response.status().is_server_error(),
        }));
        response
    }

    /// Counts a refusal and, within the limit, logs it with where it came from. Nothing of a token is shown.
    fn note(&self, refused: &Refused, from: Option<Address>) {
        let reason = refused.word();
        self.metrics.admin_request(reason);
        let now = self.clock.now();
        let mut floods = self.floods.lock().expect("no one panics while holding it");
        let line = floods.entry(reason).or_insert(Flood::new(now)).line(now);
        drop(floods);
        let Some(suppressed) = line else { return };
        let operator = match refused {
            Refused::NotAllowed(operator, _) => &operator.name,
            _ => "-",
        };
        let from = from.map_or_else(|| "-".to_owned(), |from| from.0.ip().to_string());
        tracing::warn!(reason, operator, from, suppressed, "refused at the admin API");
    }
}

/// Lets a request through that may, with the operator and the leave in its extensions.
pub(super) async fn admit(State(door): State<Arc<Door>>, mut request: Request, next: Next) -> Response {
    let from = request.extensions().get().copied();
    match door.judge(request.uri(), request.headers()).await {
        Ok((operator, leave)) => {
            door.metrics.admin_request("admitted");
            request.extensions_mut().insert(operator);
            request.extensions_mut().insert(leave);
            next.run(request).await
        }
        Err(refused) => {
            door.note(&refused, from);
            refused.problem().into_response()
        }
    }
}

/// Lets an admitted request on to a path, if its operator's role allows what the path is for.
/// It stands in the trace that the caller says it belongs to.
pub(super) async fn allow(
    State((door, right, path)): State<(Arc<Door>, Right, &'static str)>,
    request: Request,
    next: Next,
) -> Response {
    let from = request.extensions().get().copied();
    match door.allow(&request, right) {
        Ok(()) => door.traced(path, request, next).await,
        Err(refused) => {
            door.note(&refused, from);
            refused.problem().into_response()
        }
    }
}

/// Why a request is not let through.
enum Refused {
    CrossSite,
    NoToken,
    BadToken,
    /// The role of that operator does not allow it.
    NotAllowed(Operator, Right),
    NotJson,
    NoStore(Problem),
}

impl Refused {
    /// The word that the log and the metrics use.
    fn word(&self) -> &'static str {
        match self {
            Refused::CrossSite => "cross_site",
            Refused::NoToken => "no_token",
            Refused::BadToken => "bad_token",
            Refused::NotAllowed(..) => "not_allowed",
            Refused::NotJson => "not_json",
            Refused::NoStore(_) => "no_store",
        }
    }

    fn problem(self) -> Problem {
        match self {
            Refused::CrossSite => Problem::cross_site(),
            Refused::NoToken => Problem::no_token(),
            Refused::BadToken => Problem::bad_token(),
            Refused::NotAllowed(operator, right) => Problem::not_your_role(operator.role, right),
            Refused::NotJson => Problem::not_json_type(),
            Refused::NoStore(problem) => problem,
        }
    }
}

/// The one bearer token that is shown (RFC 6750, 2.1; never in the query, which logs keep).
fn shown(headers: &HeaderMap) -> Result<Bearer, Refused> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return Err(Refused::NoToken);
    };
    let text = value.to_str().map_err(|_| Refused::BadToken)?;
    match text.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => {
            Bearer::parse(token.trim()).ok_or(Refused::BadToken)
        }
        _ => Err(Refused::NoToken),
    }
}

/// A browser says where a page that asks comes from; programs say nothing.
pub(in crate::http) fn is_cross_site(uri: &Uri, headers: &HeaderMap) -> bool {
    let is_ours = |site: &[u8]| site == b"same-origin" || site == b"none";
    let fetched = headers.get_all(SEC_FETCH_SITE).iter();
    let mut origins = headers.get_all(ORIGIN).iter();
    let called = uri.authority().map(Authority::as_str);
    let called = called.or_else(|| headers.get(HOST)?.to_str().ok());
    fetched.into_iter().any(|site| !is_ours(site.as_bytes()))
        || origins.any(|origin| {
            let origin = origin
                .to_str()
                .ok()
                .and_then(|origin| Some(origin.split_once("://")?.1));
            !matches!((origin, called), (Some(origin), Some(called)) if origin.eq_ignore_ascii_case(called))
        })
}

/// `application/json`, with any parameter.
fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    kind.is_some_and(|kind| {
        let essence = kind.split(';').next().unwrap_or_default().trim();
        essence.eq_ignore_ascii_case("application/json")
    })
}
