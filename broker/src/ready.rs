//! `msgloop ready`: asks a running node's admin HTTP whether it serves clients. For health checks in images that hold
//! nothing but the broker.

use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

const WAIT_MAX: Duration = Duration::from_secs(2);
/// The status line is all that counts.
const ANSWER_BYTES_MAX: u64 = 1024;

/// Nothing if the node at `address` (host:port) is ready, else one sentence that says why not.
pub fn run(address: &str) -> Result<(), String> {
    let answer = ask(address).map_err(|error| format!("no answer from the admin listener {address}: {error}"))?;
    match answer.split_whitespace().nth(1) {
        Some("200") => Ok(()),
        _ => Err(format!("the node at {address} is not ready: {}", answer.lines().last().unwrap_or_default())),
    }
}

fn ask(address: &str) -> std::io::Result<String> {
    let resolved = address.to_socket_addrs()?.next().ok_or(std::io::ErrorKind::AddrNotAvailable)?;
    let mut stream = TcpStream::connect_timeout(&resolved, WAIT_MAX)?;
    stream.set_read_timeout(Some(WAIT_MAX))?;
    stream.write_all(format!("GET /readyz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").as_bytes())?;
    let mut answer = String::new();
    stream.take(ANSWER_BYTES_MAX).read_to_string(&mut answer)?;
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;

    #[test]
    fn the_status_line_decides() {
        for (answer, is_ready) in
            [("HTTP/1.1 200 OK\r\n\r\nready\n", true), ("HTTP/1.1 503 x\r\n\r\nstopping\n", false)]
        {
            let listener = TcpListener::bind("127.0.0.1:0").expect("free");
            let address = listener.local_addr().expect("bound").to_string();
            let server = std::thread::spawn(move || {
                let (mut stream, _) = listener.accept().expect("a client");
                let _ = stream.read(&mut [0; 512]).expect("a request");
                stream.write_all(answer.as_bytes()).expect("sent");
            });
            assert_eq!(super::run(&address).is_ok(), is_ready, "{answer}");
            server.join().expect("served");
        }
    }
}
