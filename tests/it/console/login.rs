//! Who comes in, and for how long.

use mdes_receiver::store::roster::{Role, Roster as _};

use http_body_util::BodyExt;

use super::browser::{Browser, encoded, seal, text};
use crate::api::caller::{bearer, memory, say};
use crate::support::Database;
use crate::world::{PATIENCE, World};

promises!(
    who_is_not_logged_in_sees_the_login_alone,
    a_wrong_token_opens_nothing,
    a_session_ends_with_its_logout_and_with_its_operators_token,
    the_cookie_is_for_this_console_alone,
    a_form_of_another_site_or_session_does_nothing,
    who_only_looks_is_refused_an_act,
    a_login_leads_back_but_never_elsewhere,
    nothing_comes_from_elsewhere,
    who_guesses_is_made_to_wait_and_nobody_elsewhere_is,
    an_operator_has_so_many_sessions_and_the_oldest_ends,
    a_page_is_renewed_no_longer_than_its_session_lasts,
);

const INSIDE: [&str; 7] = [
    "/console",
    "/console/tokens",
    "/console/tokens/mdes/DM4MMC0001",
    "/console/commands",
    "/console/deliveries",
    "/console/quarantine",
    "/console/live",
];

async fn who_is_not_logged_in_sees_the_login_alone(database: Database) {
    let world = World::over(database).await;
    let stranger = Browser::stranger(&world);
    for path in INSIDE {
        let reply = stranger.get(path).await;
        assert_eq!(reply.status, 303, "{path}");
        assert!(reply.header("location").starts_with("/console/login"), "{path}");
        assert!(reply.body.is_empty(), "{path}");
    }
    for forged in [
        "mdes_receiver_console=",
        "mdes_receiver_console=00",
        &format!("mdes_receiver_console={}", "0".repeat(64)),
    ] {
        let mut browser = Browser::stranger(&world);
        browser.cookie = Some(forged.to_owned());
        assert_eq!(browser.get("/console").await.status, 303, "{forged}");
    }
    assert!(stranger.page("/console/login").await.contains("Your token"));
}

async fn a_wrong_token_opens_nothing(database: Database) {
    let world = World::over(database).await;
    for token in [
        "",
        "mdr_",
        "mdr_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8",
        "\u{1f600}",
    ] {
        let mut browser = Browser::stranger(&world);
        let reply = browser.log_in(token, "").await;
        assert_eq!(reply.status, 200);
        assert!(browser.cookie.is_none());
        let page = text(&reply);
        assert!(page.contains("unknown, expired or revoked"));
        assert!(
            token.is_empty() || !page.contains(token),
            "the page shows what was typed"
        );
    }
}

async fn a_session_ends_with_its_logout_and_with_its_operators_token(database: Database) {
    let world = World::over(database).await;
    let ana = Browser::of(&world, "ana", Role::Operator).await;
    let other = Browser::of(&world, "ben", Role::Viewer).await;
    assert_eq!(ana.send("/console", "/console/logout", &[]).await.status, 303);
    assert_eq!(
        ana.get("/console").await.status,
        303,
        "the cookie is worth nothing any more"
    );
    assert_eq!(other.get("/console").await.status, 200);
    memory(&world)
        .await
        .revoke_operator("ben")
        .await
        .expect("the store answers");
    assert_eq!(other.get("/console").await.status, 303);
}

async fn the_cookie_is_for_this_console_alone(database: Database) {
    let world = World::over(database).await;
    let token = bearer(&world, "ana", Role::Operator, time::Duration::HOUR).await;
    let reply = Browser::stranger(&world).log_in(token.expose(), "").await;
    let cookie = reply.header("set-cookie");
    assert!(
        cookie.ends_with("; Path=/console; HttpOnly; SameSite=Strict"),
        "{cookie}"
    );
    assert!(!cookie.contains(token.expose()), "the token itself would open /v1");
    let number = cookie.split(['=', ';']).nth(1).expect("a value");
    let shown = format!("Bearer {number}");
    let refused = crate::api::caller::Caller::showing(&world, &shown)
        .get("/v1/tokens")
        .await;
    assert_eq!(refused.problem(), "401 bad-token");
}

async fn a_form_of_another_site_or_session_does_nothing(database: Database) {
    let world = World::over(database).await;
    say(&world, "DM4MMC0001", "ACTIVE", "2026-11-20T10:00:00Z").await;
    let ana = Browser::of(&world, "ana", Role::Operator).await;
    let ben = Browser::of(&world, "ben", Role::Operator).await;
    let of_ben = seal(&ben.page("/console").await);
    let path = "/console/destinations/nobody/resume";
    for fields in [&[][..], &[("seal", "")], &[("seal", of_ben.as_str())]] {
        assert_eq!(ana.post(path, fields).await.status, 403, "{fields:?}");
    }
    let own = encoded(&[("seal", &seal(&ana.page("/console").await))]);
    let form = ("content-type", "application/x-www-form-urlencoded");
    for header in [
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
        ("origin", "http://evil.example"),
        ("origin", "null"),
    ] {
        let reply = ana.ask("POST", path, &[form, header], &own).await;
        assert_eq!(reply.status, 403, "{header:?}");
    }
    let own_page = ana
        .ask("POST", path, &[form, ("sec-fetch-site", "same-origin")], &own)
        .await;
    assert_eq!(
        own_page.status, 404,
        "it comes through, and there is no such destination"
    );
}

