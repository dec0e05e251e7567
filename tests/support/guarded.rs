//! A process that does not outlive the one that started it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Starts Envoy and stops it when its standard input ends, so that it stops however its starter ends.
const GUARD: &str = r#"
"$@" </dev/null &
child=$!
exec 3<&0
(cat <&3 >/dev/null; kill "$child" 2>/dev/null) &
watcher=$!
trap 'kill "$child" 2>/dev/null' INT TERM
wait "$child"
status=$?
kill "$watcher" 2>/dev/null
exit "$status"
"#;

/// A process that is stopped when this is dropped.
pub struct Guarded(Child);

impl Guarded {
    /// Starts `binary` with `arguments`; what it prints goes to `log`.
    pub fn start(binary: &Path, arguments: &[&str], stdout: Stdio, log: fs::File) -> Self {
        Self::start_in(&BTreeMap::new(), binary, arguments, stdout, log)
    }

    /// As [`Self::start`], with these environment variables in addition.
    pub fn start_in(
        environment: &BTreeMap<String, String>,
        binary: &Path,
        arguments: &[&str],
        stdout: Stdio,
        log: fs::File,
    ) -> Self {
        let mut command = Command::new("sh");
        command.args(["-c", GUARD, "guard"]).arg(binary).args(arguments).envs(environment);
        Self(command.stdin(Stdio::piped()).stdout(stdout).stderr(log).spawn().expect("sh"))
    }

    /// The number of the process that guards it.
    pub fn id(&self) -> u32 {
        self.0.id()
    }

    /// Whether it has ended by itself.
    pub fn has_ended(&mut self) -> bool {
        matches!(self.0.try_wait(), Ok(Some(_)))
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        // Its standard input ends here, which ends it.
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}
