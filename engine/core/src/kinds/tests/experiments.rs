//! Faults of an experiment alone.

use super::{FULL, findings, of_experiment, one, shown};
use crate::desired::fixture::{QUEUE, Repository, experiment};
use crate::diagnostic::{Code, Severity};

#[test]
fn a_full_experiment_has_no_findings() {
    assert_eq!(of_experiment(FULL), [] as [&str; 0]);
}

#[test]
fn schema_faults_say_what_to_write() {
    one(
        "  maxRestart: 3\n",
        "B0204 7:3 an Experiment has no field `spec.maxRestart` | did you mean `maxRestarts`?",
    );
    one(
        "  resources: {slots_per_trial: 8}\n",
        "B0204 7:15 an Experiment has no field `spec.resources.slots_per_trial` | did you mean `slotsPerTrial`?",
    );
    // Of another map, as those who come from elsewhere write it.
    one(
        "  slotsPerTrial: 8\n",
        "B0204 7:3 an Experiment has no field `spec.slotsPerTrial` | did you mean `resources.slotsPerTrial`?",
    );
    one(
        "  variables: {A: b}\n",
        "B0204 7:3 an Experiment has no field `spec.variables` | did you mean `environment.variables`?",
    );
    one(
        "  maxRestarts: \"3\"\n",
        "B0206 7:16 `spec.maxRestarts` is text, it must be a whole number | take the quotes off",
    );
    one(
        "  image: 1.5\n",
        "B0206 7:10 `spec.image` is a number, it must be text | quote it",
    );
    one(
        "  image:\n",
        "B0206 7:8 `spec.image` is empty, it must be text | give it a value, or leave the field out",
    );
    one(
        "  image: A B C\n",
        "B0207 7:10 `spec.image` cannot be `A B C` | The name of an image: `[registry/]path[:tag][@digest]`, the path in lower case. \
         For example ghcr.io/lab/train:1.2",
    );
    one(
        "  image: \"\"\n",
        "B0207 7:10 `spec.image` cannot be `` | The name of an image: `[registry/]path[:tag][@digest]`, the path in lower case. \
         For example ghcr.io/lab/train:1.2",
    );
    one(
        "  maxRestarts: -1\n",
        "B0207 7:16 `spec.maxRestarts` is out of range: it is at least 0 | How often a trial may fail and start again.",
    );
    one(
        "  run: 0\n",
        "B0207 7:8 `spec.run` is out of range: it is at least 1 | Raise it to run the same thing again.",
    );
    one(
        "  state: pause\n",
        "B0207 7:10 `spec.state` cannot be `pause` | did you mean `paused`?",
    );
    one(
        "  maxRuntime: 2 hours\n",
        "B0207 7:15 `spec.maxRuntime` cannot be `2 hours` | A length of time, 1s at least: a whole number and `s`, `m`, `h` or `d`. \
         For example 90s, 15m, 2h, 1d",
    );
    one(
        "  maxRuntime: 90\n",
        "B0206 7:15 `spec.maxRuntime` is a number, it must be text | A length of time, 1s at least: a whole number and `s`, `m`, `h` or `d`. \
         For example 90s, 15m, 2h, 1d",
    );
    one(
        "  startDeadline: 0s\n",
        "B0207 7:18 `spec.startDeadline` cannot be `0s` | A length of time, 1s at least: a whole number and `s`, `m`, `h` or `d`. \
         For example 90s, 15m, 2h, 1d",
    );
    one(
        "  environment: {variables: {A: 1}}\n",
        "B0206 7:32 `spec.environment.variables.A` is a number, it must be text or a map | quote it",
    );
}