async fn who_only_looks_is_refused_an_act(database: Database) {
    let world = World::over(database).await;
    say(&world, "DM4MMC0001", "ACTIVE", "2026-11-20T10:00:00Z").await;
    let viewer = Browser::of(&world, "vera", Role::Viewer).await;
    let page = viewer.page("/console/tokens/mdes/DM4MMC0001").await;
    assert!(!page.contains("Suspend</button>"), "no button that would not work");
    let commands = "/console/tokens/mdes/DM4MMC0001/commands";
    let refused = viewer.send("/console", commands, &[("action", "suspend")]).await;
    assert_eq!(refused.status, 403);
    for path in ["/console/deliveries/retry", "/console/deliveries/skip"] {
        let refused = viewer
            .send("/console", path, &[("id", "1"), ("reason", "because")])
            .await;
        assert_eq!(refused.status, 403, "{path}");
    }
}

async fn a_login_leads_back_but_never_elsewhere(database: Database) {
    let world = World::over(database).await;
    let token = bearer(&world, "ana", Role::Viewer, time::Duration::HOUR).await;
    let asked = Browser::stranger(&world).get("/console/deliveries?state=parked").await;
    assert_eq!(
        asked.header("location"),
        "/console/login?to=%2Fdeliveries%3Fstate%3Dparked"
    );
    for (to, place) in [
        ("/deliveries?state=parked", "/console/deliveries?state=parked"),
        ("", "/console"),
        ("https://evil.example", "/console"),
        ("//evil.example", "/console"),
        ("/\\evil.example", "/console"),
        ("/\r\nset-cookie: x=y", "/console"),
    ] {
        let reply = Browser::stranger(&world).log_in(token.expose(), to).await;
        assert_eq!(reply.header("location"), place, "{to}");
    }
}

async fn nothing_comes_from_elsewhere(database: Database) {
    let world = World::over(database).await;
    let ana = Browser::of(&world, "ana", Role::Operator).await;
    for path in [
        "/console",
        "/console/login",
        "/console/assets/console.js",
        "/console/nowhere",
    ] {
        let reply = ana.get(path).await;
        let policy = reply.header("content-security-policy");
        assert!(
            policy.starts_with("default-src 'none'") && !policy.contains("unsafe"),
            "{path}: {policy}"
        );
        assert_eq!(reply.header("x-frame-options"), "DENY");
        assert_eq!(reply.header("x-content-type-options"), "nosniff");
        assert_eq!(reply.header("cache-control"), "no-store");
    }
    let page = ana.page("/console").await;
    for elsewhere in ["http://", "https://", "<style", " style=", " onclick="] {
        assert!(!page.contains(elsewhere), "{elsewhere}");
    }
    assert_eq!(ana.get("/").await.header("location"), "/console");
    assert_eq!(ana.get("/console/").await.header("location"), "/console");
}

async fn who_guesses_is_made_to_wait_and_nobody_elsewhere_is(database: Database) {
    let world = World::over(database).await;
    let token = bearer(&world, "ana", Role::Operator, time::Duration::HOUR).await;
    let mut guesser = Browser::stranger(&world);
    guesser.caller.at = "127.0.0.2".parse().expect("an address");
    for _ in 0..10 {
        assert_eq!(guesser.log_in("mdr_guess", "").await.status, 200);
    }
    let refused = guesser.log_in("mdr_guess", "").await;
    assert_eq!(refused.status, 429);
    assert!(text(&refused).contains("Wait a minute"));
    assert_eq!(
        guesser.log_in(token.expose(), "").await.status,
        429,
        "nor by the right one"
    );
    assert!(guesser.cookie.is_none());
    let elsewhere = Browser::stranger(&world).log_in(token.expose(), "").await;
    assert_eq!(elsewhere.status, 303);
}

async fn an_operator_has_so_many_sessions_and_the_oldest_ends(database: Database) {
    let world = World::over(database).await;
    let token = bearer(&world, "ana", Role::Operator, time::Duration::HOUR).await;
    let ben = Browser::of(&world, "ben", Role::Viewer).await;
    let mut windows = Vec::new();
    for _ in 0..21 {
        let mut window = Browser::stranger(&world);
        assert_eq!(window.log_in(token.expose(), "").await.status, 303);
        windows.push(window);
    }
    assert_eq!(windows[0].get("/console").await.status, 303, "the oldest has ended");
    for window in [&windows[1], &windows[20], &ben] {
        assert_eq!(window.get("/console").await.status, 200);
    }
}

async fn a_page_is_renewed_no_longer_than_its_session_lasts(database: Database) {
    let world = World::over(database).await;
    let ana = Browser::of(&world, "ana", Role::Operator).await;
    let cookie = ana.cookie.clone().expect("a session");
    let headers = [("cookie", cookie.as_str())];
    let live = ana.caller.begin("GET", "/console/live", &headers, b"").await;
    assert_eq!(live.status(), 200);
    ana.send("/console", "/console/logout", &[]).await;
    let whole = tokio::time::timeout(PATIENCE, live.into_body().collect()).await;
    whole.expect("it ends within half a minute").expect("softly");
}
