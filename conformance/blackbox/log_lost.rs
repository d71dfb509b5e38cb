//! A log that cannot be written, and a client that says that it has sent all: neither costs an answer.

use crate::testkit::image::sha256_of;
use crate::testkit::server::{Home, fresh};
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::process::Stdio;

fn status_of(addr: &str, request: &str) -> String {
    let mut stream = TcpStream::connect(addr).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).unwrap();
    line.trim_end().to_owned()
}

#[test]
fn a_log_that_cannot_be_written_costs_no_answer() {
    let home = Home::new();
    let mut command = home.command("serve");
    command.args(["--open", "--listen", "127.0.0.1:0", "--data"]).arg(home.data());
    let full = File::options().write(true).open("/dev/full").unwrap();
    let mut child = command.stdout(Stdio::piped()).stderr(full).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let addr = line.trim().strip_prefix("listening on http://").expect("the line of the address").to_owned();
    for _ in 0..3 {
        assert_eq!(status_of(&addr, "GET /v2/ HTTP/1.1\r\nHost: x\r\n\r\n"), "HTTP/1.1 200 OK");
        assert_eq!(
            status_of(&addr, "GET /v2/x/tags/list HTTP/1.1\r\nHost: x\r\n\r\n"),
            "HTTP/1.1 404 Not Found"
        );
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_client_that_has_sent_all_and_said_so_gets_its_answer() {
    let client = fresh();
    let body = "x".repeat(70_000);
    for _ in 0..5 {
        let mut stream = TcpStream::connect(client.addr).unwrap();
        let digest = sha256_of(body.as_bytes());
        write!(
            stream,
            "POST /v2/app/blobs/uploads/?digest={digest} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
    }
}
