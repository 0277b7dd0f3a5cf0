//! Parquet as others write it: integers, floats and texts for each column, with gaps.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use parquet::basic::{Compression, ZstdLevel};
use parquet::data_type::{ByteArray, ByteArrayType, DoubleType, Int32Type, Int64Type};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;

use super::*;
use crate::store::import::ImportError;

enum Values<'a> {
    Int(&'a [i64]),
    Small(&'a [i32]),
    Double(&'a [f64]),
    Text(&'a [&'a str]),
}

/// Writes one row group; levels say where an optional column has a value.
fn write(path: &Path, schema: &str, columns: &[(Values<'_>, Option<&[i16]>)]) {
    let properties = WriterProperties::builder().set_compression(Compression::ZSTD(ZstdLevel::default())).build();
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let mut file = SerializedFileWriter::new(File::create(path).unwrap(), schema, Arc::new(properties)).unwrap();
    for _ in 0..2 {
        let mut group = file.next_row_group().unwrap();
        for (values, levels) in columns {
            let mut column = group.next_column().unwrap().unwrap();
            match values {
                Values::Int(values) => column.typed::<Int64Type>().write_batch(values, *levels, None).unwrap(),
                Values::Small(values) => column.typed::<Int32Type>().write_batch(values, *levels, None).unwrap(),
                Values::Double(values) => column.typed::<DoubleType>().write_batch(values, *levels, None).unwrap(),
                Values::Text(values) => {
                    let values: Vec<ByteArray> = values.iter().map(|&text| ByteArray::from(text)).collect();
                    column.typed::<ByteArrayType>().write_batch(&values, *levels, None).unwrap()
                }
            };
            column.close().unwrap();
        }
        group.close().unwrap();
    }
    file.close().unwrap();
}

#[test]
fn columns_of_any_type_are_read() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("events.parquet");
    let schema = "message e { required int64 item; optional binary User (UTF8); optional double timestamp; optional int32 weight; required binary type (UTF8); optional binary other; }";
    write(
        &path,
        schema,
        &[
            (Values::Int(&[1, 2, 3]), None),
            (Values::Text(&["a", "b"]), Some(&[1, 0, 1])),
            (Values::Double(&[1_291_191_960.0, f64::NAN]), Some(&[1, 0, 1])),
            (Values::Small(&[6]), Some(&[1, 0, 0])),
            (Values::Text(&["view", "", "purchase"]), None),
            (Values::Text(&[]), Some(&[0, 0, 0])),
        ],
    );
    let source = open(&path, ImportFormat::Events);
    let (events, bad) = read(source);
    insta::assert_snapshot!(shown(&events).join("\n"), @"
    1: a view 1 6 Some(1291191960000) None None
    3: b purchase 3 1 None None None
    4: a view 1 6 Some(1291191960000) None None
    6: b purchase 3 1 None None None
    ");
    let bad: Vec<String> = bad.iter().map(ToString::to_string).collect();
    assert_eq!(bad, ["line 2: user: an id must not be empty", "line 5: user: an id must not be empty"]);
}

#[test]
fn typed_times_are_read_by_their_unit() {
    let dir = tempfile::tempdir().unwrap();
    let times = [
        ("int64 timestamp (TIMESTAMP(MILLIS,true))", Values::Int(&[1_291_191_960_123])),
        ("int64 timestamp (TIMESTAMP(MICROS,true))", Values::Int(&[1_291_191_960_123_456])),
        ("int64 timestamp (TIMESTAMP(NANOS,false))", Values::Int(&[1_291_191_960_123_456_789])),
        ("binary timestamp (UTF8)", Values::Text(&["2010-12-01T08:26:00.123Z"])),
        ("int64 timestamp", Values::Int(&[1_291_191_960_123])),
    ];
    for (column, values) in times {
        let path = dir.path().join("events.parquet");
        let schema = format!("message e {{ required double user; required int32 item; required {column}; }}");
        write(&path, &schema, &[(Values::Double(&[25.0]), None), (Values::Small(&[4]), None), (values, None)]);
        let (events, bad) = read(open(&path, ImportFormat::Events));
        assert_eq!(shown(&events)[0], "1: 25 purchase 4 1 Some(1291191960123) None None", "{column}");
        assert_eq!((events.len(), bad.len()), (2, 0));
    }
}

#[test]
fn a_parquet_file_of_another_form_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let refused = |path: &Path, format| Source::open(path, "e.parquet", format, Times::Ordered).err().unwrap();
    let path = dir.path().join("e.parquet");
    write(&path, "message e { required int64 user; }", &[(Values::Int(&[1]), None)]);
    let error = refused(&path, ImportFormat::Events);
    assert_eq!(error.to_string(), "e.parquet: its columns are user; user and item must be among them");
    assert!(matches!(refused(&path, ImportFormat::Transactions), ImportError::Form { .. }));
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() - 9]).unwrap();
    assert!(matches!(refused(&path, ImportFormat::Events), ImportError::Form { .. }));
}

#[test]
fn a_sealed_segment_is_a_file_of_events() {
    let dir = tempfile::tempdir().unwrap();
    let (log, _) = crate::store::log::EventLog::open(&dir.path().join("data"), Default::default()).unwrap();
    let csv = file(dir.path(), "e.csv", "user,item,timestamp,weight,type,id\nu,i,1291191960,2,view,x\nv,j,,1,,\n");
    let (events, _) = read(open(&csv, ImportFormat::Events));
    let events: Vec<Event> = events.into_iter().map(|(_, event)| event).collect();
    log.append(&crate::store::log::batch::EventBatch { events: events.clone(), arrival_ms: NOW, ..Default::default() })
        .unwrap();
    let segment = log.seal().unwrap().unwrap();
    let (again, bad) = read(open(&log.segment_path(&segment), ImportFormat::Events));
    assert!(bad.is_empty());
    assert_eq!(again.into_iter().map(|(_, event)| event).collect::<Vec<_>>(), events);
}
