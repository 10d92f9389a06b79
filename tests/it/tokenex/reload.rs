//! The files that TokenEx is reached by change while the receiver runs.

use crate::support::Database;
use crate::world::{Desk, eventually, read};

const KEPT_OLD: &str = "mdes_receiver_reloads_total{outcome=\"kept_old\"}";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn its_roots_are_read_again_when_they_change() {
    let desk = Desk::over(Database::sqlite().await);
    let roots = desk.path("tokenex-roots.pem");
    std::fs::write(&roots, read(&desk.files.ca.certificate)).expect("written");
    let desk = desk.with(
        "[lifecycle]\nroots = [\"tokenex-roots.pem\"]\n\
         [lifecycle.tokenex]\nurl = \"https://test-api.tokenex.com\"\ntokenex_id = \"1\"\napi_key = \"2\"\n",
    );
    let world = desk.open().await;
    world.ready().await;

    std::fs::write(&roots, "no certificate").expect("written");
    eventually("what is bad is seen, and not taken", || async {
        world.count(KEPT_OLD) > 0
    })
    .await;
}
