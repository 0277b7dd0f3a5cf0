//! CSV, NDJSON, baskets, lists of users; plain and packed.

use std::io::Write;

use super::*;
use crate::store::import::{ImportError, load_interactions, read_users};

const CSV: &str = "\u{feff}item,User,timestamp,weight,type,colour\r\n\
    i1,u1,1291191960,6,purchase,red\r\n\
    \"a, \"\"b\"\"\",u2,2010-12-01T08:26:00Z,,view,\r\n\
    \r\n\
    i3,u3,,2.5,,\n";

fn csv_events() -> Vec<String> {
    vec![
        "2: u1 purchase i1 6 Some(1291191960000) None None".to_owned(),
        "3: u2 view a, \"b\" 1 Some(1291191960000) None None".to_owned(),
        "5: u3 purchase i3 2.5 None None None".to_owned(),
    ]
}

#[test]
fn csv_is_read_by_the_names_in_its_header() {
    let dir = tempfile::tempdir().unwrap();
    let (events, bad) = read(open(&file(dir.path(), "e.csv", CSV), ImportFormat::Events));
    assert_eq!((shown(&events), bad), (csv_events(), vec![]));
    let reader = Box::new(std::io::Cursor::new(CSV));
    let source = Source::from_reader(reader, "body", ImportFormat::Events, Times::Checked { now_ms: NOW }).unwrap();
    assert_eq!(shown(&read(source).0), csv_events());
}

#[test]
fn packed_files_are_read_through() {
    let dir = tempfile::tempdir().unwrap();
    // Two members, as `cat a.gz b.gz` makes them.
    let (first, second) = CSV.split_at(60);
    let gzip = |text: &str| {
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        packed.write_all(text.as_bytes()).unwrap();
        packed.finish().unwrap()
    };
    let gz = file(dir.path(), "e.csv.gz", [gzip(first), gzip(second)].concat());
    let frames = [zstd::encode_all(first.as_bytes(), 3).unwrap(), zstd::encode_all(second.as_bytes(), 3).unwrap()];
    let zst = file(dir.path(), "e.csv.zst", frames.concat());
    for path in [gz, zst] {
        let mut source = open(&path, ImportFormat::Events);
        assert_eq!(source.by_ref().count(), 3);
        assert_eq!(source.bytes_read(), source.bytes());
        assert_eq!(shown(&read(open(&path, ImportFormat::Events)).0), csv_events());
    }
}

#[test]
fn a_broken_gzip_fails_behind_its_good_lines() {
    let dir = tempfile::tempdir().unwrap();
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
    packed.write_all(b"user,item\n").unwrap();
    for n in 0..50_000 {
        writeln!(packed, "user-{n},item").unwrap();
    }
    let mut bytes = packed.finish().unwrap();
    bytes.truncate(bytes.len() / 2);
    let mut source = open(&file(dir.path(), "e.csv.gz", bytes), ImportFormat::Events);
    let (mut good, mut failure) = (0, None);
    for line in source.by_ref() {
        match line {
            Ok(_) => good += 1,
            Err(error) => failure = Some(error),
        }
    }
    assert!(good > 1000);
    assert!(
        matches!(&failure, Some(LineError::Failed(ImportError::Io { name, .. })) if name == "e.csv.gz"),
        "{failure:?}"
    );
    assert!(source.next().is_none());
}

