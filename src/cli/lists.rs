//! Lists in bulk, as CSV, NDJSON or Parquet.

use std::io::Write;
use std::sync::Arc;

use parquet::basic::{Compression, ZstdLevel};
use parquet::data_type::{ByteArray, ByteArrayType, DataType, FloatType, Int32Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;
use serde::{Deserialize, Serialize};

use super::recommend::ListFormat;

/// Rows of Parquet that are written at once.
const ROW_GROUP: usize = 1 << 17;

/// The columns of CSV and Parquet.
const SCHEMA: &str = "message lists {
    required binary user (string);
    required int32 rank;
    required binary item (string);
    required float score;
    required binary source (string);
}";

/// One item of a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct ListedItem {
    /// The item.
    pub(super) id: String,
    /// Its score, comparable within one source only.
    pub(super) score: f32,
    /// Where it comes from.
    pub(super) source: String,
}

/// The output, in one of the formats.
pub(super) struct Lists<'a>(Output<'a>);

type Sink<'a> = Box<dyn Write + 'a>;

enum Output<'a> {
    Csv(Box<csv::Writer<Sink<'a>>>),
    Ndjson(Sink<'a>),
    /// The writer wants bytes that may go to another thread, so a row group at a time is made in memory.
    Parquet {
        writer: Box<SerializedFileWriter<Vec<u8>>>,
        sink: Sink<'a>,
        rows: Rows,
    },
}

impl<'a> Lists<'a> {
    pub(super) fn new(format: ListFormat, sink: Sink<'a>) -> anyhow::Result<Self> {
        Ok(Self(match format {
            ListFormat::Csv => {
                let mut writer = csv::Writer::from_writer(sink);
                writer.write_record(["user", "rank", "item", "score", "source"])?;
                Output::Csv(Box::new(writer))
            }
            ListFormat::Ndjson => Output::Ndjson(sink),
            ListFormat::Parquet => {
                let properties =
                    WriterProperties::builder().set_compression(Compression::ZSTD(ZstdLevel::try_new(1)?)).build();
                let schema = Arc::new(parse_message_type(SCHEMA)?);
                let writer = Box::new(SerializedFileWriter::new(Vec::new(), schema, Arc::new(properties))?);
                Output::Parquet { writer, sink, rows: Rows::default() }
            }
        }))
    }

    /// Writes a user's list, best first.
    pub(super) fn push(&mut self, user: &str, items: Vec<ListedItem>) -> anyhow::Result<()> {
        match &mut self.0 {
            Output::Csv(writer) => {
                for (rank, item) in (1_u32..).zip(&items) {
                    let (rank, score) = (rank.to_string(), item.score.to_string());
                    writer.write_record([user, &rank, &item.id, &score, &item.source])?;
                }
            }
            Output::Ndjson(sink) => {
                writeln!(sink, "{}", serde_json::to_string(&serde_json::json!({ "user": user, "items": items }))?)?;
            }
            Output::Parquet { writer, sink, rows } => {
                rows.push(user, items);
                if rows.rank.len() >= ROW_GROUP {
                    std::mem::take(rows).write(writer.next_row_group()?)?;
                    sink.write_all(&std::mem::take(writer.inner_mut()))?;
                }
            }
        }
        Ok(())
    }

    /// Writes what is left.
    pub(super) fn finish(self) -> anyhow::Result<()> {
        match self.0 {
            Output::Csv(mut writer) => writer.flush()?,
            Output::Ndjson(mut sink) => sink.flush()?,
            Output::Parquet { mut writer, mut sink, rows } => {
                if !rows.rank.is_empty() {
                    rows.write(writer.next_row_group()?)?;
                }
                sink.write_all(&writer.into_inner()?)?;
                sink.flush()?;
            }
        }
        Ok(())
    }
}

/// The columns of one row group.
#[derive(Default)]
struct Rows {
    user: Vec<ByteArray>,
    rank: Vec<i32>,
    item: Vec<ByteArray>,
    score: Vec<f32>,
    source: Vec<ByteArray>,
}

impl Rows {
    fn push(&mut self, user: &str, items: Vec<ListedItem>) {
        let user = ByteArray::from(user);
        for (rank, item) in (1..).zip(items) {
            self.user.push(user.clone());
            self.rank.push(rank);
            self.item.push(ByteArray::from(item.id.as_str()));
            self.score.push(item.score);
            self.source.push(ByteArray::from(item.source.as_str()));
        }
    }

    fn write<W: Write + Send>(self, mut group: SerializedRowGroupWriter<'_, W>) -> Result<(), ParquetError> {
        column::<ByteArrayType, W>(&mut group, &self.user)?;
        column::<Int32Type, W>(&mut group, &self.rank)?;
        column::<ByteArrayType, W>(&mut group, &self.item)?;
        column::<FloatType, W>(&mut group, &self.score)?;
        column::<ByteArrayType, W>(&mut group, &self.source)?;
        group.close().map(|_| ())
    }
}

fn column<T: DataType, W: Write + Send>(
    group: &mut SerializedRowGroupWriter<'_, W>,
    values: &[T::T],
) -> Result<(), ParquetError> {
    let Some(mut column) = group.next_column()? else {
        return Err(ParquetError::General("the schema has too few columns".into()));
    };
    column.typed::<T>().write_batch(values, None, None)?;
    column.close()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(format: ListFormat) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut lists = Lists::new(format, Box::new(&mut bytes)).unwrap();
        let item = |id: &str, score| ListedItem { id: id.to_owned(), score, source: "popular".to_owned() };
        lists.push("anna", vec![item("a,b", 2.0), item("c", 0.5)]).unwrap();
        lists.push("bob", Vec::new()).unwrap();
        lists.finish().unwrap();
        bytes
    }

    #[test]
    fn every_format_holds_the_same_lists() {
        let text = |format| String::from_utf8(written(format)).unwrap();
        insta::assert_snapshot!(text(ListFormat::Csv), @r#"
        user,rank,item,score,source
        anna,1,"a,b",2,popular
        anna,2,c,0.5,popular
        "#);
        insta::assert_snapshot!(text(ListFormat::Ndjson), @r#"
        {"items":[{"id":"a,b","score":2.0,"source":"popular"},{"id":"c","score":0.5,"source":"popular"}],"user":"anna"}
        {"items":[],"user":"bob"}
        "#);
        use parquet::file::reader::{FileReader, SerializedFileReader};
        let reader = SerializedFileReader::new(bytes::Bytes::from(written(ListFormat::Parquet))).unwrap();
        let rows: Vec<String> = reader.get_row_iter(None).unwrap().map(|row| row.unwrap().to_string()).collect();
        assert_eq!(
            rows,
            [
                r#"{user: "anna", rank: 1, item: "a,b", score: 2.0, source: "popular"}"#,
                r#"{user: "anna", rank: 2, item: "c", score: 0.5, source: "popular"}"#
            ]
        );
    }
}
