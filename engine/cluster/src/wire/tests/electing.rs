//! Two electors and one Lease, with every order, delay and loss of their messages.

use std::time::Duration;

use berth_core::reconciler::Role;
use http::{Method, Request};
use proptest::prelude::*;

use super::super::elector::{LASTS, MARGIN, RENEW};
use super::super::{Answer, Elector, UNKNOWN};
use super::*;

/// The one Lease of a server, and whether there is an anchor.
#[derive(Default)]
struct Server {
    lease: Option<Value>,
    version: u64,
    anchored: bool,
}

impl Server {
    fn handle(&mut self, request: &Request<Vec<u8>>) -> (u16, Value) {
        if request.uri().path().ends_with("/configmaps/berth-main") {
            return if self.anchored {
                (200, json!({"kind": "ConfigMap"}))
            } else {
                (404, status(404, "NotFound", "no"))
            };
        }
        match (request.method(), &self.lease) {
            (&Method::GET, Some(lease)) => (200, lease.clone()),
            (&Method::GET, None) => (404, status(404, "NotFound", "no")),
            (&Method::POST, Some(_)) => (409, status(409, "AlreadyExists", "no")),
            (_, held) => {
                let mut body: Value = serde_json::from_slice(request.body()).unwrap();
                let state = |lease: &Value| {
                    let meta = &lease["metadata"];
                    (meta["uid"].clone(), meta["resourceVersion"].clone())
                };
                let before = held.as_ref().map(state);
                if request.method() == Method::PUT && before != Some(state(&body)) {
                    return (409, status(409, "Conflict", "no"));
                }
                self.version += 1;
                if request.method() == Method::POST {
                    body["metadata"]["uid"] = json!(format!("uid-{}", self.version));
                }
                body["metadata"]["resourceVersion"] = json!(self.version.to_string());
                self.lease = Some(body.clone());
                (200, body)
            }
        }
    }
}

/// An elector with a clock that is wrong by a constant, and its message under way.
struct Side {
    elector: Elector,
    ahead: Duration,
    asked: Option<Request<Vec<u8>>>,
    answer: Option<(u16, Value)>,
    /// Requests whose sender gave up on them; they may still arrive.
    stray: Vec<Request<Vec<u8>>>,
}

impl Side {
    fn new(name: &str, ahead: Duration) -> Self {
        Self {
            elector: Elector::new("main", "berth", name),
            ahead,
            asked: None,
            answer: None,
            stray: Vec::new(),
        }
    }

    fn leads(&self, at: Timestamp) -> bool {
        let role = self.elector.role(at.plus(self.ahead));
        matches!(role, Role::Leader { .. })
    }

    /// One thing that can happen to it.
    fn happen(&mut self, what: u8, at: Timestamp, server: &mut Server) {
        let now = at.plus(self.ahead);
        match what {
            0..=3 if self.asked.is_none() && self.answer.is_none() => {
                self.asked = self.elector.next_request(now).unwrap();
            }
            0..=5 => {
                if let Some(request) = self.asked.take() {
                    self.answer = Some(server.handle(&request));
                } else if let Some(answer) = self.answer.take() {
                    self.hear(now, &answer);
                }
            }
            6 => {
                if let Some(request) = self.asked.take() {
                    self.stray.push(request);
                    self.elector.lost();
                } else if self.answer.take().is_some() {
                    self.elector.lost();
                }
            }
            7 => {
                if let Some(request) = self.stray.pop() {
                    server.handle(&request);
                }
            }
            8 => {
                if self.asked.is_none()
                    && self.answer.is_none()
                    && let Some(request) = self.elector.release(now).unwrap()
                {
                    self.asked = Some(request);
                }
            }
            _ => {}
        }
    }

    fn hear(&mut self, now: Timestamp, (status, body): &(u16, Value)) {
        let body = body.to_string();
        let answer = Answer {
            status: *status,
            retry_after: None,
            body: body.as_bytes(),
        };
        self.elector.answered(now, &answer);
    }

    /// Sends and hears until it has nothing more to say at this time.
    fn settle(&mut self, at: Timestamp, server: &mut Server) {
        for _ in 0..6 {
            self.happen(0, at, server);
            self.happen(5, at, server);
            self.happen(5, at, server);
        }
    }
}

/// Somebody deletes the Lease.
const DELETED: u8 = 9;

/// Mostly messages that arrive; sometimes a loss, a stray, a release, or the Lease is gone.
fn happening() -> impl Strategy<Value = u8> {
    prop_oneof![40 => 0_u8..6, 4 => Just(6), 2 => Just(7), 1 => Just(8), 1 => Just(DELETED)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]
    #[test]
    fn never_do_two_lead_at_once(
        ahead in 0_u64..100_000,
        steps in prop::collection::vec((any::<bool>(), 0_u64..4_000, happening()), 1..300),
    ) {
        let mut server = Server { anchored: true, ..Server::default() };
        let mut at = Timestamp::from_millis(0);
        let mut one = Side::new("one", Duration::ZERO);
        let mut two = Side::new("two", Duration::from_millis(ahead));
        for (first, pause, what) in steps {
            at = at.plus(Duration::from_millis(pause));
            if what == DELETED {
                server.lease = None;
            }
            let side = if first { &mut one } else { &mut two };
            side.happen(what, at, &mut server);
            prop_assert!(!(one.leads(at) && two.leads(at)), "both lead at {}", at.millis());
        }
    }
}

