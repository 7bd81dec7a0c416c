//! The HTTP server by TLS: as curl sees it, and `rustls` as a client on our streams, on every model.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream as PlainStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use std::{env, fs, process, thread};

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use trefoil::net::TcpStream;
use trefoil::{Builder, Model};

use crate::foreign;
use crate::server::Server;

const PROGRAM: &str = env!("CARGO_BIN_EXE_http_server");

/// A certificate for this machine, and its key, in files that are removed with this.
struct Certificate {
    folder: PathBuf,
    roots: RootCertStore,
}

impl Certificate {
    fn new(test: &str) -> Certificate {
        let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
        let made = rcgen::generate_simple_self_signed(names).unwrap();
        let folder = env::temp_dir().join(format!("trefoil-tls-{test}-{}", process::id()));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("certificate.pem"), made.cert.pem()).unwrap();
        fs::write(folder.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(made.cert.der().clone()).unwrap();
        Certificate { folder, roots }
    }

    fn file(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }

    fn server(&self, model: Model, more: &[&str]) -> Server {
        println!("on {model}");
        let (certificate, key) = (self.file("certificate.pem"), self.file("key.pem"));
        let options = ["--certificate", &certificate, "--key", &key];
        Server::start(PROGRAM, model, &[&options, more].concat())
    }

    fn client(&self) -> ClientConnection {
        let config = ClientConfig::builder()
            .with_root_certificates(self.roots.clone())
            .with_no_client_auth();
        let name = ServerName::try_from("localhost").unwrap();
        ClientConnection::new(Arc::new(config), name).unwrap()
    }
}

