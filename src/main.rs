//! The binary: parses the command line and calls a command.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;
use ouzel::cli::{self, Cli, Context};
use ouzel::settings::process_environment;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    cli::choose_tls();
    // Only builds for tests have fail points; they are set by the variable FAILPOINTS.
    let _faults = fail::has_failpoints().then(fail::FailScenario::setup);
    let (mut out, mut err) = (io::stdout(), io::stderr());
    let done = run(cli, &mut out, &mut err);
    // What was answered before a failure is shown before the failure.
    let flushed = out.flush();
    let result = done.and_then(|()| Ok(flushed?));
    let code = cli::exit_code(&result);
    if let Err(error) = &result
        && code != 0
        && cli::report(error, &mut err).is_err()
    {
        // Nobody listens any more; the code still tells.
        return ExitCode::from(code);
    }
    ExitCode::from(code)
}

fn run(cli: Cli, out: &mut dyn Write, err: &mut dyn Write) -> anyhow::Result<()> {
    let mut context = Context { config: cli.config, environment: process_environment()?, out, err };
    cli::run(cli.command, &mut context)
}
