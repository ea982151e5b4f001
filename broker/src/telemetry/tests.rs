use std::time::Duration;

use bytes::Bytes;
use protocol::records::{Compression, compress};
use storage::Offset;

use super::*;
use crate::metadata::{MetadataRecord, ResourceId, ResourceKind};

const LIMITS: Limits = Limits { instances_max: 3, bytes_max: 20_000, series_bytes_max: 4_000 };

/// Field `number` of a protocol buffer with bytes.
fn field(number: u8, content: &[u8]) -> Vec<u8> {
    let mut field = vec![number << 3 | 2];
    let mut length = content.len();
    while length > 127 {
        field.push(length as u8 | 0x80);
        length >>= 7;
    }
    field.push(length as u8);
    field.extend_from_slice(content);
    field
}

fn attribute(number: u8, key: &str, value: &str) -> Vec<u8> {
    field(number, &[field(1, key.as_bytes()), field(2, &field(1, value.as_bytes()))].concat())
}

/// A metric with one point: `name{label}`, or `name{label} by` for a delta of a counter.
fn metric(text: &str, value: f64) -> Vec<u8> {
    let (name, rest) = text.split_once('{').expect("labels");
    let (label, kind) = rest.split_once('}').expect("labels");
    let labels: Vec<u8> = label.split_once('=').map(|(key, value)| attribute(7, key, value)).unwrap_or_default();
    let number = [&[4 << 3 | 1][..], &value.to_le_bytes(), &labels].concat();
    let delta: &[u8] = if kind == " by" { &[2 << 3, 1, 3 << 3, 1] } else { &[] };
    let data = field(if delta.is_empty() { 5 } else { 7 }, &[&field(1, &number), delta].concat());
    field(2, &[field(1, name.as_bytes()), data].concat())
}

fn metrics(rows: &[(&str, f64)]) -> Vec<u8> {
    let metrics: Vec<u8> = rows.iter().flat_map(|(text, value)| metric(text, *value)).collect();
    let resource = field(1, &[attribute(1, "client_rack", "r\"1"), attribute(1, "client_id", "liar")].concat());
    field(1, &[resource, field(2, &metrics)].concat())
}

fn client(number: u8) -> Client {
    Client {
        instance_id: Uuid::from_random(number.into(), 7),
        client_id: Some(format!("client-{number}")),
        software: ClientSoftware::new("software", "1.0"),
        source: "10.0.0.7:4711".parse().expect("an address"),
    }
}

/// An image with subscriptions, each as `name config=value...`.
fn image(subscriptions: &[&str]) -> MetadataImage {
    let mut image = MetadataImage::default();
    image.next_offset = Offset(subscriptions.len() as i64);
    for subscription in subscriptions {
        let mut words = subscription.split(' ');
        let resource = ResourceId { kind: ResourceKind::ClientMetrics, name: words.next().expect("a name").to_owned() };
        for (name, value) in words.filter_map(|word| word.split_once('=')) {
            let (name, value) = (name.to_owned(), Some(value.to_owned()));
            image.apply(&MetadataRecord::ConfigChanged { resource: resource.clone(), name, value }).expect("fits");
        }
    }
    image
}

/// A core and its clock.
struct Core {
    telemetry: Telemetry,
    image: MetadataImage,
    now: Monotonic,
}

impl Core {
    fn new(subscriptions: &[&str]) -> Core {
        Core { telemetry: Telemetry::default(), image: image(subscriptions), now: Monotonic(1 << 40) }
    }

    fn pass(&mut self, milliseconds: u64) {
        self.now = self.now.plus(Duration::from_millis(milliseconds));
    }

    fn ask(&self, number: u8) -> Result<Subscription, ErrorCode> {
        self.telemetry.subscribe(&self.image, &client(number), LIMITS, self.now)
    }

    fn push(&self, number: u8, pushed: &Pushed) -> ErrorCode {
        self.telemetry.push(&self.image, &client(number), pushed, LIMITS, self.now)
    }