#[test]
fn the_first_leads_renews_and_is_followed_once_it_falls_silent() {
    let mut server = Server::default();
    let mut one = Side::new("one", Duration::ZERO);
    let mut two = Side::new("two", Duration::from_hours(1));
    one.settle(at(0), &mut server);
    two.settle(at(0), &mut server);
    let until = at(0).plus(LASTS.saturating_sub(MARGIN));
    assert_eq!(one.elector.role(at(0)), Role::Leader { until });
    assert_eq!(
        two.elector.role(at(3600)),
        Role::Follower {
            holder: "one".into()
        }
    );
    assert_eq!(one.elector.due(), at(0).plus(RENEW));

    one.settle(at(5), &mut server);
    assert!(one.leads(at(18)) && !one.leads(at(19)));
    for second in 6..20 {
        two.settle(at(second), &mut server);
        assert!(!two.leads(at(second)), "at {second}");
    }
    two.settle(at(22), &mut server);
    assert!(two.leads(at(22)));
    let spec = &server.lease.as_ref().unwrap()["spec"];
    assert_eq!(spec["leaseTransitions"], 2);

    one.settle(at(23), &mut server);
    assert_eq!(
        one.elector.role(at(23)),
        Role::Follower {
            holder: "two".into()
        }
    );
}

#[test]
fn time_held_is_reckoned_from_before_the_request_was_sent() {
    let mut server = Server::default();
    let mut one = Side::new("one", Duration::ZERO);
    one.settle(at(0), &mut server);
    one.happen(0, at(5), &mut server);
    one.happen(5, at(6), &mut server);
    one.happen(5, at(12), &mut server);
    assert_eq!(one.elector.role(at(12)), Role::Leader { until: at(19) });
}

#[test]
fn a_missing_namespace_is_asked_for_every_two_seconds_not_faster() {
    let mut one = Side::new("one", Duration::ZERO);
    let absent = (
        404,
        status(404, "NotFound", "namespaces \"berth\" not found"),
    );
    let mut requests = 0;
    for millis in 0..10_000 {
        let now = Timestamp::from_millis(millis);
        if one.elector.next_request(now).unwrap().is_some() {
            requests += 1;
            one.hear(now, &absent);
        }
        assert!(!one.leads(now));
    }
    assert_eq!(requests, 15, "two reads and a write every two seconds");
}

#[test]
fn the_lease_is_not_asked_for_before_the_server_wants_it() {
    let mut server = Server::default();
    let mut one = Side::new("one", Duration::ZERO);
    let at = |seconds: u64| Timestamp::default().plus(Duration::from_secs(seconds));
    one.settle(at(0), &mut server);
    assert!(one.elector.next_request(at(5)).unwrap().is_some());
    let mut body = status(503, "ServiceUnavailable", "later");
    body["details"] = json!({"retryAfterSeconds": 7});
    one.hear(at(5), &(503, body));
    assert_eq!(one.elector.role(at(6)), Role::Leader { until: at(14) });
    assert!(one.elector.next_request(at(12)).unwrap().is_none());
    assert!(one.elector.due() > at(12) && one.elector.due() < at(13));
    assert!(one.elector.next_request(at(13)).unwrap().is_some());
}

#[test]
fn a_release_lets_the_next_one_in_at_once() {
    let mut server = Server::default();
    let mut one = Side::new("one", Duration::ZERO);
    let mut two = Side::new("two", Duration::ZERO);
    one.settle(at(0), &mut server);
    two.settle(at(0), &mut server);
    one.happen(8, at(1), &mut server);
    assert!(!one.leads(at(1)), "it holds it until the server knows");
    one.happen(5, at(1), &mut server);
    two.settle(at(2), &mut server);
    assert!(two.leads(at(2)));
}

/// Seconds after the beginning.
fn at(seconds: u64) -> Timestamp {
    Timestamp::default().plus(Duration::from_secs(seconds))
}

fn holder(server: &Server) -> Option<&str> {
    server.lease.as_ref()?["spec"]["holderIdentity"].as_str()
}

#[test]
fn a_lease_that_somebody_deleted_has_to_run_out_before_anybody_leads() {
    let mut server = Server::default();
    let mut one = Side::new("one", Duration::ZERO);
    let mut two = Side::new("two", Duration::ZERO);
    one.settle(at(0), &mut server);
    assert!(one.leads(at(0)), "nobody ever wrote");
    server.anchored = true;
    server.lease = None;
    two.settle(at(1), &mut server);
    assert_eq!(holder(&server), Some(UNKNOWN));
    let rival = two.elector.rival(at(1)).unwrap();
    assert_eq!((&*rival.holder, rival.lapses), (UNKNOWN, at(16)));

    assert!(one.leads(at(4)), "it does not know yet");
    one.settle(at(5), &mut server);
    assert!(
        !one.leads(at(5)),
        "its renewal is refused, and makes no Lease"
    );
    for second in 2..16 {
        two.settle(at(second), &mut server);
        assert!(!two.leads(at(second)), "at {second}");
    }
    two.settle(at(16), &mut server);
    assert!(two.leads(at(16)));
    assert_eq!(holder(&server), Some("two"));
}

#[test]
fn a_leader_whose_lease_was_deleted_stops_and_puts_it_back() {
    let mut server = Server {
        anchored: true,
        ..Server::default()
    };
    let mut one = Side::new("one", Duration::ZERO);
    one.settle(at(0), &mut server);
    assert!(!one.leads(at(0)), "who held it before is not known");
    one.settle(at(15), &mut server);
    assert!(one.leads(at(15)));
    server.lease = None;
    one.settle(at(20), &mut server);
    assert!(!one.leads(at(20)));
    assert_eq!(holder(&server), Some(UNKNOWN));
    // One that ends meanwhile gives nothing away.
    assert!(one.elector.release(at(21)).unwrap().is_none());
    assert_eq!(holder(&server), Some(UNKNOWN));
}
