use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use protocol::messages::Records;
use protocol::messages::fetch::{FetchPartition, PartitionData};
use protocol::{ErrorCode, Uuid};
use storage::runtime::Monotonic;

use super::{FetchSessions, PartitionKey, SessionContext, SessionRequest, TopicKey, Wanted};

const START: Monotonic = Monotonic(0);

fn key(partition: i32) -> PartitionKey {
    (TopicKey::Name(Rc::from("t")), partition)
}

fn wanted(partitions: &[i32]) -> Vec<Wanted> {
    let one =
        |&partition: &i32| Wanted { key: key(partition), fetch: FetchPartition { partition, ..Default::default() } };
    partitions.iter().map(one).collect()
}

fn ask(sessions: &mut FetchSessions, id: i32, epoch: i32, partitions: &[i32]) -> Result<SessionContext, ErrorCode> {
    let request =
        SessionRequest { id, epoch, uses_topic_ids: false, wanted: wanted(partitions), forgotten: Vec::new() };
    let mut next = 100 + sessions.len() as u64;
    sessions.context(request, START, || {
        next += 1;
        next
    })
}

fn order(context: &SessionContext) -> Vec<i32> {
    context.wanted().iter().map(|wanted| wanted.key.1).collect()
}

fn data(high_watermark: i64, bytes: &'static [u8]) -> PartitionData {
    let mut records = Records::default();
    records.push(Bytes::from_static(bytes));
    PartitionData { high_watermark, log_start_offset: 0, records: Some(records), ..Default::default() }
}

#[test]
fn an_incremental_fetch_answers_only_what_is_new() {
    let mut sessions = FetchSessions::new(10);
    let opened = ask(&mut sessions, 0, 0, &[0, 1, 2]).expect("opens");
    let id = opened.session_id();
    assert_ne!(id, 0);
    for partition in 0..3 {
        assert!(opened.keeps(&key(partition), &data(5, b"")), "a full answer has every partition");
    }
    let next = ask(&mut sessions, id, 1, &[]).expect("goes on");
    assert_eq!(order(&next), [0, 1, 2]);
    let check = |partition, data: PartitionData, kept| assert_eq!(next.keeps(&key(partition), &data), kept);
    check(0, data(5, b""), false);
    check(1, data(6, b""), true);
    check(1, data(6, b""), false);
    check(0, data(5, b"records"), true);
    check(2, PartitionData { error_code: ErrorCode::OFFSET_OUT_OF_RANGE, ..data(5, b"") }, true);
    check(2, data(5, b""), true);
    assert_eq!(order(&next), [1, 2, 0], "who had data goes to the back");
}

#[test]
fn a_request_must_fit_its_session() {
    let mut sessions = FetchSessions::new(10);
    let id = ask(&mut sessions, 0, 0, &[0]).expect("opens").session_id();
    let error = |result: Result<SessionContext, ErrorCode>| result.err();
    assert_eq!(error(ask(&mut sessions, 7, 1, &[])), Some(ErrorCode::FETCH_SESSION_ID_NOT_FOUND));
    assert_eq!(error(ask(&mut sessions, id, 2, &[])), Some(ErrorCode::INVALID_FETCH_SESSION_EPOCH));
    assert_eq!(error(ask(&mut sessions, id, 1, &[])), None);
    assert_eq!(error(ask(&mut sessions, id, 1, &[])), Some(ErrorCode::INVALID_FETCH_SESSION_EPOCH));
    let by_id = SessionRequest {
        id,
        epoch: 2,
        uses_topic_ids: true,
        wanted: vec![Wanted { key: (TopicKey::Id(Uuid([1; 16])), 0), fetch: FetchPartition::default() }],
        forgotten: Vec::new(),
    };
    let answer = sessions.context(by_id, START, || 1);
    assert_eq!(error(answer), Some(ErrorCode::FETCH_SESSION_TOPIC_ID_ERROR));
}

#[test]
fn partitions_come_and_go_and_the_epoch_wraps_to_one() {
    let mut sessions = FetchSessions::new(10);
    let id = ask(&mut sessions, 0, 0, &[0, 1]).expect("opens").session_id();
    sessions.sessions[&id].borrow_mut().epoch = i32::MAX;
    let request =
        SessionRequest { id, epoch: i32::MAX, uses_topic_ids: false, wanted: wanted(&[2]), forgotten: vec![key(0)] };
    let context = sessions.context(request, START, || 1).expect("goes on");
    assert_eq!(order(&context), [1, 2]);
    assert!(ask(&mut sessions, id, 1, &[]).is_ok());
}

#[test]
fn closing_and_reopening_take_the_old_session_away() {
    let mut sessions = FetchSessions::new(10);
    let id = ask(&mut sessions, 0, 0, &[0]).expect("opens").session_id();
    let again = ask(&mut sessions, id, 0, &[0]).expect("reopens").session_id();
    assert_eq!(sessions.len(), 1);
    assert_eq!(ask(&mut sessions, again, -1, &[0]).expect("closes").session_id(), 0);
    assert!(sessions.is_empty());
}

#[test]
fn a_full_cache_goes_without_until_a_session_was_idle_for_two_minutes() {
    let mut sessions = FetchSessions::new(1);
    let first = ask(&mut sessions, 0, 0, &[0]).expect("opens").session_id();
    assert_eq!(ask(&mut sessions, 0, 0, &[0]).expect("without").session_id(), 0);
    let request =
        SessionRequest { id: 0, epoch: 0, uses_topic_ids: false, wanted: wanted(&[0]), forgotten: Vec::new() };
    let later = START.plus(Duration::from_secs(121));
    let second = sessions.context(request, later, || 9).expect("opens").session_id();
    assert_eq!((second, sessions.len()), (9, 1));
    assert_ne!(first, second);
}
