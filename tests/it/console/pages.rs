//! What the pages say, and what their forms do.

use mdes_receiver::store::roster::Role;
use serde_json::json;

use super::browser::{Browser, text};
use crate::api::caller::{Caller, say};
use crate::api::docs::in_need;
use crate::support::Database;
use crate::world::{Desk, World, eventually};

promises!(
    a_tokens_page_tells_its_story,
    what_the_network_wrote_is_never_markup,
    a_token_is_found_by_its_reference,
    what_needs_a_person_stands_first,
    a_destination_is_paused_with_a_reason_and_resumed,
    a_tokenex_token_is_masked,
    a_tokenex_token_stands_in_no_address,
    tokens_are_narrowed_by_what_is_known_of_them,
    a_page_of_tokens_goes_on_where_it_ended,
    a_token_that_cannot_be_read_hides_no_other,
    what_is_not_there_is_a_page_that_says_so,
    a_token_is_erased_on_a_word_of_confirmation_alone,
    all_tokens_of_a_reference_are_erased_at_once,
    more_tokens_than_are_looked_at_are_not_erased_as_all,
);

async fn a_tokens_page_tells_its_story(database: Database) {
    let world = World::over(database).await;
    say(&world, "DM4MMC0001", "ACTIVE", "2026-11-20T10:00:00Z").await;
    say(&world, "DM4MMC0001", "SUSPENDED", "2026-11-21T10:00:00Z").await;
    say(&world, "DM4MMC0001", "ACTIVE", "2026-11-20T12:00:00Z").await;
    let vera = Browser::of(&world, "vera", Role::Viewer).await;
    let page = vera.page("/console/tokens/mdes/DM4MMC0001").await;
    assert!(page.contains("Do not charge it until it is resumed."));
    assert!(page.contains("stale: older than what we hold"));
    assert!(page.contains("status: ACTIVE → SUSPENDED"), "{page}");
    assert!(page.contains("2026-11-21 10:00:00"), "the network's time");
}

async fn what_the_network_wrote_is_never_markup(database: Database) {
    let world = World::over(database).await;
    let markup = "<script>alert(1)</script>\"'";
    let content = json!({ "tokens": [{
        "tokenUniqueReference": "DM4MMC0001",
        "status": markup,
        "eventReasonCode": markup,
        "statusTimestamp": "2026-11-20T10:00:00Z",
        "productConfig": { "issuerName": markup },
    }]});
    assert_eq!(world.told("r1", &content).await.status, 200);
    let vera = Browser::of(&world, "vera", Role::Viewer).await;
    for path in ["/console/tokens/mdes/DM4MMC0001", "/console/tokens"] {
        let page = vera.page(path).await;
        assert!(!page.contains("<script>alert"), "{path}");
        assert!(page.contains("&lt;script&gt;alert"), "{path}");
    }
    let found = vera.send("/console/tokens", "/console/tokens", &[("q", markup)]).await;
    assert!(!text(&found).contains("<script>alert"));
    let asked = vera
        .page("/console/tokens?merchant_reference=%3Cscript%3Ealert(1)")
        .await;
    assert!(!asked.contains("<script>alert") && asked.contains("&lt;script&gt;alert"));
}

async fn a_token_is_found_by_its_reference(database: Database) {
    let world = World::over(database).await;
    say(&world, "DM4MMC0001", "ACTIVE", "2026-11-20T10:00:00Z").await;
    let vera = Browser::of(&world, "vera", Role::Viewer).await;
    let tokens = "/console/tokens";
    let found = vera.send(tokens, tokens, &[("q", " DM4MMC0001 ")]).await;
    assert_eq!(
        (found.status, found.header("location")),
        (303, "/console/tokens/mdes/DM4MMC0001")
    );
    let none = vera.send(tokens, tokens, &[("q", "DM4MMC0002")]).await;
    assert!(none.status == 200 && text(&none).contains("No token has this reference"));
    assert_eq!(
        vera.post(tokens, &[("q", "DM4MMC0001")]).await.status,
        403,
        "a form of no page of theirs"
    );
}

