//! What needs a person: which alarms there are, what each is about, and what is done about it.
//!
//! An alarm is a condition that holds now. It is raised once, however many replicas see it and however often, and cleared
//! when nobody has seen it for a while; both are told as an event of its kind (`ops.…`).

pub mod rules;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::event::EventType;
use super::masked::without_numbers;

/// Characters of what an alarm is about, and of its sentence.
const ABOUT_CHARS_MAX: usize = 200;
const SAYS_CHARS_MAX: usize = 500;

/// What kind of thing needs a person: one event type each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Something came that could not be used.
    Quarantine,
    /// A notification may have been missed.
    Gap,
    /// What is held of a token may not be the truth, and nothing settles it.
    Anomaly,
    /// A certificate or a revocation list of ours runs out.
    Certificate,
    /// A decryption key does.
    Key,
    /// A destination is not told.
    Destination,
    /// Nothing comes.
    Silence,
    /// The way to our own door is broken.
    Probe,
    /// A command waits for somebody, or for its proof.
    Command,
}

impl Kind {
    /// Every kind there is.
    pub const ALL: &[Kind] = &[
        Kind::Quarantine,
        Kind::Gap,
        Kind::Anomaly,
        Kind::Certificate,
        Kind::Key,
        Kind::Destination,
        Kind::Silence,
        Kind::Probe,
        Kind::Command,
    ];

    /// The word that bodies and metrics use.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Quarantine => "quarantine",
            Kind::Gap => "gap",
            Kind::Anomaly => "anomaly",
            Kind::Certificate => "certificate",
            Kind::Key => "key",
            Kind::Destination => "destination",
            Kind::Silence => "silence",
            Kind::Probe => "probe",
            Kind::Command => "command",
        }
    }

    /// As which event it is told.
    pub fn event(self) -> EventType {
        match self {
            Kind::Quarantine => EventType::OpsQuarantine,
            Kind::Gap => EventType::OpsGap,
            Kind::Anomaly => EventType::OpsAnomaly,
            Kind::Certificate => EventType::OpsCertificate,
            Kind::Key => EventType::OpsKey,
            Kind::Destination => EventType::OpsDestination,
            Kind::Silence => EventType::OpsSilence,
            Kind::Probe => EventType::OpsProbe,
            Kind::Command => EventType::OpsCommand,
        }
    }

    /// What this kind is about stands in a file or a setting, or in one process, which each replica may have its own of:
    /// that one does not see it says little. Everything else stands in the memory that all of them share.
    pub fn is_a_replicas_own(self) -> bool {
        matches!(self, Kind::Certificate | Kind::Key | Kind::Probe)
    }
}

macro_rules! alerts {
    ($($(#[$meta:meta])* $name:ident = $word:literal of $kind:ident,)*) => {
        /// One entry of `docs/runbook.md`, and one alert of `deploy/prometheus`: both by this name.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[cfg_attr(test, derive(schemars::JsonSchema))]
        pub enum Alert {
            $($(#[$meta])* #[serde(rename = $word)] $name,)*
        }

        impl Alert {
            /// Every alert that is an alarm of the house's own, too.
            pub const ALL: &[Alert] = &[$(Alert::$name,)*];

            /// Its name.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Alert::$name => $word,)*
                }
            }

            /// Of which kind it is.
            pub fn kind(self) -> Kind {
                match self {
                    $(Alert::$name => Kind::$kind,)*
                }
            }
        }
    };
}

alerts! {
    /// Entries in quarantine are open.
    QuarantineOpen = "MdesQuarantineOpen" of Quarantine,
    /// A gap is open, or nobody asked after what may have been missed in it.
    Gap = "MdesGap" of Gap,
    /// Something was said of a token that is deactivated.
    TokenAnomaly = "MdesTokenAnomaly" of Anomaly,
    /// Tokens in doubt were asked after in vain.
    DoubtGivenUp = "MdesDoubtGivenUp" of Anomaly,
    /// A certificate expires within a month.
    CertificateExpires = "MdesCertificateExpires" of Certificate,
    /// A certificate expires within days, or has.
    CertificateExpiresNow = "MdesCertificateExpiresNow" of Certificate,
    /// A revocation list is about to be past its `nextUpdate`, or is.
    CrlExpires = "MdesCrlExpires" of Certificate,
    /// A certificate, a list or a key could not be read again.
    ReloadKeptOld = "MdesReloadKeptOld" of Certificate,
    /// The certificate by which Mastercard knows a decryption key expires within a month, or has.
    KeyExpires = "MdesKeyExpires" of Key,
    /// Something to a destination is too old.
    DeliveriesLate = "MdesDeliveriesLate" of Destination,
    /// Deliveries were given up.
    DeliveriesParked = "MdesDeliveriesParked" of Destination,
    /// Nothing is sent to a destination.
    DestinationPaused = "MdesDestinationPaused" of Destination,
    /// Events wait for a destination that left the configuration.
    DestinationLeft = "MdesDestinationLeft" of Destination,
    /// No notification for longer than usual, or none ever.
    Silent = "MdesSilent" of Silence,
    /// Our own call through the public name does not come in.
    ProbeFails = "MdesProbeFails" of Probe,
    /// A command has no proof.
    CommandOverdue = "MdesCommandOverdue" of Command,
    /// A command waits for another operator.
    CommandWaits = "MdesCommandWaits" of Command,
}

impl Alert {
    /// The alert of that name, if there is one.
    pub fn parse(name: &str) -> Option<Self> {
        Alert::ALL.iter().copied().find(|alert| alert.as_str() == name)
    }

    /// What to look at and what to do: a place in our documents.
    pub fn runbook(self) -> String {
        format!("docs/runbook.md#{}", self.as_str().to_lowercase())
    }

    /// The first thing to do about it.
    pub fn next_step(self) -> &'static str {
        match self {
            Alert::QuarantineOpen => "find out why it could not be used, then redrive or resolve it",
            Alert::Gap => "once it has ended, have the tokens asked after: `mdes-receiver reconcile --since`",
            Alert::TokenAnomaly => "do not charge these tokens before Mastercard has said what they are",
            Alert::DoubtGivenUp => {
                "look at them: `mdes-receiver reconcile questions`; ask Mastercard about those tokens"
            }
            Alert::CertificateExpires => "renew it in working hours; it is read without a restart",
            Alert::CertificateExpiresNow => "renew it now; it is read without a restart",
            Alert::CrlExpires => "fetch the next list and put it in its place; it is read without a restart",
            Alert::ReloadKeptOld => {
                "put a whole file there, or the old one back; `mdes-receiver check` says what is wrong with it"
            }
            Alert::KeyExpires => "have a new key certified, and keep the old one until nothing needs it",
            Alert::DeliveriesLate => "see how attempts end: `mdes-receiver destinations test NAME`",
            Alert::DeliveriesParked => "retry them or skip them; later ones of the same tokens wait behind them",
            Alert::DestinationPaused => {
                "nothing is sent to it until it is resumed: `mdes-receiver destinations resume NAME`"
            }
            Alert::DestinationLeft => {
                "put it back into the configuration, or let go of what it holds: `mdes-receiver destinations forget NAME`"
            }
            Alert::Silent => "find out whether it is quiet or broken: try the way in from outside",
            Alert::ProbeFails => "the name, the balancer, the firewall, our certificate: try the way in from outside",
            Alert::CommandOverdue => {
                "nothing was seen of it, and it is being asked after; see whether notifications come"
            }
            Alert::CommandWaits => "another operator than who asked has to approve",
        }
    }
}

/// A condition that needs a person, as whoever sees it describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alarm {
    /// Which.
    pub alert: Alert,
    /// Of what: a destination's name, a file, a word of ours; empty if there is only one such thing. With `alert` it is
    /// what the alarm is known by.
    pub about: String,
    /// One sentence: what is so.
    pub says: String,
    /// How many things; 1 if it is not something to be counted.
    pub count: u64,
}

