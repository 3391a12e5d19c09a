//! Who writes: leader election over a `coordination.k8s.io/v1` Lease, by value and without a clock.
//!
//! As client-go's, with one difference: it tells until when the Lease is held, reckoned from before
//! the request that renewed it was sent, so that every write can be fenced by that time.
//!
//! Guarantees: two holders never both believe in unexpired time, as long as their clocks run at
//! about the same speed. Their clocks need not agree: that somebody else's Lease has run out is
//! judged by how long *we* have seen it unchanged, never by the times written in it.
//! An identity must be used by one process at a time: whoever finds its own name in the Lease
//! goes on with it at once. So it does with the Lease of a holder that is proven to have ended.
//!
//! A Lease that is missing says nothing: somebody may have deleted it while its holder works on.
//! Only where there is no anchor yet, nobody ever wrote, and the Lease is made and held at once.
//! Else it is put back in the name of [`UNKNOWN`], and has to run out as any other.

use std::fmt;
use std::time::Duration;

use berth_core::ids::{ResourceVersion, Timestamp};
use berth_core::reconciler::Role;
use http::Request;
use serde_json::{Value, json};

use super::request::{build, micro_time, read, written};
use super::status::pause;
use super::url::{Url, encode};
use super::{Answer, NotACall};

/// How long a renewal holds.
pub const LASTS: Duration = Duration::from_secs(15);
/// So much of it is not used: what is sent at the last moment must arrive, and the clocks of two
/// machines do not run at quite the same speed.
pub const MARGIN: Duration = Duration::from_secs(1);
/// How often the holder renews.
pub const RENEW: Duration = Duration::from_secs(5);
/// Who holds a Lease that was put back, until it runs out. No process has such a name.
pub const UNKNOWN: &str = "whoever held it when it was deleted";
/// How often others look, and how soon a failed renewal is tried again.
pub const RETRY: Duration = Duration::from_secs(2);

/// See the module.
#[derive(Debug, Clone)]
pub struct Elector {
    namespace: String,
    /// The Lease's, and the anchor's.
    name: String,
    identity: String,
    lease: Lease,
    /// We hold it until then, the margin taken off.
    until: Option<Timestamp>,
    /// What was sent last, and when.
    sent: Option<(Sent, Timestamp)>,
    due: Timestamp,
    /// The server does not want to be asked before this.
    told: Timestamp,
}

/// Somebody else who holds the Lease, as far as we know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rival {
    /// Its identity.
    pub holder: String,
    /// Since when it holds the Lease, as it wrote.
    pub acquired: String,
    /// When it renewed it last, as it wrote.
    pub renewed: String,
    /// We have seen it renew: it lives.
    pub renews: bool,
    /// When the Lease is free unless it is renewed, on our clock.
    pub lapses: Timestamp,
}

impl fmt::Display for Rival {
    /// Who holds it, since when, and when it was renewed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the Lease is held by `{}` since {} and was renewed at {}",
            self.holder, self.acquired, self.renewed
        )
    }
}

/// What is known of the Lease.
#[derive(Debug, Clone)]
enum Lease {
    /// Nothing.
    Unread,
    /// It is not there; not known whether it ever was.
    Missing,
    /// It is not there, and was never needed: there is no anchor.
    New,
    /// It is not there, though this cluster is kept already.
    Deleted,
    /// It is there.
    Seen(Seen),
}

/// The Lease as it was seen last.
#[derive(Debug, Clone)]
struct Seen {
    /// Which life of it: a PUT without it would make a Lease that was deleted anew.
    uid: Value,
    version: ResourceVersion,
    holder: String,
    lasts: Duration,
    acquired: Value,
    renewed: Value,
    transitions: u64,
    /// This holder was seen to renew it.
    renews: bool,
    /// When this state of it was first seen.
    since: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sent {
    Read,
    ReadAnchor,
    Write,
    Release,
}

impl Elector {
    /// Takes part in the election for a cluster, in Berth's own namespace.
    pub fn new(cluster: &str, namespace: &str, identity: &str) -> Self {
        Self {
            namespace: namespace.into(),
            name: format!("berth-{cluster}"),
            identity: identity.into(),
            lease: Lease::Unread,
            until: None,
            sent: None,
            due: Timestamp::default(),
            told: Timestamp::default(),
        }
    }

    /// When to call [`Self::next_request`] again: the next request is due, or our time ran out.
    pub fn due(&self) -> Timestamp {
        let asks = self.due.max(self.told);
        self.until.map_or(asks, |until| asks.min(until))
    }

