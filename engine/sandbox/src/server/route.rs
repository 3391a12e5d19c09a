//! From a path to what it is about.

/// What a path names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Route {
    pub(crate) group: String,
    pub(crate) version: String,
    pub(crate) plural: String,
    pub(crate) namespace: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) subresource: Option<String>,
}

/// Reads `/api/v1/...` and `/apis/<group>/<version>/...`; `None` for all else.
pub(crate) fn parse(path: &str) -> Option<Route> {
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    let (group, version, rest) = match parts.as_slice() {
        ["api", version, rest @ ..] => ("", *version, rest),
        ["apis", group, version, rest @ ..] => (*group, *version, rest),
        _ => return None,
    };
    let (namespace, rest) = match rest {
        ["namespaces", _, "status" | "finalize"] => (None, rest),
        ["namespaces", namespace, rest @ ..] if !rest.is_empty() => (Some(*namespace), rest),
        rest => (None, rest),
    };
    let (plural, rest) = rest.split_first()?;
    let (name, subresource) = match rest {
        [] => (None, None),
        [name] => (Some(*name), None),
        [name, subresource] => (Some(*name), Some(*subresource)),
        _ => return None,
    };
    Some(Route {
        group: group.to_owned(),
        version: version.to_owned(),
        plural: (*plural).to_owned(),
        namespace: namespace.map(str::to_owned),
        name: name.map(str::to_owned),
        subresource: subresource.map(str::to_owned),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(path: &str) -> String {
        parse(path).map_or_else(String::new, |route| {
            let part = |part: Option<String>| part.unwrap_or_else(|| "-".to_owned());
            [
                route.group,
                route.version,
                part(route.namespace),
                route.plural,
                part(route.name),
                part(route.subresource),
            ]
            .join(" ")
        })
    }

    #[test]
    fn paths() {
        let cases = [
            ("/api/v1/pods", " v1 - pods - -"),
            ("/api/v1/namespaces/x", " v1 - namespaces x -"),
            (
                "/api/v1/namespaces/x/finalize",
                " v1 - namespaces x finalize",
            ),
            ("/api/v1/namespaces/x/pods/p/status", " v1 x pods p status"),
            (
                "/apis/coordination.k8s.io/v1/namespaces/x/leases",
                "coordination.k8s.io v1 x leases - -",
            ),
            ("/version", ""),
            ("/api/v1", ""),
        ];
        for (path, expected) in cases {
            assert_eq!(shown(path), expected, "{path}");
        }
    }
}
