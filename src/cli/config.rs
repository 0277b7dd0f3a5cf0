//! `ouzel config`: the settings as they are used.

use clap::Args;

use super::Context;

/// Shows the effective settings as TOML, with secrets as ***.
///
/// Each value is the last of: the default, the file of --config (or config/local.toml), the original system's variables
/// (KAFKA_BROKERS, DATA_TOPIC, …), OUZEL__SECTION__KEY. Wrong settings are listed, all of them, with exit code 2.
#[derive(Debug, Args)]
pub struct ConfigArgs {
    /// Shows the defaults with their comments instead, as a file to begin with.
    #[arg(long)]
    pub defaults: bool,
}

pub(super) fn run(args: &ConfigArgs, context: &mut Context<'_>) -> anyhow::Result<()> {
    if args.defaults {
        context.out.write_all(crate::settings::DEFAULTS.as_bytes())?;
        return Ok(());
    }
    let settings = context.settings()?;
    write!(context.out, "{}", toml::to_string(&settings)?)?;
    Ok(())
}