async fn what_needs_a_person_stands_first(database: Database) {
    let world = World::over(database).await;
    let vera = Browser::of(&world, "vera", Role::Viewer).await;
    assert!(vera.page("/console").await.contains("Nothing needs you."));
    let refused = world
        .sender()
        .send(bytes::Bytes::from_static(b"{}"))
        .await
        .expect("an answer");
    assert_eq!(refused.status, 400);
    let page = vera.page("/console").await;
    assert!(page.contains("1 in quarantine") && !page.contains("Nothing needs you."));
    let quarantine = vera.page("/console/quarantine").await;
    let path = quarantine
        .split("href=\"")
        .find(|rest| rest.starts_with("/console/quarantine/0"));
    let path = path
        .and_then(|rest| rest.split('"').next())
        .expect("a way to the entry");
    assert!(
        !vera.page(path).await.contains("Set it aside"),
        "who only looks has no such button"
    );
    let ana = Browser::of(&world, "ana", Role::Operator).await;
    let unread = ana.send(path, &format!("{path}/redrive"), &[]).await;
    assert!(unread.header("location").ends_with("?said=unreadable"), "{unread:?}");
    let aside = ana
        .send(path, &format!("{path}/resolve"), &[("reason", "a probe of ours")])
        .await;
    assert!(aside.header("location").ends_with("?said=resolved"), "{aside:?}");
    assert!(vera.page("/console").await.contains("Nothing needs you."));
    let audit = vera.page("/console/audit").await;
    for act in [
        "console.login",
        "quarantine.redrive",
        "quarantine.resolve",
        "a probe of ours",
    ] {
        assert!(audit.contains(act), "{act} is not in the audit");
    }
}

async fn a_destination_is_paused_with_a_reason_and_resumed(database: Database) {
    let shop = crate::world::Merchant::content().await;
    let world = Desk::over(database).with(&shop.destination("shop", "")).open().await;
    world.ready().await;
    let ana = Browser::of(&world, "ana", Role::Operator).await;
    let page = "/console/destinations";
    let pause = "/console/destinations/shop/pause";
    assert_eq!(
        ana.send(page, pause, &[("reason", " ")]).await.status,
        422,
        "a reason is asked for"
    );
    let paused = ana.send(page, pause, &[("reason", "their release <b>")]).await;
    assert_eq!(paused.status, 303, "{}", text(&paused));
    assert!(ana.page(page).await.contains("ana: their release &lt;b&gt;"));
    assert!(ana.page("/console").await.contains("shop is paused"));
    say(&world, "DM4MMC0001", "ACTIVE", "2026-11-20T10:00:00Z").await;
    assert!(shop.told().is_empty());
    let resumed = ana.send(page, "/console/destinations/shop/resume", &[]).await;
    assert_eq!(resumed.header("location"), "/console/destinations?said=resumed");
    eventually("it is told", async || !shop.told().is_empty()).await;
}

async fn a_tokenex_token_is_masked(database: Database) {
    let world = World::over(database).await;
    let operator = crate::api::caller::Caller::operator(&world).await;
    let written = json!({ "namespace": "tokenex", "reference": "4761202544127718", "merchant_reference": "card-1" });
    assert_eq!(operator.post("/v1/tokens", &written).await.status, 200);
    let vera = Browser::of(&world, "vera", Role::Viewer).await;
    let page = vera.page("/console/tokens").await;
    assert!(page.contains(">····7718<"), "{page}");
    assert!(!page.contains(">4761202544127718"), "{page}");
    let found = vera
        .send("/console/tokens", "/console/tokens", &[("q", "4761202544127718")])
        .await;
    let page = vera.page(found.header("location")).await;
    assert!(page.contains("····7718") && !page.contains("4761202544127718"));
}

async fn what_is_not_there_is_a_page_that_says_so(database: Database) {
    let world = World::over(database).await;
    let vera = Browser::of(&world, "vera", Role::Viewer).await;
    for path in [
        "/console/nowhere",
        "/console/tokens/mdes/DM4MMC0404",
        "/console/tokens/visa/DM4MMC0404",
        "/console/tokens?after=nonsense",
        "/console/commands/nonsense",
        "/console/quarantine/019a0000-0000-7000-8000-000000000000",
        "/console/assets/console.exe",
    ] {
        let reply = vera.get(path).await;
        assert_eq!(reply.status, 404, "{path}");
        assert!(text(&reply).contains("To the overview"), "{path}");
    }
}

/// Every address that a page leads to, or sends a form to.
fn addresses(page: &str) -> Vec<&str> {
    let quoted = page.split(['"']).skip(1).step_by(2);
    quoted.filter(|text| text.starts_with("/console")).collect()
}

