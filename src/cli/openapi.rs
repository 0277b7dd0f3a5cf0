//! `ouzel openapi`: the document of the HTTP interface.

use clap::Args;

use super::Context;
use super::failure::Failure;

/// Prints the OpenAPI document of the HTTP interface, as GET /openapi.json gives it.
#[derive(Debug, Args)]
pub struct OpenapiArgs {}

pub(super) fn run(_args: &OpenapiArgs, context: &mut Context<'_>) -> anyhow::Result<()> {
    let document = openapi_document()?;
    writeln!(context.out, "{document}")?;
    Ok(())
}

/// The document as indented JSON.
fn openapi_document() -> anyhow::Result<String> {
    Err(Failure::Lacks("the HTTP interface").into())
}