#[test]
fn a_key_that_is_empty_or_a_number_hides_no_other_fault() {
    let codes = |variables: &str| -> Vec<String> {
        let found = of_experiment(&format!("  environment: {{variables: {variables}}}\n"));
        found.iter().map(|it| it[..10].trim().to_owned()).collect()
    };
    one(
        "  environment: {variables: {'1': 1}}\n",
        "B0206 7:34 `spec.environment.variables.1` is a number, it must be text or a map | quote it",
    );
    assert_eq!(codes("{'': y}"), ["B0208 7:29", "B0104 7:33"]);
    assert_eq!(
        codes("{A=B: x, '': y, BERTH_X: z}"),
        ["B0208 7:29", "B0208 7:37", "B0104 7:41", "B0402 7:44"]
    );
    assert_eq!(codes("{'': 1}"), ["B0208 7:29", "B0206 7:33"]);
    assert_eq!(codes("{a/b~: 1}"), ["B0206 7:35"]);
}

#[test]
fn missing_fields_are_described() {
    let text = experiment("a", "").replace("  entrypoint: [python, train.py]\n", "");
    let found = shown(&findings("a.yaml", &text));
    assert_eq!(found.len(), 1);
    assert!(
        found[0]
            .starts_with("B0205 4:1 `spec.entrypoint` is missing | add `entrypoint`: The program"),
        "{found:?}"
    );
}

#[test]
fn what_is_not_built_yet_says_so() {
    one(
        "  extends: base\n",
        "B0203 7:3 `spec.extends`: templates are not built yet | write the fields out",
    );
    one(
        "  searcher: {name: random}\n",
        "B0203 7:20 the searcher `random` is not built yet | use `single`",
    );
    one(
        "  hyperparameters: {lr: {type: log, minval: -5, maxval: -1, base: 10}}\n",
        "B0203 7:25 hyperparameters of the type `log` are not built yet | write the value itself",
    );
    let task = shown(&findings(
        "t.yaml",
        "apiVersion: berth.dev/v1alpha1\nkind: Task\nmetadata: {name: t}\nspec: {}\n",
    ));
    assert_eq!(
        task,
        [
            "B0203 2:7 documents of the kind `Task` are not built yet | the kinds that are built are Cluster, PodDefaults, Queue, Experiment"
        ]
    );
    let queue = shown(&findings(
        "queue.yaml",
        &QUEUE.replace("quota: 64", "quota: 64, backend: kueue"),
    ));
    assert_eq!(
        queue,
        ["B0203 4:61 the backend `kueue` is not built yet | use `native`"]
    );
}

#[test]
fn sizes_that_do_not_split_name_the_nearest() {
    let text = experiment("a", "  resources: {slotsPerTrial: 10}\n");
    let found = findings("a.yaml", &text);
    assert_eq!(
        shown(&found),
        [
            "B0401 7:30 10 slots do not split into pods of 8 | the nearest sizes that work are 8 and 16; or say `onUneven: shrink`"
        ]
    );
    assert_eq!(found[0].related[0].1, "the most slots of one pod");
    assert_eq!(found[0].related[0].0.span.line, 6);
    let found = findings(
        "a.yaml",
        &experiment("a", "  resources: {slotsPerTrial: 128}\n"),
    );
    assert_eq!(
        (found[0].code, found[0].severity),
        (Code::OverQuota, Severity::Warning)
    );
}

#[test]
fn the_entrypoint_names_hyperparameters_that_exist() {
    let hp = "  hyperparameters: {learningRate: 0.1, model: {depth: 50}}\n";
    let of = |word: &str| {
        let text = experiment("a", hp).replace("train.py", word);
        shown(&findings("a.yaml", &text))
    };
    assert_eq!(
        of("'$(hp.learningRate) $(hp.model.depth)'"),
        [] as [&str; 0]
    );
    assert_eq!(
        of("$(hp.learning_rate)"),
        [
            "B0407 6:24 there is no hyperparameter `learning_rate` | did you mean `$(hp.learningRate)`?"
        ]
    );
    assert_eq!(
        of("$(hp.model)"),
        [
            "B0407 6:24 the hyperparameter `model` is a map | name a value in it, or read BERTH_HPARAMS_FILE"
        ]
    );
    let shell = experiment("a", "").replace("[python, train.py]", "python --lr $(hp.lr)");
    assert_eq!(
        shown(&findings("a.yaml", &shell)),
        ["B0407 6:15 there is no hyperparameter `lr` | add it to `hyperparameters`"]
    );
}