async fn a_tokenex_token_stands_in_no_address(database: Database) {
    let world = World::over(database).await;
    let operator = Caller::operator(&world).await;
    let number = "4761202544127718";
    let items: Vec<_> = (0..60)
        .map(
            |n| json!({"namespace": "tokenex", "reference": format!("{number}{n:02}"), "merchant_reference": "card-1"}),
        )
        .collect();
    operator.post("/v1/tokens", &json!({ "items": items })).await;
    let link = json!({"token_unique_reference": "DM4MMC0001", "tokenex_token": format!("{number}01")});
    operator.post("/v1/links", &link).await;
    operator.post("/v1/tokens", &json!({"reference": "DM4MMC0001"})).await;

    let ana = Browser::of(&world, "ana", Role::Operator).await;
    let all = ana.page("/console/tokens").await;
    let next = addresses(&all)
        .into_iter()
        .find(|path| path.contains("after="))
        .expect("a next page");
    let veiled = addresses(&all)
        .into_iter()
        .find(|path| path.starts_with("/console/tokens/tokenex/"))
        .expect("a token");
    let pages = [
        all.clone(),
        ana.page(&next.replace("&amp;", "&")).await,
        ana.page(veiled).await,
        ana.page("/console/tokens/mdes/DM4MMC0001").await,
        ana.page("/console/tokens?merchant_reference=card-1").await,
        text(&ana.send("/console/tokens", "/console/tokens", &[("q", "card-1")]).await),
    ];
    for page in &pages {
        assert!(!page.contains(number), "{page}");
    }
    assert_eq!(
        ana.get(&format!("/console/tokens/tokenex/{number}01")).await.status,
        404
    );
    assert!(pages[5].contains("The first 50 of the tokens"), "{}", pages[5]);

    let refused = ana.get(&format!("/console/tokens?merchant_reference={number}")).await;
    assert_eq!(refused.status, 422);
    assert!(!text(&refused).contains(number));

    for path in [
        "/v1/tokens?limit=7",
        "/v1/tokens?merchant_reference=card-1&limit=7",
        "/v1/links?limit=1",
    ] {
        let page = operator.get(path).await.json();
        let cursor = page["next"].as_str().expect("it goes on");
        let bytes = base64_of(cursor);
        assert!(
            !cursor.contains(number) && !String::from_utf8_lossy(&bytes).contains(number),
            "{path}"
        );
        let more = operator.get(&format!("{path}&after={cursor}")).await;
        assert_eq!(more.status, 200, "{path}");
    }
}

fn base64_of(text: &str) -> Vec<u8> {
    use base64::Engine;
    let engine = base64::engine::general_purpose::URL_SAFE_NO_PAD;
    engine.decode(text).unwrap_or_default()
}

async fn tokens_are_narrowed_by_what_is_known_of_them(database: Database) {
    let world = World::over(database).await;
    let operator = Caller::operator(&world).await;
    for (reference, suffix, account, requestor, status, at) in [
        (
            "DM4MMC0001",
            "1111",
            "2222",
            "50100000001",
            "SUSPENDED",
            Some("2026-11-20T10:00:00Z"),
        ),
        (
            "DM4MMC0002",
            "3333",
            "1111",
            "50100000002",
            "ACTIVE",
            Some("2026-11-21T10:00:00Z"),
        ),
        ("DM4MMC0003", "4444", "5555", "50100000001", "SUSPENDED", None),
    ] {
        let content = json!({ "tokens": [{
            "tokenUniqueReference": reference, "status": status, "statusTimestamp": at, "tokenRequestorId": requestor,
            "tokenInfo": {"tokenPanSuffix": suffix, "accountPanSuffix": account},
        }]});
        assert_eq!(world.told(reference, &content).await.status, 200);
    }
    operator
        .post(
            "/v1/tokens",
            &json!({"reference": "DM4MMC0002", "merchant_reference": "card-2"}),
        )
        .await;
    let vera = Browser::of(&world, "vera", Role::Viewer).await;
    for (query, expected) in [
        ("suffix=1111", &["0001", "0002"][..]),
        ("suffix=1111&status=ACTIVE", &["0002"]),
        ("status=SUSPENDED", &["0001", "0003"]),
        ("requestor=50100000001", &["0001", "0003"]),
        ("requestor=50100000001&status=ACTIVE", &[]),
        ("requestor=50100000002&since=2026-11-20", &["0002"]),
        ("merchant_reference=card-2", &["0002"]),
        ("since=2026-11-20T09:00&until=2026-11-21%2000:00", &["0001"]),
        ("provisional=yes", &["0003"]),
        ("provisional=yes&status=ACTIVE", &[]),
    ] {
        let page = vera.page(&format!("/console/tokens?{query}")).await;
        for reference in ["0001", "0002", "0003"] {
            let is_there = page.contains(&format!("/console/tokens/mdes/DM4MMC{reference}"));
            assert_eq!(is_there, expected.contains(&reference), "{query}: {reference}");
        }
        assert_eq!(page.contains("No token fits."), expected.is_empty(), "{query}");
    }
    for query in ["since=yesterday", "suffix=1234567", "requestor=%00"] {
        assert_eq!(
            vera.get(&format!("/console/tokens?{query}")).await.status,
            422,
            "{query}"
        );
    }
}

