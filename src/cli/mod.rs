//! The command line: one file per command.
//!
//! What a command answers goes to [`Context::out`] (stdout), what it tells on the way to [`Context::err`] (stderr).
//! Exit codes: 0 done, 1 failed, 2 wrong usage or settings.

mod arguments;
pub mod client;
mod completions;
mod config;
mod dead_letters;
pub mod demo;
mod doctor;
mod evaluate;
mod failure;
mod import;
mod input;
mod lists;
mod openapi;
mod recommend;
mod remote;
mod runs;
mod serve;
mod shown;
mod table;
mod telemetry;
mod train;
mod trust;
mod versions;
mod versions_import;

use std::io::Write;
use std::path::PathBuf;

use clap::{Parser, Subcommand};

pub use failure::{Failure, exit_code, report};

use crate::settings::{Environment, Settings, load};

/// A streaming recommender: takes in what people buy, trains, swaps its model while requests go on, and answers.
#[derive(Debug, Parser)]
#[command(
    name = "ouzel",
    version,
    after_help = "Try it:   ouzel demo\nRun it:   ouzel serve, then  curl 'localhost:5500/recommend?user=25'\n\
                  Set it:   ouzel config shows every setting; OUZEL__SECTION__KEY or --config FILE changes it.\n\
                  Exit codes: 0 done, 1 failed, 2 wrong usage or settings."
)]
pub struct Cli {
    /// Settings laid over the defaults, in TOML (default: config/local.toml where it exists).
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// What to do; none: serve.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    Serve(serve::ServeArgs),
    Demo(demo::DemoArgs),
    Import(import::ImportArgs),
    Train(train::TrainArgs),
    Evaluate(evaluate::EvaluateArgs),
    Recommend(recommend::RecommendArgs),
    Client(client::ClientArgs),
    Versions(versions::VersionsArgs),
    Runs(runs::RunsArgs),
    #[command(name = "dead-letters")]
    DeadLetters(dead_letters::DeadLettersArgs),
    Doctor(doctor::DoctorArgs),
    Config(config::ConfigArgs),
    Openapi(openapi::OpenapiArgs),
    Completions(completions::CompletionsArgs),
}

/// What commands work with.
pub struct Context<'a> {
    /// The file of `--config`.
    pub config: Option<PathBuf>,
    /// The process's environment.
    pub environment: Environment,
    /// Where answers go.
    pub out: &'a mut dyn Write,
    /// Where people are told how it goes.
    pub err: &'a mut dyn Write,
}

impl Context<'_> {
    /// Loads the settings, starts the log and writes the warnings to it.
    ///
    /// # Errors
    /// [`crate::settings::SettingsError`], for exit code 2.
    pub fn settings(&mut self) -> anyhow::Result<Settings> {
        let loaded = load(self.config.as_deref(), &self.environment)?;
        telemetry::start(&loaded.settings.telemetry);
        for warning in loaded.warnings {
            tracing::warn!("{warning}");
        }
        Ok(loaded.settings)
    }
}

/// Runs the command.
///
/// # Errors
/// Whatever stopped it; [`exit_code`] says what the process ends with.
pub fn run(command: Option<Command>, context: &mut Context<'_>) -> anyhow::Result<()> {
    match command.unwrap_or(Command::Serve(serve::ServeArgs {})) {
        Command::Serve(args) => serve::run(&args, context),
        Command::Demo(args) => demo::run(&args, context),
        Command::Import(args) => import::run(&args, context),
        Command::Train(args) => train::run(&args, context),
        Command::Evaluate(args) => evaluate::run(&args, context),
        Command::Recommend(args) => recommend::run(&args, context),
        Command::Client(args) => client::run(&args, context),
        Command::Versions(args) => versions::run(&args, context),
        Command::Runs(args) => runs::run(&args, context),
        Command::DeadLetters(args) => dead_letters::run(&args, context),
        Command::Doctor(args) => doctor::run(&args, context),
        Command::Config(args) => config::run(&args, context),
        Command::Openapi(args) => openapi::run(&args, context),
        Command::Completions(args) => completions::run(&args, context),
    }
}

/// Makes ring the process's provider of TLS; does nothing where one is chosen already.
pub fn choose_tls() {
    if rustls::crypto::CryptoProvider::get_default().is_none()
        && rustls::crypto::ring::default_provider().install_default().is_err()
    {
        tracing::debug!("another thread chose the provider of TLS first");
    }
}

#[cfg(test)]
mod tests;
