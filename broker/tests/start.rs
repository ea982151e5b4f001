//! Starting a broker, and what stays behind when it cannot.

use std::net::TcpListener;

use broker::config::load::load;
use broker::server::Server;

#[test]
fn a_taken_port_leaves_the_disk_as_it_was() {
    let parent = tempfile::tempdir().expect("a temporary directory");
    let data = parent.path().join("data");
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("bound");
    let overrides = [format!("listeners=PLAINTEXT://{address}"), format!("log.dirs={}", data.display())];
    let config = load(None, &overrides).expect("valid settings").config;
    let error = Server::start(config).map(drop).expect_err("the port is taken").to_string();
    assert!(error.contains(&format!("PLAINTEXT://{address}")) && !error.contains('\n'), "{error}");
    assert!(!data.exists());
}