async fn a_page_of_tokens_goes_on_where_it_ended(database: Database) {
    let world = World::over(database).await;
    let tokens: Vec<_> = (0..70)
        .map(|n| json!({"tokenUniqueReference": format!("DM4MMC{n:04}"), "status": "ACTIVE", "statusTimestamp": "2026-11-20T10:00:00Z"}))
        .collect();
    for some in tokens.chunks(10) {
        let request = some[0]["tokenUniqueReference"].as_str().expect("a text");
        assert_eq!(world.told(request, &json!({ "tokens": some })).await.status, 200);
    }
    let vera = Browser::of(&world, "vera", Role::Viewer).await;
    for query in ["", "?status=ACTIVE", "?since=2026-11-20"] {
        let first = vera.page(&format!("/console/tokens{query}")).await;
        let next = addresses(&first)
            .into_iter()
            .find(|path| path.contains("after="))
            .expect("a next page");
        let second = vera.page(&next.replace("&amp;", "&")).await;
        let of = |page: &str| page.matches("class=\"token\" href=\"/console/tokens/mdes/").count();
        assert_eq!((of(&first), of(&second)), (50, 20), "{query}");
    }
}

async fn a_token_that_cannot_be_read_hides_no_other(database: Database) {
    let world = World::over(database).await;
    say(&world, "DM4MMC0001", "ACTIVE", "2026-11-20T10:00:00Z").await;
    say(&world, "DM4MMC0002", "ACTIVE", "2026-11-20T10:00:00Z").await;
    let spoilt = "update tokens set state = '{\"half\": \"a row\"}' where token_unique_reference = 'DM4MMC0001'";
    world.desk.database.execute(spoilt).await;
    let operator = Caller::operator(&world).await;
    let vera = Browser::of(&world, "ana", Role::Operator).await;
    for path in ["/console/tokens", "/console/tokens?status=ACTIVE"] {
        let page = vera.page(path).await;
        assert!(page.contains("unreadable") && page.contains("DM4MMC0001"), "{path}");
        assert!(page.contains("DM4MMC0002"), "{path}");
    }
    for path in ["/v1/tokens?limit=1", "/v1/tokens?status=ACTIVE&limit=1"] {
        let first = operator.get(path).await.json();
        let after = first["next"].as_str().expect("it goes on");
        let second = operator.get(&format!("{path}&after={after}")).await.json();
        let of = |page: &serde_json::Value| page["items"][0]["token_unique_reference"].clone();
        assert!(
            of(&second).is_string() && of(&first) != of(&second),
            "{path} goes on past it"
        );
    }
    let page = vera.page("/console/tokens/mdes/DM4MMC0001").await;
    assert!(page.contains("What is held of it cannot be read"), "{page}");
    assert!(
        page.contains("status: ") && !page.contains("Suspend</button>"),
        "what was heard of it is there"
    );
    let items = operator.get("/v1/tokens").await.json()["items"].clone();
    assert_eq!(
        (&items[0]["advice"], &items[1]["unreadable"], &items[1]["advice"]),
        (&json!("confirm"), &json!(null), &json!("resume_charging"))
    );
    assert_eq!(items[0]["unreadable"], "tokens.state of DM4MMC0001");
    let charge = operator.get("/v1/charge/DM4MMC0001").await.json();
    assert_eq!(charge["charge"], "confirm");
}