    fn page(&self) -> String {
        page(&self.telemetry.series())
    }
}

fn pushed(subscription: &Subscription, metrics: Vec<u8>) -> Pushed {
    Pushed { subscription_id: subscription.id, terminating: false, compression_type: 0, metrics: metrics.into() }
}

#[test]
fn a_client_is_told_all_that_the_subscriptions_for_it_want_at_the_shortest_interval() {
    let check = |subscriptions: &[&str], metrics: &[&str], push_interval_ms: i32| {
        let told = Core::new(subscriptions).ask(1).expect("told");
        assert_eq!(
            (told.metrics.as_slice(), told.push_interval_ms),
            (metrics.map_owned().as_slice(), push_interval_ms)
        );
    };
    check(&[], &[], 300_000);
    check(&["a metrics=x.,y."], &["x.", "y."], 300_000);
    check(&["a metrics=x.,y. interval.ms=1000", "b metrics=y.,z. interval.ms=400"], &["x.", "y.", "z."], 400);
    check(&["a metrics=x.", "b metrics=* interval.ms=600000"], &["*"], 300_000);
    check(&["a metrics=x. match=client_id=client-1", "b metrics=y. match=client_id=client-2"], &["x."], 300_000);
    check(&["a interval.ms=500"], &[], 500);
    // Taken by an earlier version, not by this one: for nobody.
    check(&["a metrics=x. match=client_id=("], &[], 300_000);
}

trait MapOwned {
    fn map_owned(&self) -> Vec<String>;
}

impl MapOwned for [&str] {
    fn map_owned(&self) -> Vec<String> {
        self.iter().map(|&text| text.to_owned()).collect()
    }
}

#[test]
fn a_subscription_id_tells_subscriptions_and_clients_apart() {
    let id = |subscriptions: &[&str], number: u8| Core::new(subscriptions).ask(number).expect("told").id;
    let first = id(&["a metrics=x."], 1);
    assert_eq!(first, id(&["b metrics=x."], 1), "the name of a subscription does not matter");
    let others = [id(&["a metrics=y."], 1), id(&["a metrics=x. interval.ms=100"], 1), id(&["a metrics=x."], 2)];
    assert!(others.iter().all(|other| *other != first), "{first} {others:?}");
}

