use crate::repo::Repo;

#[test]
fn a_commit_tells_who_when_and_why() {
    let repo = Repo::new();
    let first = repo.commit("first");
    let message =
        "queues: raise vision\n\nMore trials.\n\nBerth-Allow: prune=12\nReviewed-by: Bo <b@x>";
    repo.write("a.yaml", "1");
    let second = repo.commit(message);
    let info = repo.open().info(second).unwrap();
    assert_eq!(
        (info.author_name.as_str(), info.author_email.as_str()),
        ("Ada", "ada@example.com")
    );
    assert_eq!(info.subject, "queues: raise vision");
    let seconds: i64 = repo.git(&["log", "-1", "--format=%ct"]).parse().unwrap();
    assert_eq!(info.time_ms, seconds * 1000);
    assert_eq!(info.parents, [first]);
    let trailers: Vec<_> = info
        .trailers
        .iter()
        .map(|(k, v)| (k.as_str(), v.as_str()))
        .collect();
    assert_eq!(
        trailers,
        [("Berth-Allow", "prune=12"), ("Reviewed-by", "Bo <b@x>")]
    );
}

#[test]
fn ancestors_end_where_they_are_told() {
    let repo = Repo::new();
    let commits: Vec<_> = (0..5).map(|n| repo.commit(&format!("{n}"))).collect();
    let reader = repo.open();
    let all = reader.ancestors(commits[4], &|_| false, 100).unwrap();
    assert_eq!((all.commits.len(), all.complete), (5, true));
    assert_eq!(all.commits[0], commits[4]);
    let some = reader
        .ancestors(commits[4], &|id| id == commits[2], 100)
        .unwrap();
    assert_eq!(some.commits, [commits[4], commits[3]]);
    let cut = reader.ancestors(commits[4], &|_| false, 3).unwrap();
    assert_eq!((cut.commits.len(), cut.complete), (3, false));
    assert!(reader.is_ancestor(commits[0], commits[4]).unwrap());
    assert!(reader.is_ancestor(commits[4], commits[4]).unwrap());
    assert!(!reader.is_ancestor(commits[4], commits[0]).unwrap());
}

#[test]
fn the_last_change_of_a_path_is_found() {
    let repo = Repo::new();
    repo.write("q/a.yaml", "1").commit("first");
    let changed = repo.write("q/a.yaml", "2").commit("second");
    repo.git(&["checkout", "-q", "-b", "side"]);
    let side = repo.write("q/b.yaml", "1").commit("side");
    repo.git(&["checkout", "-q", "main"]);
    repo.write("c.yaml", "1").commit("third");
    repo.git(&["merge", "-q", "--no-ff", "-m", "merge", "side"]);
    let removed = {
        repo.git(&["rm", "-q", "c.yaml"]);
        repo.commit("remove")
    };
    let (reader, tip) = (repo.open(), repo.tip("HEAD"));
    assert_eq!(reader.last_change(tip, "q/a.yaml").unwrap(), Some(changed));
    assert_eq!(reader.last_change(tip, "q/b.yaml").unwrap(), Some(side));
    assert_eq!(reader.last_change(tip, "q").unwrap(), Some(side));
    assert_eq!(reader.last_change(tip, "c.yaml").unwrap(), Some(removed));
    assert_eq!(reader.last_change(tip, "never.yaml").unwrap(), None);
    assert_eq!(reader.last_change(tip, "q/a.yaml/inside").unwrap(), None);
}