#[test]
fn ndjson_is_read_as_the_service_takes_it_and_more_freely() {
    let dir = tempfile::tempdir().unwrap();
    let text = r#"{"user":25,"item":"i","timestamp":1291191960,"id":7,"extra":[1]}
{"user":"u","item":3,"type":"v\u0069ew","value":2.5,"timestamp":"2010-12-01T08:26:00Z","recommendation_id":"r"}
{"user":"u","item":"x","weight":4,"type":null,"timestamp":null}
{"user":"u"}
not json
{"user":"u","item":"i","timestamp":true}
{"user":"u","item":"i","value":1e300}
"#;
    for name in ["e.ndjson", "e.jsonl", "unnamed"] {
        let (events, bad) = read(open(&file(dir.path(), name, text), ImportFormat::Events));
        insta::allow_duplicates! {
            insta::assert_snapshot!(shown(&events).join("\n"), @r#"
            1: 25 purchase i 1 Some(1291191960000) Some("7") None
            2: u view 3 2.5 Some(1291191960000) None Some("r")
            3: u purchase x 4 None None None
            "#);
            insta::assert_snapshot!(bad.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"), @"
            line 4: missing field `item` at line 1 column 12
            line 5: expected ident at line 1 column 2
            line 6: timestamp: neither RFC 3339 nor a number of the epoch at line 1 column 40
            line 7: value: must be a finite number
            ");
        }
    }
}

#[test]
fn every_bad_line_is_named_and_no_good_one_lost() {
    let dir = tempfile::tempdir().unwrap();
    let long = "x".repeat(300);
    let endless = "y".repeat(super::super::lines::MAX_LINE + 5);
    let text = format!(
        "user,item,timestamp,weight\nu,good-1,,\n,i,,\nu,{long},,\nu,i,1,\nu,i,99999999999,\nu,good-2,,\nu,i\nu,i,,,\n\
         u,\"i,,\nu,good-3,,\nu,i,soon,\nu,i,,many\nu,i,,inf\n{endless}\nu,good-4,,"
    );
    let mut bytes = text.into_bytes();
    bytes.extend(b"\n\xff\xfe,i,,\nu,good-5,,\n");
    let (events, bad) = read(open(&file(dir.path(), "e.csv", bytes), ImportFormat::Events));
    let items: Vec<&str> = events.iter().map(|(_, event)| event.item.as_str()).collect();
    assert_eq!(items, ["good-1", "good-2", "good-3", "good-4", "good-5"]);
    insta::assert_snapshot!(bad.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"), @r#"
    line 3: user: an id must not be empty
    line 4: item: an id has at most 256 bytes, this one has 300
    line 5: timestamp: lies before 1990
    line 6: timestamp: lies in the future
    line 8: it has 2 fields, the header has 4
    line 9: it has 5 fields, the header has 4
    line 10: a quote is not closed
    line 12: timestamp: "soon" is neither RFC 3339 nor a number of the epoch
    line 13: weight: "many" is no number
    line 14: value: must be a finite number
    line 15: it is longer than 1048576 bytes
    line 17: it is not UTF-8
    "#);
}

#[test]
fn baskets_give_an_event_for_each_product() {
    let dir = tempfile::tempdir().unwrap();
    let text = "customerId,products\n0,20\n1,2|2|23\n2,5||6\n3\n\"4\",\"7|8\"\n";
    let (events, bad) = read(open(&file(dir.path(), "transactions.csv", text), ImportFormat::Transactions));
    insta::assert_snapshot!(shown(&events).join("\n"), @"
    2: 0 purchase 20 1 None None None
    3: 1 purchase 2 1 None None None
    3: 1 purchase 2 1 None None None
    3: 1 purchase 23 1 None None None
    6: 4 purchase 7 1 None None None
    6: 4 purchase 8 1 None None None
    ");
    insta::assert_snapshot!(bad.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"), @"
    line 4: item: an id must not be empty
    line 5: it has 1 fields, the header has 2
    ");
}

#[test]
fn a_file_of_another_form_is_refused_with_what_it_should_be() {
    let dir = tempfile::tempdir().unwrap();
    let refused = |name: &str, text: &str, format| {
        let path = file(dir.path(), name, text);
        Source::open(&path, name, format, Times::Ordered).err().map(|error| error.to_string()).unwrap_or_default()
    };
    let events = ImportFormat::Events;
    insta::assert_snapshot!(refused("a.csv", "userId,movieId\n1,2\n", events), @r#"a.csv: the header is "userid,movieid"; the first line must be a header with user and item, such as user,item,timestamp,weight"#);
    insta::assert_snapshot!(refused("b.csv", "", events), @"b.csv: it is empty; the first line must be a header with user and item, such as user,item,timestamp,weight");
    insta::assert_snapshot!(refused("c.csv", "user,item\n", ImportFormat::Transactions), @r#"c.csv: the header is "user,item"; the first line must be the header customerId,products"#);
    let none = dir.path().join("none.csv");
    let error = Source::open(&none, "s3://bucket/none.csv", events, Times::Ordered).err().unwrap();
    assert!(error.to_string().starts_with("s3://bucket/none.csv: "), "{error}");
}

#[test]
fn an_evaluation_keeps_the_files_order_and_small_times() {
    let dir = tempfile::tempdir().unwrap();
    let text = "user,item,timestamp,weight,type\nb,x,3,2,view\na,x,7,1,\nb,y,,1,\nb,x,828124615,1,\n";
    let path = file(dir.path(), "e.csv", text);
    let weight = |kind: &str, value: f32| if kind == "view" { value / 4.0 } else { value };
    let (rows, bad) = load_interactions(&path, "e.csv", ImportFormat::Events, &weight).unwrap();
    assert!(bad.is_empty());
    assert_eq!((rows.users, rows.items, rows.weights), (vec![0, 1, 0, 0], vec![0, 0, 1, 0], vec![0.5, 1.0, 1.0, 1.0]));
    assert_eq!(rows.times, [3, 7, crate::model::interactions::NO_TIME, 828_124_615_000]);
    assert_eq!(rows.user_ids.iter().map(ToString::to_string).collect::<Vec<_>>(), ["b", "a"]);
}

#[test]
fn users_are_read_with_a_header_and_without() {
    let dir = tempfile::tempdir().unwrap();
    let users = |text: &str| {
        let read = read_users(&file(dir.path(), "users.csv", text), "users.csv");
        read.map(|users| users.iter().map(ToString::to_string).collect::<Vec<_>>())
    };
    assert_eq!(users("customerId\n1553\n20400\n").unwrap(), ["1553", "20400"]);
    assert_eq!(users("name,user\nx,1\n").unwrap(), ["1"]);
    assert_eq!(users("7\n8\n\n9").unwrap(), ["7", "8", "9"]);
    assert_eq!(users("").unwrap(), Vec::<String>::new());
    assert_eq!(users("user\n1\n\"\"\n").unwrap_err().to_string(), "users.csv: line 3: user: an id must not be empty");
}
