//! What Envoy does to a request before the gate sees it: it normalises the path, or answers itself.

use super::Request;
use super::situation::Situation;
use super::undecided::Undecided;
use crate::base::time::UnixSeconds;
use crate::cli::moment;
use crate::cli::normalise::{Arrival, PathSettings};
use serde_json::json;

/// The fate of a request on its way to the gate.
pub(super) enum Passage {
    /// The gate sees this request, with what Envoy did to it, if a file has the path settings.
    ToTheGate(Request, Option<String>),
    /// Envoy answers.
    Answered(Answer),
    /// The files do not decide which route the gate judges it by.
    Undecided(Undecided),
}

/// Envoy's own answer.
pub(super) struct Answer {
    request: String,
    now: UnixSeconds,
    settings: PathSettings,
    status: u16,
    /// Where a redirect leads, as it may be shown.
    location: Option<String>,
}

/// Lets a request pass the connection manager and its router.
pub(super) fn pass(situation: &Situation, request: &Request) -> Passage {
    match (through_manager(situation, request), &situation.undecided) {
        (Passage::ToTheGate(..), Some(why)) => Passage::Undecided(Undecided::new(request, situation.now, why)),
        (passage, _) => passage,
    }
}

fn through_manager(situation: &Situation, request: &Request) -> Passage {
    let target = request.target();
    let Some(settings) = situation.paths else {
        // Noted only if it could make a difference.
        let changes = PathSettings::ALL.apply(target) != Arrival::Passed(target.to_owned());
        let told = changes.then(|| "no file of Envoy's says what is done to paths: judged as written".to_owned());
        return Passage::ToTheGate(request.clone(), told);
    };
    let answer = |status, location: Option<&str>| {
        let location = location.map(|target| super::shown_target("", target).trim_start().to_owned());
        let (request, now) = (request.shown.clone(), situation.now);
        Passage::Answered(Answer { request, now, settings, status, location })
    };
    match settings.apply(target) {
        Arrival::Passed(seen) if seen == target => {
            Passage::ToTheGate(request.clone(), Some(format!("leaves the path as it is ({})", settings.names())))
        }
        Arrival::Passed(seen) => {
            let seen = request.with_target(&seen);
            let told = format!("makes it {} ({})", seen.shown, settings.names());
            Passage::ToTheGate(seen, Some(told))
        }
        // gRPC clients follow no redirect.
        Arrival::Redirected(_) if request.is_grpc() => answer(400, None),
        Arrival::Redirected(target) => answer(307, Some(&target)),
        Arrival::Refused => answer(400, None),
    }
}

impl Answer {
    /// The answer in one line.
    pub(super) fn verdict(&self) -> String {
        match &self.location {
            Some(location) => format!("answered by Envoy before the gate: {}, location {location}", self.status),
            None => format!("refused by Envoy before the gate: {} path_normalization_failed", self.status),
        }
    }

    /// As text.
    pub(super) fn to_text(&self) -> String {
        let now = moment::written(self.now);
        let (settings, verdict) = (self.settings.names(), self.verdict());
        format!("request   {} at {now}\nenvoy     {settings}\ndecision  {verdict}", self.request)
    }

    /// As JSON.
    pub(super) fn to_json(&self) -> String {
        let headers = self.location.as_ref().map_or_else(|| json!({}), |location| json!({ "location": location }));
        let told = json!({
            "request": self.request,
            "at": moment::written(self.now),
            "envoy": self.settings.names(),
            "decision": "before_the_gate",
            "answer": { "status": self.status, "headers": headers },
        });
        format!("{told:#}")
    }
}
