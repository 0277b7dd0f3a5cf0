use std::cell::RefCell;

use super::*;
use crate::actors::errors::CallError;

/// Reads `{"user","item"}`; the wire's own reader is tested where it stands.
fn read(value: &Value, arrival_ms: i64) -> Result<Event, BodyError> {
    let text = |name: &str| {
        let message = "must be a text".to_owned();
        value.get(name).and_then(Value::as_str).ok_or(BodyError {
            field: Some(name.to_owned()),
            code: "missing",
            message,
        })
    };
    Ok(Event {
        user: text("user")?.parse().unwrap(),
        item: text("item")?.parse().unwrap(),
        kind: "purchase".into(),
        value: 1.0,
        timestamp_ms: Some(arrival_ms),
        id: None,
        recommendation_id: None,
    })
}

/// A log that takes `takes` batches and is busy then; an event on the item `bad` is refused by it.
struct Log {
    batches: RefCell<Vec<usize>>,
    takes: usize,
}

impl Log {
    fn taking(takes: usize) -> Self {
        Self { batches: RefCell::default(), takes }
    }

    async fn submit(&self, batch: EventBatch) -> Result<Applied, IngestError> {
        if self.batches.borrow().len() == self.takes {
            return Err(CallError::Busy.into());
        }
        self.batches.borrow_mut().push(batch.events.len());
        let bad = batch.events.iter().enumerate().filter(|(_, event)| event.item.as_str() == "bad");
        let rejected: Vec<Rejected> =
            bad.map(|(index, _)| Rejected { index, code: "types".to_owned(), error: "refused".to_owned() }).collect();
        Ok(Applied { accepted: (batch.events.len() - rejected.len()) as u64, rejected, ..Applied::default() })
    }
}

async fn take(log: &Log, most: usize, lines: &str) -> Result<Report, ApiError> {
    let mut intake = Intake::new(async |batch| log.submit(batch).await, read, Clock::held(0), most, Arc::default());
    for line in lines.lines() {
        intake.line(line.as_bytes()).await?;
    }
    intake.finish().await
}

const GOOD: &str = r#"{"user":"u","item":"i"}"#;

#[actix_web::test]
async fn good_events_are_taken_and_bad_ones_listed_by_their_place() {
    let log = Log::taking(9);
    let lines = format!("{GOOD}\n\n{{\"user\":\"u\"}}\nnot json\n{{\"user\":\"u\",\"item\":\"bad\"}}\n{GOOD}\n");
    let report = take(&log, 2, &lines).await.unwrap();
    assert_eq!((report.accepted, report.duplicates), (2, 0));
    let listed: Vec<(usize, &str)> = report.rejected.iter().map(|r| (r.index, r.code.as_str())).collect();
    assert_eq!(listed, [(1, "missing"), (2, "not_json"), (3, "types")]);
    assert_eq!(report.rejected[0].error, "item: must be a text");
    assert_eq!(*log.batches.borrow(), [2, 1]);
}

#[actix_web::test]
async fn a_busy_log_stops_the_request_and_the_answer_says_where() {
    let log = Log::taking(2);
    let lines = format!("{GOOD}\n{{}}\n{GOOD}\n{GOOD}\n{{}}\n{GOOD}\n{GOOD}\n{GOOD}\n");
    let problem = take(&log, 2, &lines).await.unwrap_err().problem();
    assert_eq!(*log.batches.borrow(), [2, 2]);
    assert_eq!(problem.status, 503);
    insta::assert_snapshot!(problem.detail, @"the first 6 events of the request were settled, nothing from index 6 on was taken in: too much is waiting, try again in a moment");
    insta::assert_json_snapshot!(problem.extras, @r#"
    {
      "accepted": 4,
      "duplicates": 0,
      "rejected": [
        {
          "code": "missing",
          "error": "user: must be a text",
          "index": 1
        },
        {
          "code": "missing",
          "error": "user: must be a text",
          "index": 4
        }
      ],
      "settled": 6
    }
    "#);
    let none = take(&Log::taking(0), 2, GOOD).await.unwrap_err().problem();
    assert_eq!(none.detail, "nothing of the request was taken in: too much is waiting, try again in a moment");
}

#[actix_web::test]
async fn a_body_of_which_nothing_is_json_is_refused_whole() {
    let log = Log::taking(9);
    assert_eq!(take(&log, 2, "a\nb\n").await.unwrap_err().kind(), Kind::Invalid);
    assert!(take(&log, 2, &format!("a\n{GOOD}")).await.is_ok());
}

#[actix_web::test]
async fn what_came_before_a_break_is_kept_and_said() {
    let log = Log::taking(9);
    let mut intake = Intake::new(async |batch| log.submit(batch).await, read, Clock::held(0), 100, Arc::default());
    for _ in 0..3 {
        intake.line(GOOD.as_bytes()).await.unwrap();
    }
    let problem = intake.broken_off(ApiError::too_large(10)).await.problem();
    assert_eq!((problem.status, *log.batches.borrow() == [3]), (413, true));
    assert!(problem.detail.starts_with("the first 3 events"), "{}", problem.detail);
}

#[actix_web::test]
async fn the_list_of_refused_events_is_bounded() {
    let lines = "{}\n".repeat(LISTED + 5);
    let report = take(&Log::taking(9), 2, &lines).await.unwrap();
    assert_eq!((report.rejected.len(), report.rejected_unlisted), (LISTED, 5));
}