/// What a client does, after how many milliseconds, and what it is told.
#[test]
fn requests_that_come_too_early_or_for_something_else_are_refused_with_kafkas_codes() {
    enum Step {
        Ask,
        Push,
        Last,
        Foreign,
        Codec,
        Large,
        Broken,
        Unfolds,
        Change,
        Hangup,
    }
    use Step::*;
    let check = |steps: &[(u64, Step, ErrorCode)]| {
        let mut core = Core::new(&["a metrics=* interval.ms=1000"]);
        for (index, (after_ms, step, expected)) in steps.iter().enumerate() {
            core.pass(*after_ms);
            let told = Core::new(&["a metrics=* interval.ms=1000"]).ask(1).expect("told");
            let pushed = pushed(&told, metrics(&[("a{}", 1.0)]));
            let zeros = Bytes::from(compress(Compression::Gzip(-1), &vec![0; 30_000]).expect("folds"));
            let code = match step {
                Ask => core.ask(1).err().unwrap_or(ErrorCode::NONE),
                Push => core.push(1, &pushed),
                Last => core.push(1, &Pushed { terminating: true, ..pushed }),
                Foreign => core.push(1, &Pushed { subscription_id: told.id ^ 1, ..pushed }),
                Codec => core.push(1, &Pushed { compression_type: 5, ..pushed }),
                Large => core.push(1, &Pushed { metrics: vec![0; 20_001].into(), ..pushed }),
                Broken => core.push(1, &Pushed { metrics: vec![9].into(), ..pushed }),
                Unfolds => core.push(1, &Pushed { compression_type: 1, metrics: zeros, ..pushed }),
                Change => {
                    core.image = image(&["a metrics=* interval.ms=1000", "b interval.ms=2000"]);
                    ErrorCode::NONE
                }
                Hangup => {
                    core.telemetry.instances.borrow_mut().forget(client(1).instance_id);
                    ErrorCode::NONE
                }
            };
            assert_eq!(code, *expected, "step {index}");
        }
    };
    let (none, throttled) = (ErrorCode::NONE, ErrorCode::THROTTLING_QUOTA_EXCEEDED);
    let (unknown, codec) = (ErrorCode::UNKNOWN_SUBSCRIPTION_ID, ErrorCode::UNSUPPORTED_COMPRESSION_TYPE);
    check(&[(0, Ask, none), (1, Push, none), (999, Push, throttled), (1, Push, none), (1000, Push, none)]);
    check(&[(0, Ask, none), (999, Ask, throttled), (1, Ask, none)]);
    check(&[(0, Ask, none), (500, Push, none), (600, Ask, throttled), (400, Ask, none), (1, Push, none)]);
    // Without a question first.
    check(&[(0, Push, none), (999, Ask, throttled)]);
    // Refused for want of asking: it may ask at once, and push with the next interval, as with Kafka.
    check(&[(0, Foreign, unknown), (0, Ask, none), (1, Push, throttled), (999, Push, none)]);
    check(&[(0, Ask, none), (1, Codec, codec), (1, Ask, none), (1, Ask, throttled)]);
    // The last push may come early, and nothing after it.
    check(&[(0, Ask, none), (1, Push, none), (1, Last, none), (5000, Push, ErrorCode::INVALID_REQUEST)]);
    check(&[(0, Ask, none), (1, Large, ErrorCode::TELEMETRY_TOO_LARGE), (1000, Push, none)]);
    check(&[(0, Ask, none), (1, Broken, ErrorCode::INVALID_RECORD), (1000, Push, none)]);
    check(&[(0, Ask, none), (1, Unfolds, ErrorCode::INVALID_RECORD)]);
    // A change of subscriptions, or another connection, begins anew.
    check(&[(0, Ask, none), (1, Change, none), (1, Ask, none), (1, Ask, throttled)]);
    check(&[(0, Ask, none), (1, Hangup, none), (1, Ask, none)]);
    // Forgotten after a minute; its interval is shorter.
    check(&[(0, Ask, none), (1, Last, none), (60_000, Push, none)]);
}

