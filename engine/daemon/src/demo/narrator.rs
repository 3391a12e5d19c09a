//! Tells the story on a terminal of 80 columns.

use std::time::Instant;

use super::world::{Change, Pod};
use crate::error::CommandError;
use crate::output::{BOLD, CYAN, DIM, GREEN, RED, YELLOW, print};

/// Writes lines; what cannot be written is lost, the story goes on.
pub struct Narrator {
    began: Instant,
    print: fn(&str) -> Result<(), CommandError>,
}

impl Narrator {
    /// Begins to tell.
    pub fn new() -> Self {
        Self {
            began: Instant::now(),
            print,
        }
    }

    fn line(&self, text: &str) {
        // The reader went away: the checks matter still.
        let _ = (self.print)(&format!("{text}\n"));
    }

    /// A heading.
    pub fn step(&self, letter: &str, title: &str) {
        self.line(&format!("\n{BOLD}{letter:<2} {title}{BOLD:#}"));
    }

    /// A commit that was just made.
    pub fn commit(&self, id: &str, subject: &str) {
        self.line(&format!("   {CYAN}commit {id}{CYAN:#}  {subject}"));
    }

    /// Something beside the point.
    pub fn aside(&self, text: &str) {
        for part in wrapped(text, 77) {
            self.line(&format!("   {DIM}{part}{DIM:#}"));
        }
    }

    /// Something that was checked and is so.
    pub fn fact(&self, text: &str) {
        let seconds = self.began.elapsed().as_secs_f64();
        let clock = format!("{seconds:5.1} s");
        self.line(&format!(
            "   {GREEN}ok{GREEN:#} {text:<66}{DIM}{clock:>8}{DIM:#}"
        ));
    }

    /// Plain text.
    pub fn plain(&self, text: &str) {
        self.line(text);
    }

    /// A pod came, ended or went.
    pub fn change(&self, change: &Change) {
        match change {
            Change::Created(pod) => {
                self.line(&format!("   {GREEN}+{GREEN:#} {}", named(pod, &size(pod))));
            }
            Change::Phase(pod) if pod.leaving && is_over(pod) => {
                self.line(&format!("   {YELLOW}-{YELLOW:#} {}", named(pod, "stopped")));
            }
            Change::Phase(pod) if pod.phase == "Failed" => {
                self.line(&format!("   {RED}!{RED:#} {}", named(pod, "failed")));
            }
            Change::Phase(pod) if pod.phase == "Succeeded" => {
                self.line(&format!("   {GREEN}={GREEN:#} {}", named(pod, "succeeded")));
            }
            Change::Phase(_) => {}
            Change::Gone(pod) if is_over(pod) => {}
            Change::Gone(pod) => {
                self.line(&format!("   {YELLOW}-{YELLOW:#} {}", named(pod, "stopped")));
            }
        }
    }
}

fn is_over(pod: &Pod) -> bool {
    pod.phase == "Succeeded" || pod.phase == "Failed"
}

/// Lines of at most so many characters, broken between words.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let last = lines.last_mut().filter(|line| {
            line.is_empty() || line.chars().count() + 1 + word.chars().count() <= width
        });
        match last {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) => line.extend([" ", word]),
            None => lines.push(word.to_owned()),
        }
    }
    lines
}

fn named(pod: &Pod, what: &str) -> String {
    let node = if pod.node.is_empty() {
        String::new()
    } else {
        format!(" on {}", pod.node)
    };
    format!("pod {:<38} {what}{node}", pod.name)
}

fn size(pod: &Pod) -> String {
    match pod.slots {
        0 => "no GPU".to_owned(),
        1 => "1 GPU".to_owned(),
        more => format!("{more} GPUs"),
    }
}

#[cfg(test)]
mod tests {
    use super::wrapped;

    #[test]
    fn lines_break_between_words() {
        assert_eq!(wrapped("a bb ccc d", 4), ["a bb", "ccc", "d"]);
        assert_eq!(wrapped("toolong x", 3), ["toolong", "x"]);
    }
}
