//! The end of all pods, as a kubelet tells it.

use std::time::{Duration, Instant};

use berth_sandbox::Request;
use futures::{StreamExt, TryStreamExt};
use serde_json::json;
use tokio::sync::mpsc::UnboundedSender;

use crate::Fallible;
use crate::cluster::{Cluster, NAMESPACE, SIDE_BY_SIDE};

/// In which all pods end, if the server can.
const ENDING: Duration = Duration::from_secs(5);

/// Ends the pods one after the other, evenly spread, and tells the name of each that has ended;
/// gives how long that took.
pub async fn end_all(
    cluster: &Cluster,
    names: &[String],
    tell: Option<UnboundedSender<String>>,
) -> Fallible<Duration> {
    let began = Instant::now();
    let (all, tell) = (names.len(), tell.as_ref());
    let end_one = |(number, name): (usize, &String)| {
        let name = name.clone();
        async move {
            #[allow(clippy::cast_precision_loss, reason = "a share of five seconds")]
            let due = ENDING.mul_f64(number as f64 / all as f64);
            tokio::time::sleep(due.saturating_sub(began.elapsed())).await;
            cluster.ask(&end(&name)).await?;
            if let Some(tell) = tell {
                tell.send(name)?;
            }
            Fallible::Ok(())
        }
    };
    futures::stream::iter(names.iter().enumerate())
        .map(end_one)
        .buffer_unordered(SIDE_BY_SIDE)
        .try_collect::<Vec<()>>()
        .await?;
    Ok(began.elapsed())
}

/// What a kubelet says of a pod whose program has ended well.
fn end(name: &str) -> Request {
    let body = json!({"status": {
        "phase": "Succeeded",
        "containerStatuses": [{
            "name": "task", "image": "", "imageID": "", "ready": false, "restartCount": 0,
            "state": {"terminated": {"exitCode": 0, "reason": "Completed"}},
        }],
    }});
    let path = format!("/api/v1/namespaces/{NAMESPACE}/pods/{name}/status");
    Request::new("PATCH", &path).with("application/merge-patch+json", &body)
}
