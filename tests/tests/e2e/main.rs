//! The daemon from end to end: a real repository, the real binary, and the same scenarios on the
//! sandbox and on a real control plane. A scenario's name in the report ends with its server's:
//! `story::one_slot_runs_and_finishes::kube_apiserver`.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking, its helpers too"
)]

/// Makes two tests of each scenario, one a server.
macro_rules! on_both {
    ($($scenario:ident),* $(,)?) => {
        $(mod $scenario {
            use berth_tests::e2e::On;

            #[tokio::test]
            async fn sandbox() {
                super::$scenario(On::Sandbox).await;
            }

            #[tokio::test]
            async fn kube_apiserver() {
                if let Some(real) = On::real(stringify!($scenario)) {
                    super::$scenario(real).await;
                }
            }
        })*
    };
}

/// Makes one test of each scenario that the sandbox cannot play. It has
/// - no roles and bindings: its one identity may do everything but what a test denies;
/// - no Pod Security admission and no other admission plugin but the one for quotas;
/// - no processes of its own to kill, and no store that a server would find again.
macro_rules! on_kube_apiserver {
    ($($scenario:ident),* $(,)?) => {
        $(mod $scenario {
            #[tokio::test]
            async fn kube_apiserver() {
                if berth_tests::e2e::On::real(stringify!($scenario)).is_some() {
                    super::$scenario().await;
                }
            }
        })*
    };
}

mod admission;
mod away;
mod capacity;
mod commands;
mod compact;
mod crash;
mod identity;
mod input;
mod kubectl;
mod life;
mod outage;
mod reanchor;
mod rights;
mod story;
mod validate;
mod weather;