/// What is certainly meant as a reference and is none; what is Kubernetes' or the shell's is left
/// alone.
#[test]
fn references_are_closed_and_name_something() {
    let hp = "  hyperparameters: {lr: 0.1}\n";
    let of = |word: &str| {
        let text = experiment("a", hp).replace("train.py", &format!("'{word}'"));
        shown(&findings("a.yaml", &text))
    };
    let help = "write `$(hp.PATH)`, or `$$(hp.lr` if the program should get this text";
    for (word, wanted) in [
        ("--lr=$(hp.lr", format!("`$(hp.lr` has no `)` | {help}")),
        (
            "$(hp.lr --x $(hp.lr)",
            format!("`$(hp.lr` has no `)` | {help}"),
        ),
        (
            "$(hp.lr}",
            "`$(hp.lr}` has no `)` | write `$(hp.PATH)`, or `$$(hp.lr}` if".to_owned(),
        ),
        (
            "$(hp.)",
            "`$(hp.)` names no hyperparameter | the hyperparameters are lr".to_owned(),
        ),
        (
            "$(hp. )",
            "`$(hp. )` names no hyperparameter | the".to_owned(),
        ),
        (
            "$(hp.none)",
            "there is no hyperparameter `none` | the".to_owned(),
        ),
    ] {
        let found = of(word);
        let wanted = format!("B0407 6:24 {wanted}");
        assert!(
            found.len() == 1 && found[0].starts_with(&wanted),
            "{word}: {found:?}"
        );
    }
    for word in [
        "$(HOME)",
        "$(other.x)",
        "$(other.x",
        "$$(hp.lr",
        "$$(hp.)",
        "$(hp",
        "$(date)",
        "$$$$(hp.lr)",
    ] {
        assert_eq!(of(word), [] as [&str; 0], "{word}");
    }
    let line = experiment("a", hp).replace("[python, train.py]", "python --lr $(hp.lr");
    assert!(shown(&findings("a.yaml", &line))[0].starts_with("B0407 6:15 `$(hp.lr` has no `)`"));
}

#[test]
fn values_of_variables_are_never_shown() {
    let text = experiment(
        "a",
        "  environment: {variables: {A: {secret: hunter2}, B: [hunter2]}}\n",
    );
    let found = shown(&findings("a.yaml", &text));
    assert!(
        !found.is_empty() && found.iter().all(|line| !line.contains("hunter2")),
        "{found:?}"
    );
}

#[test]
fn hyperparameters_that_become_one_variable_are_told_with_both_places() {
    for (values, name, line) in [
        ("a: {b: 1}\n    a_b: 2", "BERTH_HP_a_b", 9),
        ("a: {b_c: 1}\n    a_b: {c: 2}", "BERTH_HP_a_b_c", 9),
        ("a: {b: 1}\n    a.b: 2", "$(hp.a.b)", 9),
        (
            "a: {b: 1}\n    a-b: 2\n    a_b: [1, {x: 2}]",
            "BERTH_HP_a_b",
            10,
        ),
    ] {
        let text = experiment("a", &format!("  hyperparameters:\n    {values}\n"));
        let found = findings("a.yaml", &text);
        assert_eq!(found.len(), 1, "{values}: {:?}", shown(&found));
        assert!(
            shown(&found)[0].contains(&format!(
                "two hyperparameters become `{name}` | rename one of them"
            )),
            "{:?}",
            shown(&found)
        );
        let lines = (
            found[0].place.unwrap().span.line,
            found[0].related[0].0.span.line,
        );
        assert_eq!(lines, (line, 8), "{values}");
    }
    let fine = "  hyperparameters: {a: {b: 1, c: 2}, ab: 1, A: {b: 3}, \"a b\": 1, a.c.d: 2}\n";
    assert_eq!(of_experiment(fine), [] as [&str; 0]);
}

