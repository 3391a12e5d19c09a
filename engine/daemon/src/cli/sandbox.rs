//! `berth sandbox`

use std::path::PathBuf;

use berth_sandbox::NodePool;

use crate::error::{CommandError, CommandResult, Exit};
use crate::{output, sandbox};

/// Run a Kubernetes API in memory, with simulated nodes, on loopback
///
/// Pods are bound, run and end, but no program is started. Nothing is kept after the end.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  berth sandbox --kubeconfig kubeconfig &
  kubectl --kubeconfig kubeconfig get nodes

A pod runs until it is deleted, unless its annotations sandbox.berth.dev/... say more:
  run: 30s                              it ends by itself after that
  exit-code: \"1\"                        what it exits with
  exit: \"attempt=1,rank=1:137;0\"        the code of the first clause that fits
  oom: \"true\"                           it ends for want of memory
  termination-message: TEXT             what it leaves behind
  on-term: \"exit=0,after=1s\", hang      what it does when it is asked to stop
  image: pull-error                     its image never comes
On a Node, state: lost makes it and its pods silent until that is taken off.

A nodes file is YAML, one entry for each kind of node:
  - {prefix: big-, count: 4, slots: 8, resource: nvidia.com/gpu}
  - {prefix: cpu-, count: 2, cpu: 32, memoryGib: 128, labels: {disk: ssd}}")]
pub struct Args {
    /// How many nodes there are
    #[arg(long, default_value_t = 8, value_name = "COUNT")]
    nodes: u32,
    /// GPUs of each node
    #[arg(long, default_value_t = 8, value_name = "COUNT")]
    gpus: u32,
    /// Nodes of several kinds, from a file
    #[arg(long, value_name = "FILE", conflicts_with_all = ["nodes", "gpus"])]
    nodes_file: Option<PathBuf>,
    /// The port on 127.0.0.1; a free one if left out
    #[arg(long, default_value_t = 0, value_name = "PORT")]
    port: u16,
    /// Write the kubeconfig to this file instead of printing it
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
}

/// One entry of a nodes file.
#[derive(Debug, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Pool {
    #[serde(default = "prefix")]
    prefix: String,
    count: u32,
    #[serde(default)]
    slots: u32,
    #[serde(default)]
    resource: Option<String>,
    #[serde(default = "cpu")]
    cpu: u32,
    #[serde(default = "memory")]
    memory_gib: u32,
    #[serde(default)]
    labels: std::collections::BTreeMap<String, String>,
}

fn prefix() -> String {
    "node-".to_owned()
}

const fn cpu() -> u32 {
    64
}

const fn memory() -> u32 {
    256
}

impl From<Pool> for NodePool {
    fn from(pool: Pool) -> Self {
        let accelerator = if pool.slots > 0 { "nvidia.com/gpu" } else { "" };
        Self {
            prefix: pool.prefix,
            count: pool.count,
            slots: pool.slots,
            resource: pool.resource.unwrap_or_else(|| accelerator.to_owned()),
            cpu: pool.cpu,
            memory_gib: pool.memory_gib,
            labels: pool.labels.into_iter().collect(),
        }
    }
}

/// Serves until Ctrl-C or SIGTERM.
pub fn run(args: &Args) -> CommandResult {
    let settings = sandbox::Settings {
        nodes: nodes(args)?,
        port: args.port,
    };
    super::runtime()?.block_on(async {
        let sandbox = sandbox::start(settings).await.map_err(|error| {
            CommandError::environment(error)
                .while_doing(format!("listen on 127.0.0.1:{}", args.port))
                .hint("name another port with --port, or leave it out")
        })?;
        tell(args, &sandbox.kubeconfig())?;
        super::interrupted().await;
        Ok(Exit::Fine)
    })
}

fn tell(args: &Args, kubeconfig: &str) -> Result<(), CommandError> {
    let Some(file) = &args.kubeconfig else {
        return output::print_as_is(kubeconfig);
    };
    std::fs::write(file, kubeconfig).map_err(|error| {
        CommandError::environment(error).while_doing(format!("write `{}`", file.display()))
    })?;
    let file = file.display();
    output::print(&format!(
        "The sandbox is up: kubectl --kubeconfig {file} get nodes\nCtrl-C ends it.\n"
    ))
}

fn nodes(args: &Args) -> Result<Vec<NodePool>, CommandError> {
    let Some(file) = &args.nodes_file else {
        return Ok(vec![NodePool::gpus(args.nodes, args.gpus)]);
    };
    let doing = || format!("read the nodes of `{}`", file.display());
    let text = std::fs::read_to_string(file)
        .map_err(|error| CommandError::usage(error).while_doing(doing()))?;
    let pools: Vec<Pool> = serde_saphyr::from_str(&text).map_err(|error| {
        let words = error.to_string();
        let (first, more) = words.split_once('\n').unwrap_or((&words, ""));
        CommandError::usage(first)
            .while_doing(doing())
            .hint("`berth sandbox --help` shows such a file")
            .quoting(more)
    })?;
    Ok(pools.into_iter().map(NodePool::from).collect())
}
