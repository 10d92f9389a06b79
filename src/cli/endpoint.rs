//! `endpoint`: plays the merchant's own endpoint on this machine.

use std::net::SocketAddr;
use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use hyper::StatusCode;
use serde_json::Value;

use super::{misuse, output};
use crate::simulator::endpoint::{Endpoint, Report, Show};

#[derive(Debug, Args)]
#[command(after_help = "\
Example: an endpoint, and the destination that tells it
  mdes-receiver endpoint --listen 127.0.0.1:3000

  [[destinations]]
  name = \"desk\"
  url = \"http://127.0.0.1:3000/hook\"
  secrets = [\"${DESK_SECRET}\"]               # mdes-receiver destinations secret
  allow_networks = [\"127.0.0.0/8\"]")]
pub(super) struct EndpointArgs {
    /// Where to listen: on loopback.
    #[arg(long, default_value = "127.0.0.1:3000", value_name = "ADDRESS")]
    listen: SocketAddr,
    /// Answer everything with this status.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u16).range(200..=599))]
    status: u16,
    /// End after so many events.
    #[arg(long, value_name = "N")]
    until: Option<usize>,
    /// Show the bodies as they came, one a line; with --quiet no events are shown, only what was measured.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: &EndpointArgs) -> anyhow::Result<ExitCode> {
    if !args.listen.ip().is_loopback() {
        return Err(misuse(format_args!(
            "--listen {}: it checks no signature, so that it listens on loopback only",
            args.listen
        )));
    }
    let show: Show = match (output::is_quiet(), args.json) {
        (true, _) => Box::new(|_| {}),
        (_, true) => Box::new(|event| output::print(&format!("{}\n", output::json_text(&event.to_string())))),
        _ => Box::new(|event| output::print(&format!("{}\n", line(event)))),
    };
    let status = StatusCode::from_u16(args.status)?;
    let endpoint = Endpoint::bind(args.listen, status, args.until, show).await;
    let endpoint = endpoint.with_context(|| format!("cannot listen on {}", args.listen))?;
    output::note(format_args!(
        "listening on http://{}; Ctrl-C ends it",
        endpoint.address()?
    ));
    let stop = async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    output::tell(told(&endpoint.run(stop).await));
    Ok(ExitCode::SUCCESS)
}

/// One event: what, of which token, where it stands, what to do, on one line whatever the stranger wrote.
fn line(event: &Value) -> String {
    let data = &event["data"];
    let word = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let text = format!(
        "{:26} {} {}/{} {:12} {}",
        word(&event["type"]),
        word(&data["token_unique_reference"]),
        data["sequence"],
        data["index"],
        word(&data["status"]),
        word(&data["advice"])
    );
    output::escaped(&text)
}

fn told(report: &Report) -> String {
    let [p50, p95, p99, max] = report.after_ms;
    format!(
        "{} events of {} tokens in {:.2} s, {} out of order\n  \
         rate      {:10.1} a second\n  \
         after the recording: p50 {p50:.1} ms, p95 {p95:.1} ms, p99 {p99:.1} ms, max {max:.1} ms",
        report.taken, report.tokens, report.seconds, report.out_of_order, report.per_second
    )
}
