//! Whether a server that says "you may not" knows what it says.

use http::Request;

use super::{Answer, NotACall};

/// The question. `system:public-info-viewer` lets every account ask it
/// (<https://kubernetes.io/docs/reference/access-authn-authz/rbac/#discovery-roles>).
///
/// A kube-apiserver serves before it has read its roles, quotas and namespaces, and until then
/// answers 403 to what it will allow a moment later. Its `/readyz` turns 200 once all of them are
/// read (the check `informer-sync`). So a 403 is believed only if it is given again after a 200.
pub(super) fn ready_request() -> Result<Request<Vec<u8>>, NotACall> {
    Request::get("/readyz")
        .body(Vec::new())
        .map_err(|_| NotACall::Url)
}

/// Whether this answer says that the server is ready. One without such a page is taken at its word;
/// one that forbids it has not read its roles.
pub(super) fn is_ready(answer: &Answer<'_>) -> bool {
    answer.is_success() || answer.status == 404
}

/// Why a refusal is not believed.
pub(super) fn not_ready(answer: &Answer<'_>) -> String {
    format!(
        "the API server answers {} to /readyz: until it is ready, what it forbids says nothing",
        answer.status
    )
}
