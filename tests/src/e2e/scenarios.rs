//! What makes tests of scenarios.

/// Makes two tests of each scenario, one a server.
#[macro_export]
macro_rules! on_both {
    ($($scenario:ident),* $(,)?) => {
        $(mod $scenario {
            use $crate::e2e::On;

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
#[macro_export]
macro_rules! on_kube_apiserver {
    ($($scenario:ident),* $(,)?) => {
        $(mod $scenario {
            #[tokio::test]
            async fn kube_apiserver() {
                if $crate::e2e::On::real(stringify!($scenario)).is_some() {
                    super::$scenario().await;
                }
            }
        })*
    };
}
