//! What all stages on the real control plane share: one control plane, and threads that talk to it
//! while a test's own thread waits.

use std::panic::AssertUnwindSafe;
use std::sync::LazyLock;
use std::sync::mpsc::sync_channel;

use futures::FutureExt as _;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::OnceCell;

use crate::controlplane::{ControlPlane, Options, Programs};

static PLANE: OnceCell<ControlPlane> = OnceCell::const_new();
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    let mut threads = Builder::new_multi_thread();
    threads.worker_threads(2).enable_all().build().unwrap()
});

/// The control plane that all stages share; the first one starts it, and it ends with the process.
pub(super) async fn plane() -> &'static ControlPlane {
    PLANE.get_or_init(|| start(Options::whole())).await
}

/// A new control plane.
pub(super) async fn start(options: Options) -> ControlPlane {
    let programs = Programs::find().unwrap_or_else(|error| panic!("{error}"));
    let started = ControlPlane::start(&programs, &options).await;
    started.unwrap_or_else(|error| panic!("{error}"))
}

/// Spawns on the shared threads.
pub(crate) fn spawn<T: Send + 'static>(
    work: impl Future<Output = T> + Send + 'static,
) -> tokio::task::JoinHandle<T> {
    RUNTIME.spawn(work)
}

/// Does work on the shared threads and waits for its end, also within a test's own runtime.
pub(crate) fn run<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> T {
    let (send, receive) = sync_channel(1);
    spawn(async move {
        let done = AssertUnwindSafe(work).catch_unwind().await;
        // The test that waits is still there.
        let _ = send.send(done);
    });
    match receive.recv() {
        Ok(Ok(done)) => done,
        Ok(Err(panic)) => std::panic::resume_unwind(panic),
        Err(error) => panic!("the shared threads are gone: {error}"),
    }
}