    /// The role at this time.
    pub fn role(&self, now: Timestamp) -> Role {
        match (self.until, self.seen()) {
            (Some(until), _) if now < until => Role::Leader { until },
            (_, Some(seen)) if seen.holder != self.identity => Role::Follower {
                holder: seen.holder.clone(),
            },
            _ => Role::Follower {
                holder: String::new(),
            },
        }
    }

    /// Who else holds the Lease now.
    pub fn rival(&self, now: Timestamp) -> Option<Rival> {
        let seen = self.seen().filter(|seen| !self.may_take(seen, now))?;
        let text = |value: &Value| value.as_str().unwrap_or("an unknown time").to_owned();
        Some(Rival {
            holder: seen.holder.clone(),
            acquired: text(&seen.acquired),
            renewed: text(&seen.renewed),
            renews: seen.renews,
            lapses: seen.since.plus(seen.lasts),
        })
    }

    /// The process of this identity has certainly ended: its Lease need not run out.
    pub fn departed(&mut self, holder: &str, now: Timestamp) {
        if let Lease::Seen(seen) = &mut self.lease
            && seen.holder == holder
        {
            seen.lasts = Duration::ZERO;
            self.due = now;
        }
    }

    /// What to send now; `None` before it is due. Its end goes to [`Self::answered`] or
    /// [`Self::lost`].
    pub fn next_request(&mut self, now: Timestamp) -> Result<Option<Request<Vec<u8>>>, NotACall> {
        self.until = self.until.filter(|until| now < *until);
        if now < self.due.max(self.told) {
            return Ok(None);
        }
        // Whatever happens to the request: not again before this.
        self.due = now.plus(RETRY);
        let (sent, request) = match &self.lease {
            Lease::Missing => (Sent::ReadAnchor, read(self.anchor())),
            Lease::New => (Sent::Write, self.create(now, &self.identity)),
            Lease::Deleted => (Sent::Write, self.create(now, UNKNOWN)),
            Lease::Seen(seen) if self.may_take(seen, now) => {
                let request = self.replace(seen, now, &self.identity, LASTS);
                (Sent::Write, request)
            }
            Lease::Unread | Lease::Seen(_) => (Sent::Read, read(self.own())),
        };
        self.sent = Some((sent, now));
        request.map(Some)
    }

    /// A whole answer.
    pub fn answered(&mut self, now: Timestamp, answer: &Answer<'_>) {
        let Some((sent, at)) = self.sent.take() else {
            return;
        };
        if let Some(wait) = pause(answer) {
            // Times are cut to milliseconds: it may be so much later than `now`.
            self.told = now.plus(wait + Duration::from_millis(1));
        }
        match (sent, answer.status) {
            (Sent::Read, 404) => {
                self.lease = Lease::Missing;
                self.due = now;
            }
            (Sent::ReadAnchor, 404) => {
                self.lease = Lease::New;
                self.due = now;
            }
            (Sent::ReadAnchor, 200..=299) => {
                self.lease = Lease::Deleted;
                self.due = now;
            }
            (_, 200..=299) => self.saw(now, at, sent, answer),
            // Somebody else wrote, or deleted it: look, at once.
            (Sent::Write, 409) => {
                self.lease = Lease::Unread;
                self.due = now;
            }
            // Its namespace is not there, or the anchor cannot be read: no reason to hurry.
            (Sent::Write, 404) | (Sent::ReadAnchor, _) => self.lease = Lease::Unread,
            _ => {}
        }
    }

    /// The answer was lost, or the request never left. A write may have been carried out, so the
    /// version that we know may be old: read again.
    pub fn lost(&mut self) {
        if let Some((Sent::Write | Sent::ReadAnchor, _)) = self.sent.take() {
            self.lease = Lease::Unread;
        }
    }

    /// Gives the Lease up, so that the next one need not wait: the request, if we hold it. We hold
    /// it no longer from now on, whatever becomes of the request.
    pub fn release(&mut self, now: Timestamp) -> Result<Option<Request<Vec<u8>>>, NotACall> {
        let held = self.until.take().is_some_and(|until| now < until);
        let Some(seen) = self.seen().filter(|_| held) else {
            return Ok(None);
        };
        let request = self.replace(seen, now, "", Duration::from_secs(1));
        self.sent = Some((Sent::Release, now));
        request.map(Some)
    }

    /// Berth's own namespace, where the Lease is.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    fn seen(&self) -> Option<&Seen> {
        match &self.lease {
            Lease::Seen(seen) => Some(seen),
            _ => None,
        }
    }

