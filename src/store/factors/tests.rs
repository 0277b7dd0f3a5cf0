//! Files as others write them, good and bad.

use std::collections::HashMap;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use parquet::basic::{Compression, ZstdLevel};
use parquet::data_type::{ByteArray, ByteArrayType, DoubleType, FloatType, Int32Type, Int64Type};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;
use proptest::prelude::*;
use safetensors::tensor::{Dtype, TensorView};

use super::*;
use crate::model::candidates::ials::{GivenError, GivenFactors, MOST_FACTORS};
use crate::model::ids::ItemId;

/// As Spark writes `itemFactors`.
const SPARK: &str = "message spark_schema { required int32 id; optional group features (LIST) { repeated group list { required float element; } } }";
/// As `docs/spark/als.py` writes it, of Spark or another writer.
const NAMED: &str = "message m { optional binary item (UTF8); optional group features (LIST) { repeated group list { optional float element; } } }";

type Group<'a> = SerializedRowGroupWriter<'a, File>;

fn parquet(path: &Path, schema: &str, compression: Compression, write: impl FnOnce(&mut Group<'_>)) {
    let properties = WriterProperties::builder().set_compression(compression).build();
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let mut file = SerializedFileWriter::new(File::create(path).unwrap(), schema, Arc::new(properties)).unwrap();
    let mut group = file.next_row_group().unwrap();
    write(&mut group);
    group.close().unwrap();
    file.close().unwrap();
}

macro_rules! column {
    ($group:expr, $type:ty, $values:expr, $defined:expr, $repeated:expr) => {{
        let mut column = $group.next_column().unwrap().unwrap();
        column.typed::<$type>().write_batch($values, $defined, $repeated).unwrap();
        column.close().unwrap();
    }};
}

/// A list of factors; none is a gap.
type List = Option<Vec<Option<f32>>>;

/// Rows of texts and lists under [`NAMED`]; none is a gap.
fn named(path: &Path, compression: Compression, rows: &[(Option<&str>, List)]) {
    parquet(path, NAMED, compression, |group| {
        let ids: Vec<ByteArray> = rows.iter().filter_map(|(id, _)| id.map(ByteArray::from)).collect();
        let defined: Vec<i16> = rows.iter().map(|(id, _)| id.is_some().into()).collect();
        column!(group, ByteArrayType, &ids, Some(&defined), None);
        let (mut values, mut defined, mut repeated) = (Vec::new(), Vec::new(), Vec::new());
        for (_, list) in rows {
            let list = list.as_deref();
            if list.is_none_or(<[_]>::is_empty) {
                defined.push(list.is_some().into());
                repeated.push(0);
            }
            for (at, value) in list.unwrap_or_default().iter().enumerate() {
                defined.push(if value.is_some() { 3 } else { 2 });
                repeated.push((at > 0).into());
                values.extend(*value);
            }
        }
        column!(group, FloatType, &values, Some(&defined), Some(&repeated));
    });
}

fn list(values: &[f32]) -> List {
    Some(values.iter().copied().map(Some).collect())
}

fn tensors(path: &Path, shape: &[usize], values: &[f32], items: Option<&str>) {
    let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    let view = TensorView::new(Dtype::F32, shape.to_vec(), &bytes).unwrap();
    let about = items.map(|items| HashMap::from([("items".to_owned(), items.to_owned())]));
    std::fs::write(path, safetensors::serialize([("factors", view)], about).unwrap()).unwrap();
}

fn given(rows: &[(&str, &[f32])]) -> GivenFactors {
    let mut given = GivenFactors::default();
    rows.iter().for_each(|(id, values)| given.push(ItemId::new(id).unwrap(), values).unwrap());
    given
}

#[test]
fn a_folder_of_spark_s_parts_is_read_in_order_whatever_its_compression() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    std::fs::write(at("_SUCCESS"), "").unwrap();
    std::fs::write(at(".part-00000.parquet"), "not for us").unwrap();
    named(&at("part-00001.snappy.parquet"), Compression::SNAPPY, &[(Some("c"), list(&[5.0, 6.0]))]);
    let zstd = Compression::ZSTD(ZstdLevel::default());
    named(&at("part-00000.zstd.parquet"), zstd, &[(Some("a"), list(&[1.0, 2.0])), (Some("b"), list(&[3.0, 4.0]))]);
    parquet(&at("part-00002.parquet"), SPARK, Compression::UNCOMPRESSED, |group| {
        column!(group, Int32Type, &[7, 25], None, None);
        column!(group, FloatType, &[0.5, -0.5, 0.0, 9.0], Some(&[2, 2, 2, 2]), Some(&[0, 1, 0, 1]));
    });
    let read = read(dir.path()).unwrap();
    let wanted: [(&str, &[f32]); 5] =
        [("a", &[1.0, 2.0]), ("b", &[3.0, 4.0]), ("c", &[5.0, 6.0]), ("7", &[0.5, -0.5]), ("25", &[0.0, 9.0])];
    assert_eq!(read.factors, given(&wanted));
    let files = ["part-00000.zstd.parquet", "part-00001.snappy.parquet", "part-00002.parquet"];
    let bytes: Vec<u8> = files.iter().flat_map(|name| std::fs::read(at(name)).unwrap()).collect();
    assert_eq!((read.format, read.bytes), ("parquet", bytes.len() as u64));
    assert_eq!(read.sha256, hex::encode(Sha256::digest(&bytes)));
}