impl Drop for Certificate {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

#[test]
fn curl_is_answered() {
    let certificate = Certificate::new("curl");
    for model in Model::ALL {
        let server = certificate.server(model, &[]);
        let root = certificate.file("certificate.pem");
        let url = format!("https://{}/", server.address);
        let options = ["-sS", "--cacert", &root];
        if let Some(said) = foreign::run("curl", &[&options[..], &[&url, &url]].concat()) {
            assert_eq!(said, "Hello, World!".repeat(2));
        }
        let echo = format!("{url}echo");
        let body = "x".repeat(100_000);
        let sent = [&options[..], &["--data-binary", &body, &echo]].concat();
        if let Some(said) = foreign::run("curl", &sent) {
            assert!(said == body);
        }
    }
}

/// `rustls` on both sides, the client's on a stream of ours.
#[test]
fn rustls_is_a_client_on_our_streams() {
    let certificate = Certificate::new("rustls");
    for model in Model::ALL {
        let server = certificate.server(model, &[]);
        let (address, tls) = (server.address, certificate.client());
        let said = Builder::new().model(model).build().unwrap().run(move || {
            let mut stream = StreamOwned::new(tls, TcpStream::connect(address).unwrap());
            let request = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
            stream.write_all(request.repeat(3).as_bytes()).unwrap();
            let last = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
            stream.write_all(last.as_bytes()).unwrap();
            let mut said = String::new();
            // It ends by the server's word, and not by a connection that breaks off.
            stream.read_to_string(&mut said).unwrap();
            said
        });
        assert_eq!(said.matches("Hello, World!").count(), 4, "{said}");
    }
}

/// The end that a server is asked for is told to the clients too.
#[test]
fn it_ends_with_grace() {
    let certificate = Certificate::new("grace");
    for model in Model::ALL {
        let mut server = certificate.server(model, &[]);
        let stream = PlainStream::connect(server.address).unwrap();
        let mut stream = StreamOwned::new(certificate.client(), stream);
        let head = "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n";
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(b"Expect: 100-continue\r\n\r\n").unwrap();
        let mut go_on = [0; 25];
        stream.read_exact(&mut go_on).unwrap();
        assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n");
        let idle = PlainStream::connect(server.address).unwrap();
        let mut idle = StreamOwned::new(certificate.client(), idle);
        idle.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            .unwrap();
        idle.read_exact(&mut [0; 1]).unwrap();
        server.terminate();
        // Not broken off.
        let mut rest = String::new();
        idle.read_to_string(&mut rest).unwrap();
        assert!(rest.ends_with("Hello, World!"), "{rest}");
        stream.write_all(b"tail").unwrap();
        let mut said = String::new();
        stream.read_to_string(&mut said).unwrap();
        assert!(said.ends_with("\r\n\r\ntail"), "{said}");
        let words = server.last_words();
        assert!(
            words.contains("2 requests served, 2 connections were open, 0 of"),
            "{words}"
        );
    }
}

/// Who speaks no TLS, or nothing, or slowly, is given up; others are served meanwhile.
#[test]
fn who_does_not_agree_is_given_up() {
    let certificate = Certificate::new("silent");
    for model in Model::ALL {
        let server = certificate.server(model, &["--request", "300"]);
        let mut plain = PlainStream::connect(server.address).unwrap();
        plain.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
        let silent = PlainStream::connect(server.address).unwrap();
        let mut half = PlainStream::connect(server.address).unwrap();
        half.write_all(&[22, 3, 1, 0, 200, 1]).unwrap();
        let trickles = PlainStream::connect(server.address).unwrap();
        let trickling = trickles.try_clone().unwrap();
        let trickle = thread::spawn(move || {
            // A record of 65,000 bytes, byte by byte.
            let mut bytes = [22, 3, 1, 0x3f, 0xff]
                .into_iter()
                .chain(std::iter::repeat(1));
            while (&trickling).write_all(&[bytes.next().unwrap()]).is_ok() {
                thread::sleep(Duration::from_millis(5));
            }
        });
        let mut good = StreamOwned::new(
            certificate.client(),
            PlainStream::connect(server.address).unwrap(),
        );
        good.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            .unwrap();
        let mut said = String::new();
        good.read_to_string(&mut said).unwrap();
        assert!(said.contains("Hello, World!"), "{said}");
        for mut refused in [plain, silent, half, trickles] {
            let mut rest = Vec::new();
            // An end, or a reset, and nothing in the clear.
            let _ = refused.read_to_end(&mut rest);
            assert!(!rest.starts_with(b"HTTP"), "{rest:?}");
            let _ = refused.shutdown(Shutdown::Both);
        }
        trickle.join().unwrap();
    }
}

/// Nor does a record that comes byte by byte keep a connection.
#[test]
fn who_trickles_a_record_is_given_up() {
    let certificate = Certificate::new("trickle");
    for model in Model::ALL {
        let server = certificate.server(model, &["--request", "300", "--idle", "300"]);
        let stream = PlainStream::connect(server.address).unwrap();
        let mut stream = StreamOwned::new(certificate.client(), stream);
        stream
            .write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            .unwrap();
        stream.read_exact(&mut [0; 1]).unwrap();
        // One that never comes as a whole: it would be 16 KiB.
        let mut socket = &stream.sock;
        socket.write_all(&[23, 3, 3, 0x40, 0]).unwrap();
        while socket.write_all(&[0]).is_ok() {
            thread::sleep(Duration::from_millis(5));
        }
    }
}

#[test]
fn files_that_are_none_are_told_by_name() {
    let certificate = Certificate::new("files");
    let start = |certificate: &str, key: &str| {
        let output = process::Command::new(PROGRAM)
            .args([
                "--listen",
                "127.0.0.1:0",
                "--certificate",
                certificate,
                "--key",
                key,
            ])
            .output()
            .unwrap();
        assert!(!output.status.success());
        String::from_utf8(output.stderr).unwrap()
    };
    let (good, key) = (
        certificate.file("certificate.pem"),
        certificate.file("key.pem"),
    );
    assert!(start("/no/such/file", &key).contains("/no/such/file"));
    assert!(start(&good, &good).contains("certificate.pem"));
}
