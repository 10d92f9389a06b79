//! A browser as far as HTTP goes: it keeps its cookie, follows nothing, and fills in the forms that it was given.

use mdes_receiver::store::roster::Role;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::api::caller::{Caller, Reply, bearer};
use crate::world::World;

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

/// One window.
pub struct Browser {
    pub caller: Caller,
    pub cookie: Option<String>,
}

impl Browser {
    /// Nobody in particular.
    pub fn stranger(world: &World) -> Self {
        Browser {
            caller: Caller::stranger(world),
            cookie: None,
        }
    }

    /// One who has logged in.
    pub async fn of(world: &World, name: &str, role: Role) -> Self {
        let token = bearer(world, name, role, time::Duration::HOUR).await;
        let mut browser = Browser::stranger(world);
        let reply = browser.log_in(token.expose(), "").await;
        assert_eq!((reply.status, reply.header("location")), (303, "/console"));
        browser
    }

    pub async fn log_in(&mut self, token: &str, to: &str) -> Reply {
        let reply = self.post("/console/login", &[("token", token), ("to", to)]).await;
        if let Some(cookie) = reply.headers.get("set-cookie") {
            let cookie = cookie.to_str().expect("ASCII");
            self.cookie = cookie.split(';').next().map(str::to_owned);
        }
        reply
    }

    pub async fn get(&self, path: &str) -> Reply {
        self.ask("GET", path, &[], "").await
    }

    /// A page, read.
    pub async fn page(&self, path: &str) -> String {
        let reply = self.get(path).await;
        assert_eq!(reply.status, 200, "{path}: {reply:?}");
        text(&reply)
    }

    pub async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Reply {
        self.ask("POST", path, &[FORM], &encoded(fields)).await
    }

    /// A form of that page, with its seal.
    pub async fn send(&self, page: &str, path: &str, fields: &[(&str, &str)]) -> Reply {
        let page = self.page(page).await;
        let mut fields = fields.to_vec();
        let seal = seal(&page);
        fields.push(("seal", &seal));
        self.post(path, &fields).await
    }

    pub async fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Reply {
        let mut headers = headers.to_vec();
        if let Some(cookie) = &self.cookie {
            headers.push(("cookie", cookie));
        }
        self.caller.ask(method, path, &headers, body.as_bytes()).await
    }
}

pub fn text(reply: &Reply) -> String {
    String::from_utf8(reply.body.to_vec()).expect("UTF-8")
}

pub fn seal(page: &str) -> String {
    let (_, rest) = page.split_once("name=\"seal\" value=\"").expect("a form with a seal");
    rest.split('"').next().expect("a value").to_owned()
}

pub fn encoded(fields: &[(&str, &str)]) -> String {
    let encode = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let pair = |(name, value): &(&str, &str)| format!("{}={}", encode(name), encode(value));
    fields.iter().map(pair).collect::<Vec<_>>().join("&")
}
