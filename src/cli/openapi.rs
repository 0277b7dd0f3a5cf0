//! `ouzel openapi`: the document of the HTTP interface.

use clap::Args;

use super::Context;
use crate::http;

/// Prints the OpenAPI document of the HTTP interface, as GET /openapi.json gives it.
#[derive(Debug, Args)]
pub struct OpenapiArgs {}

pub(super) fn run(_args: &OpenapiArgs, context: &mut Context<'_>) -> anyhow::Result<()> {
    let document = http::openapi::document().to_pretty_json()?;
    writeln!(context.out, "{document}")?;
    Ok(())
}