#[test]
fn an_item_s_own_id_goes_before_spark_s_number_and_doubles_are_floats() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("f.parquet");
    let schema =
        "message m { required int32 id; required int64 Item; repeated double features; optional binary other; }";
    parquet(&path, schema, Compression::UNCOMPRESSED, |group| {
        column!(group, Int32Type, &[0, 1], None, None);
        column!(group, Int64Type, &[900, 901], None, None);
        column!(group, DoubleType, &[0.25, 0.5], Some(&[1, 1]), Some(&[0, 0]));
        column!(group, ByteArrayType, &[], Some(&[0, 0]), None);
    });
    assert_eq!(read(&path).unwrap().factors, given(&[("900", &[0.25]), ("901", &[0.5])]));
}

#[test]
fn bad_rows_of_parquet_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("f.parquet");
    let good = || (Some("a"), list(&[1.0, 2.0]));
    let long = "x".repeat(257);
    for (row, wanted) in [
        ((None, list(&[1.0, 2.0])), "row 2: item: an id must not be empty"),
        ((Some(long.as_str()), list(&[1.0, 2.0])), "row 2: item: an id has at most 256 bytes"),
        ((Some("b"), None), "row 2: features: item b has a gap"),
        ((Some("b"), Some(Vec::new())), "row 2: features: item b has a gap"),
        ((Some("b"), Some(vec![Some(1.0), None])), "row 2: features: item b has a gap"),
        ((Some("b"), list(&[1.0])), "item b has 1 factors, the items before it have 2"),
        ((Some("a"), list(&[1.0, 2.0])), "item a is there twice"),
        ((Some("b"), list(&[f32::NAN, 2.0])), "item b has a factor of NaN"),
        ((Some("b"), list(&[1.0, f32::INFINITY])), "item b has a factor of inf"),
        ((Some("b"), list(&[1.0, 1e9])), "item b has a factor of 1000000000"),
        ((Some("b"), list(&[0.0; 1_025])), "item b has 1025 factors; 1 to 1024 are supported"),
    ] {
        named(&path, Compression::UNCOMPRESSED, &[good(), row]);
        let said = read(&path).unwrap_err().to_string();
        assert!(said.contains("f.parquet: ") && said.contains(wanted), "{said}, not {wanted}");
    }
    named(&path, Compression::UNCOMPRESSED, &[]);
    assert!(matches!(read(&path), Err(FactorsError::Empty { .. })));
    let most = vec![1.0; MOST_FACTORS * 3];
    named(&path, Compression::UNCOMPRESSED, &[(Some("a"), list(&most))]);
    assert!(read(&path).unwrap_err().to_string().contains("3072 factors in 1 rows"));
}