#[test]
fn a_variable_is_given_once() {
    let twice = "  environment: {variables: {A: x}}\n  pod: {spec: {containers: [{name: task, env: [{name: A, value: b}]}]}}\n";
    let found = findings("a.yaml", &experiment("a", twice));
    assert_eq!(
        shown(&found),
        ["B0411 8:55 the variable `A` is given here and in `environment` | keep one of the two"]
    );
    assert_eq!(found[0].related[0].0.span.line, 7);
    one(
        "  environment: {variables: {NVIDIA_VISIBLE_DEVICES: all}}\n",
        "B0402 7:29 the variable `NVIDIA_VISIBLE_DEVICES` is Berth's own | a program sees the GPUs of its slots, \
         `resources.slotsPerTrial`",
    );
}

#[test]
fn hyperparameters_fit_into_an_annotation_of_the_pod() {
    let of = |bytes: usize| {
        // `{"a":""}` and the text.
        let text = "x".repeat(bytes - 8);
        of_experiment(&format!("  hyperparameters: {{a: {text}}}\n"))
    };
    assert_eq!(of(131_072), [] as [&str; 0]);
    assert_eq!(
        of(131_073),
        [
            "B0102 7:20 the hyperparameters take 131073 bytes as JSON, and a pod carries at most 131072 | \
             put what is large into the image, a volume or object storage, and name it here"
        ]
    );
}

#[test]
fn all_annotations_of_a_pod_fit_into_it() {
    let text = |bytes: usize| "x".repeat(bytes);
    let of = |own: usize, rest: &str| {
        let rest = format!(
            "  hyperparameters: {{a: {}}}\n  pod: {{metadata: {{annotations: {{b: {}{rest}}}}}}}\n",
            text(120_000),
            text(own)
        );
        let mut repository = Repository::new();
        let layer = format!(
            "quota: 64, pod: {{metadata: {{annotations: {{q: {}}}}}}}",
            text(60_000)
        );
        repository.put("queue.yaml", &QUEUE.replace("quota: 64", &layer));
        repository.put("a.yaml", &experiment("a", &rest));
        repository.validate().findings
    };
    // With `{"a":""}` and the names of both annotations there are 240 KiB.
    assert_eq!(shown(&of(65_750, "")), [] as [&str; 0]);
    let found = of(65_751, "");
    assert_eq!(
        shown(&found),
        [
            "B0102 7:20 the annotations of a pod take 245761 bytes with the hyperparameters, at most 245760 are \
             possible | shorten the annotations, or keep large values outside of Kubernetes and name them"
        ]
    );
    let (place, words) = &found[0].related[0];
    assert_eq!((place.span.line, &**words), (8, "the largest annotation"));
    // One that a layer above takes away counts no more.
    assert_eq!(shown(&of(100_000, ", q: null")), [] as [&str; 0]);
}

#[test]
fn what_no_program_can_be_given_is_refused() {
    let large = "x".repeat(128 * 1024);
    let half = "x".repeat(70 * 1024);
    let variable = format!("  environment: {{variables: {{A: {large}}}}}\n");
    let twice = experiment("a", &format!("  hyperparameters: {{a: {half}}}\n"))
        .replace("train.py", "$(hp.a)$(hp.a)");
    for (text, words) in [
        (
            experiment("a", &variable),
            "B0102 7:32 a variable of 131074 bytes",
        ),
        (twice, "B0102 6:24 an argument of 143360 bytes"),
    ] {
        let found = shown(&findings("a.yaml", &text)).join(" ");
        assert!(
            found.starts_with(words),
            "{}",
            &found[..found.len().min(300)]
        );
        assert_eq!(found.matches("B0").count(), 1);
    }
    assert_eq!(
        of_experiment(&format!("  environment: {{variables: {{A: {half}}}}}\n")),
        [] as [&str; 0]
    );
}
