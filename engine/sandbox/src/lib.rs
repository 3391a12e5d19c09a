//! An in-memory Kubernetes API with simulated nodes.
//!
//! [`Server`] is sans-IO and deterministic: requests, the time and a seed go in, answers come
//! out. [`http`] is a skin over it for clients that want a socket.
//!
//! # What pods do
//! A bound pod runs until it is deleted, unless an annotation says otherwise:
//!
//! | `sandbox.berth.dev/` | means |
//! |---|---|
//! | `run: 2s` | the program ends by itself after this |
//! | `exit-code: "1"` | what it exits with; without `run` it ends after 2 s |
//! | `exit: "attempt=1,rank=1:137;0"` | the code of the first clause whose `berth.dev/` labels fit |
//! | `oom: "true"` | it ends for want of memory: `OOMKilled`, 137 |
//! | `termination-message: text` | what it leaves behind |
//! | `on-term: "exit=0,after=1s"`, `on-term: hang` | what it does when it is asked to stop; else 143 at once |
//! | `image: pull-error` | its image never comes |
//! | `state: lost`, on a Node | nobody hears from the node and its pods until the annotation is off |
//!
//! A container whose `env` or `envFrom` names a Secret, a ConfigMap or a key of one that is not
//! there, and does not say `optional`, waits for it (`CreateContainerConfigError`). Volumes are
//! taken for mounted. (KWOK's kubelets cannot look other objects up: `config: missing` tells them.)

mod apply;
mod base64;
mod cause;
mod check;
mod clock;
mod failure;
mod faults;
pub mod http;
mod kinds;
mod nodes;
mod object;
mod options;
mod quantity;
mod random;
mod request;
mod selector;
mod server;
mod store;

pub use faults::Faults;
pub use options::{Denial, NodePool, Options};
pub use request::{Body, Request, Response, WatchId, WatchPoll};
pub use server::{Change, Server};