#[test]
fn files_of_another_form_say_what_is_wanted() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("f");
    let said = || read(&path).unwrap_err().to_string();
    let write = |schema: &str| {
        parquet(&path, schema, Compression::UNCOMPRESSED, |group| {
            while let Some(column) = group.next_column().unwrap() {
                column.close().unwrap();
            }
        });
    };
    for (schema, wanted) in [
        (
            "message m { required int32 key; required float features; }",
            "a column item or id is missing; there are: key",
        ),
        ("message m { required int32 id; required float weight; }", "a column features is missing; there are: id"),
        ("message m { required int32 id; required float features; }", "features is no list"),
        ("message m { repeated int32 id; repeated float features; }", "the items' column is a list"),
    ] {
        write(schema);
        assert!(said().contains(wanted), "{}, not {wanted}", said());
    }
    parquet(&path, "message m { required int32 id; repeated int32 features; }", Compression::UNCOMPRESSED, |group| {
        column!(group, Int32Type, &[1], None, None);
        column!(group, Int32Type, &[1], Some(&[1]), Some(&[0]));
    });
    assert!(said().contains("features has no floats"), "{}", said());
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() - 9]).unwrap();
    assert!(matches!(read(&path), Err(FactorsError::Form { .. })));
    for bytes in [&b""[..], b"PA", b"user,item\n1,2\n"] {
        std::fs::write(&path, bytes).unwrap();
        assert!(said().contains("it is neither Parquet nor safetensors"), "{}", said());
    }
    assert!(read(dir.path()).unwrap_err().to_string().contains("no file in it whose name ends in .parquet"));
    std::fs::rename(&path, dir.path().join("a.parquet")).unwrap();
    std::fs::write(dir.path().join("b.parquet"), "").unwrap();
    assert!(read(dir.path()).unwrap_err().to_string().contains("it is no Parquet"));
    assert!(matches!(read(&path), Err(FactorsError::Io { .. })));
}

#[test]
fn bad_tensors_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("f.safetensors");
    let said = |shape: &[usize], values: &[f32], items: Option<&str>| {
        tensors(&path, shape, values, items);
        read(&path).unwrap_err().to_string()
    };
    let two = [1.0, 2.0];
    for (said, wanted) in [
        (said(&[2, 1], &two, None), "the key items of the metadata, a JSON array of ids is missing"),
        (said(&[2, 1], &two, Some("a,b")), "items in the metadata is no JSON array of ids"),
        (said(&[2, 1], &two, Some(r#"["a",""]"#)), "an id must not be empty"),
        (said(&[2, 1], &two, Some(r#"["a"]"#)), "there are 1 ids for 2 rows"),
        (said(&[2, 1], &two, Some(r#"["a","a"]"#)), "item a is there twice"),
        (said(&[2, 1], &[1.0, f32::NAN], Some(r#"["a","b"]"#)), "item b has a factor of NaN"),
        (said(&[2], &two, Some(r#"["a","b"]"#)), "shape [2]; [items, factors] of f32"),
        (said(&[2, 0], &[], Some(r#"["a","b"]"#)), "item a has 0 factors"),
        (said(&[0, 2], &[], Some("[]")), "there is no item in it"),
    ] {
        assert!(said.contains(wanted), "{said}, not {wanted}");
    }
    let bytes = [0_u8; 8];
    let view = TensorView::new(Dtype::F64, vec![1, 1], &bytes).unwrap();
    std::fs::write(&path, safetensors::serialize([("factors", view)], None).unwrap()).unwrap();
    assert!(read(&path).unwrap_err().to_string().contains("type F64 is not read"));
    std::fs::write(&path, [[0xff; 8], [b'{'; 8]].concat()).unwrap();
    assert!(matches!(read(&path), Err(FactorsError::Form { .. })));
}

#[test]
fn files_beyond_the_bound_are_not_begun() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("f.safetensors");
    File::create(&path).unwrap().set_len(MOST_BYTES + 1).unwrap();
    assert!(matches!(read(&path), Err(FactorsError::TooBig { bytes, .. }) if bytes == MOST_BYTES + 1));
}

proptest! {
    #[test]
    fn both_forms_give_the_same_factors(
        rows in proptest::collection::btree_map("[a-z]{1,9}", proptest::collection::vec(-9.0_f32..9.0, 3), 1..40),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let (one, other) = (dir.path().join("f"), dir.path().join("g"));
        let in_rows: Vec<_> = rows.iter().map(|(id, values)| (Some(id.as_str()), list(values))).collect();
        named(&one, Compression::SNAPPY, &in_rows);
        let ids = serde_json::to_string(&rows.keys().collect::<Vec<_>>()).unwrap();
        tensors(&other, &[rows.len(), 3], &rows.values().flatten().copied().collect::<Vec<_>>(), Some(&ids));
        let wanted = given(&rows.iter().map(|(id, values)| (id.as_str(), &values[..])).collect::<Vec<_>>());
        prop_assert_eq!(&read(&one).unwrap().factors, &wanted);
        prop_assert_eq!(&read(&other).unwrap().factors, &wanted);
        prop_assert!(matches!(wanted.only(|_| false), Err(GivenError::Unknown(count)) if count == rows.len()));
    }
}
