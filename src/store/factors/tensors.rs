//! Factors as safetensors: a tensor `factors` of floats, `[items, factors]`, and the items' ids in its order as a JSON array
//! under the key `items` of the file's metadata.

use std::path::Path;

use safetensors::SafeTensors;

use super::error::FactorsError;
use crate::model::artifact::{TensorData, Tensors, Values};
use crate::model::candidates::ials::GivenFactors;
use crate::model::ids::ItemId;

/// Reads the bytes of the file `path`; other tensors in it are left alone.
pub fn read(bytes: &[u8], path: &Path) -> Result<GivenFactors, FactorsError> {
    let form = |reason: String| FactorsError::form(path, reason);
    let (_, about) = SafeTensors::read_metadata(bytes)
        .map_err(|error| form(format!("it is neither Parquet nor safetensors: {error}")))?;
    let Tensors(mut tensors) = Tensors::from_bytes(bytes).map_err(|error| form(error.to_string()))?;
    let Some(TensorData { shape, values }) = tensors.remove("factors") else {
        let found = tensors.into_keys().collect::<Vec<_>>().join(", ");
        return Err(FactorsError::Missing { file: path.to_owned(), wanted: "the tensor factors", found });
    };
    let (&[rows, factors], Values::F32(values)) = (&shape[..], values) else {
        return Err(form(format!("the tensor factors has the shape {shape:?}; [items, factors] of f32 is wanted")));
    };
    let known = about.metadata().as_ref();
    let Some(ids) = known.and_then(|known| known.get("items")) else {
        let found = known.map(|known| known.keys().cloned().collect::<Vec<_>>().join(", ")).unwrap_or_default();
        let wanted = "the key items of the metadata, a JSON array of ids";
        return Err(FactorsError::Missing { file: path.to_owned(), wanted, found });
    };
    let ids: Vec<ItemId> = serde_json::from_str(ids)
        .map_err(|error| form(format!("items in the metadata is no JSON array of ids: {error}")))?;
    if ids.len() != rows {
        return Err(FactorsError::Ids { file: path.to_owned(), ids: ids.len(), rows });
    }
    let mut given = GivenFactors::default();
    for (at, id) in ids.into_iter().enumerate() {
        let row = values.get(at * factors..(at + 1) * factors).unwrap_or_default();
        given.push(id, row).map_err(FactorsError::refused(path))?;
    }
    Ok(given)
}
