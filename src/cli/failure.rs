//! How a command's end becomes an exit code and a line on stderr.

use std::io::{self, Write};

use crate::app::StartError;
use crate::http::tls::TlsError;
use crate::settings::SettingsError;

/// Failures that no other room has a type for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// Arguments that contradict each other; exit code 2.
    #[error("{0}")]
    Usage(String),
    /// The service did what was asked, and it ended badly: a run that failed or was refused.
    #[error("{0}")]
    Ended(String),
}

/// What the process ends with: 0 done, 1 failed, 2 wrong usage or settings.
///
/// A reader that went away (`ouzel versions list | head -1`) is no failure.
#[must_use]
pub fn exit_code(result: &anyhow::Result<()>) -> u8 {
    let Err(error) = result else { return 0 };
    for cause in error.chain() {
        if cause.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe) {
            return 0;
        }
        let of_settings = cause.is::<SettingsError>()
            || cause.is::<TlsError>()
            || cause.downcast_ref().is_some_and(StartError::is_of_settings);
        if of_settings || matches!(cause.downcast_ref(), Some(Failure::Usage(_))) {
            return 2;
        }
    }
    1
}

/// Tells `error` in one line with its causes, unless it is none for people.
///
/// # Errors
/// When stderr cannot be written.
pub fn report(error: &anyhow::Error, err: &mut dyn Write) -> io::Result<()> {
    let mut text = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        // Many errors tell their cause in their own words.
        if !text.ends_with(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    writeln!(err, "ouzel: {text}")
}

#[cfg(test)]
mod tests {
    use anyhow::{Context as _, anyhow};

    use super::*;

    #[test]
    fn each_kind_of_end_has_its_exit_code() {
        let settings = SettingsError(Vec::new());
        let pipe = io::Error::from(io::ErrorKind::BrokenPipe);
        assert_eq!(exit_code(&Ok(())), 0);
        assert_eq!(exit_code(&Err(pipe).context("writing the table")), 0);
        assert_eq!(exit_code(&Err(anyhow!("no"))), 1);
        assert_eq!(exit_code(&Err(Failure::Ended("failed".to_owned()).into())), 1);
        assert_eq!(exit_code(&Err(Failure::Usage("both".to_owned()).into())), 2);
        assert_eq!(exit_code(&Err(settings).context("starting")), 2);
    }

    #[test]
    fn a_cause_is_told_once() {
        let told = |error: anyhow::Error| {
            let mut err = Vec::new();
            report(&error, &mut err).unwrap();
            String::from_utf8(err).unwrap()
        };
        assert_eq!(told(anyhow!("no").context("starting")), "ouzel: starting: no\n");
        assert_eq!(told(anyhow!("taken").context("server: taken")), "ouzel: server: taken\n");
    }
}