#[test]
fn series_are_shown_together_by_name_with_who_pushed_them() {
    let mut core = Core::new(&["a metrics=* interval.ms=1000"]);
    let first = metrics(&[("org.a{topic=t}", 1.5), ("org.n{} by", 2.0), ("org.a{topic=u\n}", f64::INFINITY)]);
    assert_eq!(core.push(1, &pushed(&core.ask(1).expect("told"), first)), ErrorCode::NONE);
    let second = metrics(&[("org.a{topic=t}", f64::NAN), ("org.n{} by", 1.0)]);
    assert_eq!(core.push(2, &pushed(&core.ask(2).expect("told"), second)), ErrorCode::NONE);
    core.pass(1000);
    let third = metrics(&[("org.a{topic=t}", 3.0), ("org.n{} by", 5.0), ("org.m{client_id=x} by", 1.0)]);
    assert_eq!(core.push(1, &pushed(&core.ask(1).expect("told"), third)), ErrorCode::NONE);
    let ids = [1, 2].map(|number| client(number).instance_id);
    let mut lines: Vec<String> = core.page().lines().map(str::to_owned).collect();
    let about = "client_software_name=\"software\",client_software_version=\"1.0\",client_source_address=\"10.0.0.7\",client_rack=\"r\\\"1\"";
    let of = |number: usize| format!("client_instance_id=\"{}\",client_id=\"client-{number}\"", ids[number - 1]);
    let mut expected = vec![
        "# HELP msgloop_client_info 1 for each client that pushes metrics.".to_owned(),
        "# TYPE msgloop_client_info gauge".to_owned(),
        format!("msgloop_client_info{{{},{about}}} 1", of(1)),
        format!("msgloop_client_info{{{},{about}}} 1", of(2)),
        "# TYPE org_a gauge".to_owned(),
        format!("org_a{{{},topic=\"t\"}} 3", of(1)),
        format!("org_a{{{},topic=\"t\"}} NaN", of(2)),
        "# TYPE org_m_total counter".to_owned(),
        format!("org_m_total{{{}}} 1", of(1)),
        "# TYPE org_n_total counter".to_owned(),
        format!("org_n_total{{{}}} 7", of(1)),
        format!("org_n_total{{{}}} 1", of(2)),
    ];
    let types: Vec<usize> = (0..lines.len()).filter(|&line| lines[line].starts_with("# TYPE")).collect();
    assert_eq!(types, [1, 4, 7, 9], "series of a name stand together");
    lines.sort();
    expected.sort();
    assert_eq!(lines, expected);
    // Sums go on through a push that does not tell of them; gauges do not.
    core.pass(1000);
    let fourth = metrics(&[("org.b{}", 1.0)]);
    assert_eq!(core.push(1, &pushed(&core.ask(1).expect("told"), fourth)), ErrorCode::NONE);
    assert!(core.page().contains(&format!("org_n_total{{{}}} 7", of(1))));
    assert!(!core.page().contains(&format!("org_a{{{}", of(1))));
}

#[test]
fn what_clients_push_takes_no_more_than_its_bounds() {
    let mut core = Core::new(&["a metrics=* interval.ms=1000"]);
    let names: Vec<String> = (0..20).map(|number| format!("metric.{number}{{}}")).collect();
    let rows: Vec<(&str, f64)> = names.iter().map(|name| (name.as_str(), 1.0)).collect();
    for number in 1..=5 {
        core.pass(1);
        assert_eq!(core.push(number, &pushed(&core.ask(number).expect("told"), metrics(&rows))), ErrorCode::NONE);
    }
    let figures = core.telemetry.figures();
    // About 2,500 bytes a client fit into 4,000 once.
    assert_eq!((figures.instances, figures.series, figures.left_out, figures.exported), (3, 20, 80, 5));
    let long = format!("{}{{}}", "x".repeat(257));
    let labels = format!("y{{k={}}}", "x".repeat(1024));
    let told = core.ask(6).expect("told");
    assert_eq!(core.push(6, &pushed(&told, metrics(&[(&long, 1.0), (&labels, 1.0), ("z{}", 1.0)]))), ErrorCode::NONE);
    assert!(core.page().contains("\nz{") && !core.page().contains("xxx"));
    core.pass(59_999);
    core.telemetry.expire(core.now);
    assert_eq!(core.telemetry.figures().instances, 2, "the other came a millisecond before");
    core.pass(1);
    core.telemetry.expire(core.now);
    let figures = core.telemetry.figures();
    assert_eq!((figures.instances, figures.series), (0, 0));
}

#[test]
fn a_client_has_a_bounded_number_of_series() {
    let names: Vec<String> = (0..2_001).map(|number| format!("m{number}{{}}")).collect();
    let rows: Vec<(&str, f64)> = names.iter().map(|name| (name.as_str(), 1.0)).collect();
    let mut core = Core::new(&["a metrics=*"]);
    core.pass(1);
    let limits = Limits { bytes_max: 1 << 20, series_bytes_max: 1 << 20, ..LIMITS };
    let told = core.ask(1).expect("told");
    let code = core.telemetry.push(&core.image, &client(1), &pushed(&told, metrics(&rows)), limits, core.now);
    let figures = core.telemetry.figures();
    assert_eq!((code, figures.series, figures.left_out), (ErrorCode::NONE, 2_000, 1));
}