    fn may_take(&self, seen: &Seen, now: Timestamp) -> bool {
        let free = seen.holder.is_empty() || seen.holder == self.identity;
        free || now >= seen.since.plus(seen.lasts)
    }

    fn saw(&mut self, now: Timestamp, sent_at: Timestamp, sent: Sent, answer: &Answer<'_>) {
        let Some(mut seen) = Seen::read(now, answer.body) else {
            self.lease = Lease::Unread;
            return;
        };
        if let Some(before) = self.seen()
            && (&before.uid, &before.holder) == (&seen.uid, &seen.holder)
        {
            let same = before.version == seen.version;
            seen.renews = before.renews || !same;
            seen.since = if same { before.since } else { now };
        }
        let ours = seen.holder == self.identity;
        match sent {
            Sent::Write if ours => {
                self.until = Some(sent_at.plus(LASTS.saturating_sub(MARGIN)));
                self.due = sent_at.plus(RENEW);
            }
            // A read proves nothing about how long we hold it: only our own write does.
            Sent::Read if self.may_take(&seen, now) => self.due = now,
            Sent::Read | Sent::ReadAnchor => {
                self.until = None;
                self.due = now.plus(RETRY).min(seen.since.plus(seen.lasts));
            }
            Sent::Write | Sent::Release => self.until = None,
        }
        self.lease = Lease::Seen(seen);
    }

    fn anchor(&self) -> Url {
        Url::config_map(&self.namespace, &self.name)
    }

    fn own(&self) -> Url {
        Url::at(format!("{}/{}", self.leases(), encode(&self.name)))
    }

    fn leases(&self) -> String {
        let namespace = encode(&self.namespace);
        format!("/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases")
    }

    /// Makes the Lease.
    fn create(&self, now: Timestamp, holder: &str) -> Result<Request<Vec<u8>>, NotACall> {
        let mut body = self.body(now, holder, LASTS);
        body["spec"]["acquireTime"] = body["spec"]["renewTime"].clone();
        body["spec"]["leaseTransitions"] = json!(1);
        build("POST", written(Url::at(self.leases())), JSON, &body)
    }

    /// Puts another state of it in the place of the one that was seen.
    fn replace(
        &self,
        seen: &Seen,
        now: Timestamp,
        holder: &str,
        lasts: Duration,
    ) -> Result<Request<Vec<u8>>, NotACall> {
        let takes = seen.holder != holder;
        let mut body = self.body(now, holder, lasts);
        body["metadata"]["uid"] = seen.uid.clone();
        body["metadata"]["resourceVersion"] = json!(seen.version.to_string());
        let spec = &mut body["spec"];
        let acquired = if takes {
            &spec["renewTime"]
        } else {
            &seen.acquired
        };
        spec["acquireTime"] = acquired.clone();
        let more = u64::from(takes && !holder.is_empty());
        spec["leaseTransitions"] = json!(seen.transitions + more);
        build("PUT", written(self.own()), JSON, &body)
    }

    fn body(&self, now: Timestamp, holder: &str, lasts: Duration) -> Value {
        json!({
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {
                "name": self.name,
                "namespace": self.namespace,
                "labels": {"app.kubernetes.io/managed-by": "berth"},
            },
            "spec": {
                "holderIdentity": holder,
                "leaseDurationSeconds": lasts.as_secs(),
                "renewTime": micro_time(now),
            },
        })
    }
}

const JSON: &str = "application/json";

impl Seen {
    fn read(now: Timestamp, body: &[u8]) -> Option<Self> {
        let body: Value = serde_json::from_slice(body).ok()?;
        let spec = body.get("spec")?;
        let number = |name: &str| spec.get(name).and_then(Value::as_u64);
        Some(Self {
            uid: body
                .pointer("/metadata/uid")
                .filter(|uid| uid.is_string())?
                .clone(),
            version: body
                .pointer("/metadata/resourceVersion")?
                .as_str()?
                .parse()
                .ok()?,
            holder: spec
                .get("holderIdentity")
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned(),
            lasts: number("leaseDurationSeconds").map_or(LASTS, Duration::from_secs),
            acquired: spec.get("acquireTime").cloned().unwrap_or(Value::Null),
            renewed: spec.get("renewTime").cloned().unwrap_or(Value::Null),
            transitions: number("leaseTransitions").unwrap_or(0),
            renews: false,
            since: now,
        })
    }
}
