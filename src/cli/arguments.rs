//! Arguments that several commands take.

use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, ValueEnum};

use crate::model::event::time_of_text;
use crate::settings::Secret;
use crate::store::import::ImportFormat;

/// A running service, and the key it wants.
#[derive(Debug, Clone, Default, Args)]
pub struct RemoteArgs {
    /// The running service, such as http://127.0.0.1:5500 (default: the settings' address and port).
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,

    /// The key that the service asks for; better given by the variable, which no list of processes shows.
    #[arg(long, value_name = "KEY", env = "OUZEL_KEY", hide_env_values = true, value_parser = secret)]
    pub key: Option<Secret>,

    /// A file of the authorities (PEM) by which an https service is checked (default: those that the system trusts; where
    /// no --url is given, the settings' own certificate).
    #[arg(long, value_name = "FILE", env = "OUZEL_CA")]
    pub ca: Option<PathBuf>,
}

fn secret(text: &str) -> Result<Secret, String> {
    let text = text.trim();
    if text.is_empty() { Err("is empty".to_owned()) } else { Ok(Secret::new(text)) }
}

/// How a file of events is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FileFormat {
    /// CSV user,item,timestamp,weight[,type], NDJSON or Parquet, told by the name's ending.
    Events,
    /// CSV customerId,products with the products joined by |, as the original system had it.
    Transactions,
}

impl From<FileFormat> for ImportFormat {
    fn from(format: FileFormat) -> Self {
        match format {
            FileFormat::Events => Self::Events,
            FileFormat::Transactions => Self::Transactions,
        }
    }
}

/// A point in time, in milliseconds of the epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct At(pub i64);

impl FromStr for At {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "must be a time as 2026-11-29T12:00:00Z, or a number of the epoch".to_owned();
        time_of_text(text).map(Self).ok_or_else(wrong)
    }
}

/// A number that is finite and above 0.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Positive(pub f64);

impl FromStr for Positive {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse::<f64>() {
            Ok(number) if number.is_finite() && number > 0.0 => Ok(Self(number)),
            _ => Err("must be a number above 0".to_owned()),
        }
    }
}