impl Alarm {
    /// An alarm of one thing. What is too long is cut, and a number that may be a card's is masked.
    pub fn new(alert: Alert, about: &str, says: impl AsRef<str>) -> Self {
        Alarm {
            alert,
            about: plain(about, ABOUT_CHARS_MAX),
            says: plain(says.as_ref(), SAYS_CHARS_MAX),
            count: 1,
        }
    }

    /// The same, of so many.
    #[must_use]
    pub fn of(self, count: u64) -> Self {
        Alarm { count, ..self }
    }
}

/// One line without what does not belong there.
fn plain(text: &str, chars_max: usize) -> String {
    let line: String = text.chars().filter(|c| !c.is_control()).collect();
    without_numbers(&line).chars().take(chars_max).collect()
}

/// Whether it began or ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It needs a person from now on.
    Raised,
    /// It does not any more, or nobody sees it.
    Cleared,
}

/// The alarm that an event is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct OfAlarm {
    /// Whether it began or ended.
    pub state: State,
    /// Its name, which is that of its alert and of its entry in the runbook.
    pub alert: Alert,
    /// Of what: a destination's name, a file, a word of ours; may be empty. With `alert` it is what the alarm is known by.
    pub about: String,
    /// What is so, in one sentence; of one that ended, what last was.
    pub says: String,
    /// The first thing to do about it.
    pub next_step: String,
    /// What to look at and what to do.
    pub runbook: String,
    /// How many things.
    pub count: u64,
    /// Since when.
    #[serde(with = "time::serde::rfc3339")]
    #[cfg_attr(test, schemars(with = "String", extend("format" = "date-time")))]
    pub since: OffsetDateTime,
}

impl OfAlarm {
    /// An alarm that was raised then.
    pub fn of(alarm: &Alarm, state: State, since: OffsetDateTime) -> Self {
        OfAlarm {
            state,
            alert: alarm.alert,
            about: alarm.about.clone(),
            says: alarm.says.clone(),
            next_step: alarm.alert.next_step().to_owned(),
            runbook: alarm.alert.runbook(),
            count: alarm.count,
            since,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_kind_has_an_event_of_its_name_and_an_alert() {
        let of_alerts: BTreeSet<Kind> = Alert::ALL.iter().map(|alert| alert.kind()).collect();
        for kind in Kind::ALL {
            assert_eq!(kind.event().as_str(), format!("ops.{}", kind.as_str()));
            assert!(of_alerts.contains(kind), "{kind:?}");
        }
    }

    #[test]
    fn every_alert_has_its_entry_in_the_runbook() {
        let runbook = include_str!("../../docs/runbook.md");
        for alert in Alert::ALL {
            assert_eq!(Alert::parse(alert.as_str()), Some(*alert));
            assert!(runbook.contains(&format!("\n## {}\n", alert.as_str())), "{alert:?}");
            let step = alert.next_step();
            assert!(
                step.starts_with(|c: char| c.is_lowercase()) && !step.ends_with('.'),
                "{step}"
            );
        }
    }

    #[test]
    fn an_alarm_is_short_and_holds_no_number_of_a_card() {
        let alarm = Alarm::new(
            Alert::Gap,
            &"x".repeat(10_000),
            format!("5204730000001201\n{}", "y".repeat(10_000)),
        );
        assert_eq!((alarm.about.len(), alarm.says.chars().count()), (200, 500));
        assert!(!alarm.says.contains("5204730000001201") && !alarm.says.contains('\n'));
    }
}