async fn a_token_is_erased_on_a_word_of_confirmation_alone(database: Database) {
    let world = in_need(database).await;
    let ana = Browser::of(&world, "ana", Role::Operator).await;
    let vera = Browser::of(&world, "vera", Role::Viewer).await;
    let token = "/console/tokens/mdes/DM4MMC0001";
    let page = format!("{token}/erase");
    assert!(ana.page(token).await.contains(&page) && !vera.page(token).await.contains(&page));
    assert_eq!(vera.get(&page).await.status, 403, "who only looks is not even asked");
    let why = ("reason", "case 812");
    let (erase, force, word) = (("how", "erase"), ("force", "yes"), ("confirm", "0001"));
    for (fields, status, says) in [
        (&[erase, word, force] as &[_], 422, "reason"),
        (&[why, erase, force], 422, "The confirmation is another"),
        (
            &[why, erase, force, ("confirm", "0002")],
            422,
            "The confirmation is another",
        ),
        (&[why, erase, word], 200, "somebody still needs it"),
        (&[why, ("how", "look"), force], 200, "What would go"),
        (&[why, word, force], 200, "What would go"),
    ] {
        let answer = ana.send(&page, &page, fields).await;
        assert_eq!(answer.status, status, "{fields:?}: {}", text(&answer));
        assert!(text(&answer).contains(says), "{fields:?}: {}", text(&answer));
        assert_eq!(ana.get(token).await.status, 200, "and it is still there");
    }
    assert_eq!(
        ana.post(&page, &[why, erase, word, force]).await.status,
        403,
        "a form of no page of theirs"
    );
    let gone = ana.send(&page, &page, &[why, erase, word, force]).await;
    assert_eq!((gone.status, gone.header("location")), (303, "/console/audit"));
    assert_eq!(ana.get(token).await.status, 404);
    let audit = vera.page("/console/audit").await;
    assert!(audit.contains("case 812") && audit.contains("ana"), "{audit}");
    world.service.stop().await;
}

async fn all_tokens_of_a_reference_are_erased_at_once(database: Database) {
    let world = World::over(database).await;
    let operator = Caller::operator(&world).await;
    for token in ["DM4MMC0001", "DM4MMC0002"] {
        let body = json!({ "items": [{ "reference": token, "merchant_reference": "card-1" }] });
        assert_eq!(operator.post("/v1/tokens", &body).await.status, 200);
    }
    let ana = Browser::of(&world, "ana", Role::Operator).await;
    let page = "/console/tokens/mdes/DM4MMC0001/erase";
    assert!(ana.page(page).await.contains("All 2 tokens of your reference card-1"));
    let fields = [
        ("reason", "case 812"),
        ("how", "erase"),
        ("all", "yes"),
        ("force", "yes"),
    ];
    let of_one = ana
        .send(page, page, &[&fields[..], &[("confirm", "0001")]].concat())
        .await;
    assert_eq!(of_one.status, 422, "the word of one token does not confirm two");
    let gone = ana
        .send(page, page, &[&fields[..], &[("confirm", "card-1")]].concat())
        .await;
    assert_eq!(gone.status, 303, "{}", text(&gone));
    for token in ["DM4MMC0001", "DM4MMC0002"] {
        assert_eq!(ana.get(&format!("/console/tokens/mdes/{token}")).await.status, 404);
    }
    world.service.stop().await;
}

async fn more_tokens_than_are_looked_at_are_not_erased_as_all(database: Database) {
    let world = World::over(database).await;
    let operator = Caller::operator(&world).await;
    let item = |n| json!({ "reference": format!("DM4MMC{n:04}"), "merchant_reference": "card-1" });
    let body = json!({ "items": (1..=101).map(item).collect::<Vec<_>>() });
    assert_eq!(operator.post("/v1/tokens", &body).await.status, 200);
    let ana = Browser::of(&world, "ana", Role::Operator).await;
    let page = "/console/tokens/mdes/DM4MMC0001/erase";
    assert!(ana.page(page).await.contains("names more than 100 tokens"));
    let fields = [
        ("reason", "case 812"),
        ("how", "erase"),
        ("all", "yes"),
        ("force", "yes"),
        ("confirm", "card-1"),
    ];
    let refused = ana.send(page, page, &fields).await;
    assert_eq!(refused.status, 422, "{}", text(&refused));
    for token in ["DM4MMC0001", "DM4MMC0101"] {
        assert_eq!(ana.get(&format!("/console/tokens/mdes/{token}")).await.status, 200);
    }
    world.service.stop().await;
}
