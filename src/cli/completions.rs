//! `ouzel completions`: what a shell needs to complete command lines.

use clap::{Args, CommandFactory};
use clap_complete::{Shell, generate};

use super::{Cli, Context};

/// Prints a script by which a shell completes ouzel's commands and options.
///
/// bash: ouzel completions bash > ~/.local/share/bash-completion/completions/ouzel. zsh: into a file _ouzel of a folder in
/// $fpath. fish: into ~/.config/fish/completions/ouzel.fish. It holds for the version that printed it.
#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// The shell.
    #[arg(value_enum)]
    pub shell: Shell,
}

pub(super) fn run(args: &CompletionsArgs, context: &mut Context<'_>) -> anyhow::Result<()> {
    // Into memory first: written straight to a pipe that nobody reads any more it would panic.
    let mut script = Vec::new();
    generate(args.shell, &mut Cli::command(), "ouzel", &mut script);
    context.out.write_all(&script)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Write};
    use std::path::Path;
    use std::process::{Command, Stdio};

    use super::*;
    use crate::cli::tests::ouzel;

    fn script(shell: Shell) -> String {
        let (code, script, err) = ouzel(&format!("ouzel completions {shell}"));
        assert_eq!(code, 0, "{err}");
        script
    }

    /// Types lines, tabs among them, into an interactive bash at a terminal that `script` makes; gives what the command
    /// `ouzel`, here a function, was called with.
    fn typed(folder: &Path, lines: &[&str]) -> Vec<String> {
        std::fs::write(folder.join("ouzel.bash"), script(Shell::Bash)).unwrap();
        let mut bash = Command::new("script")
            .args(["--quiet", "--return", "--command", "bash --norc --noprofile -i", "/dev/null"])
            .current_dir(folder)
            .env("INPUTRC", "/dev/null")
            .env("TERM", "dumb")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut keys = bash.stdin.take().unwrap();
        let shown = BufReader::new(bash.stdout.take().unwrap());
        // What is typed is shown too, and must not look like what is answered.
        keys.write_all(b". ./ouzel.bash; ouzel() { printf 'called%s %s\\n' : \"$*\"; }; ouzel is here\n").unwrap();
        let mut called = shown.lines().map(Result::unwrap).filter_map(|line| {
            let at = line.find("called: ")?;
            Some(line.get(at..)?.trim_start_matches("called: ").trim_end().to_owned())
        });
        assert_eq!(called.next().as_deref(), Some("is here"));
        let typed = lines.iter().map(|line| {
            writeln!(keys, "{line}").unwrap();
            called.next().unwrap()
        });
        let typed = typed.collect();
        writeln!(keys, "exit").unwrap();
        assert!(bash.wait().unwrap().success());
        typed
    }

    #[test]
    fn bash_completes_commands_options_their_values_and_files() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("purchases.csv"), "").unwrap();
        let called = typed(
            folder.path(),
            &[
                "ouzel vers\tli\t--js\t",
                "ouzel import purch\t--form\ttr\t",
                "ouzel comp\tf\t",
                "ouzel dead\tre\t--top\t",
            ],
        );
        assert_eq!(
            called,
            [
                "versions list --json",
                "import purchases.csv --format transactions",
                "completions fish",
                "dead-letters replay --topic",
            ]
        );
    }

    #[test]
    fn every_shells_script_knows_every_command() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
            let script = script(shell);
            for command in Cli::command().get_subcommands() {
                assert!(script.contains(command.get_name()), "{shell}: {}", command.get_name());
            }
        }
    }
}
