//! A real server in its own process, and the few lines of HTTP the tests need to talk to it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

pub(crate) const BIN: &str = env!("CARGO_BIN_EXE_wardline");

/// One answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
    /// Whether the body ended as HTTP says, where it came in chunks.
    pub(crate) is_whole: bool,
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("not JSON: {}", self.text()))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn header(&self, name: &str) -> Option<String> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name)
                .then(|| value.trim().to_owned())
        })
    }
}

/// A running server; killed without mercy when dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: String,
    pub(crate) key: String,
    pub(crate) log: Arc<Mutex<String>>,
}

/// An API key with these scopes, made before or beside a running server.
pub(crate) fn create_key(data_dir: &Path, scopes: &str) -> String {
    let made = Command::new(BIN)
        .args([
            "key",
            "create",
            "--scope",
            scopes,
            "--name",
            "test",
            "-o",
            "raw",
            "--data-dir",
        ])
        .arg(data_dir)
        .output()
        .unwrap();
    assert!(
        made.status.success(),
        "{}",
        String::from_utf8_lossy(&made.stderr)
    );
    String::from_utf8(made.stdout).unwrap().trim().to_owned()
}

impl Server {
    pub(crate) fn start(data_dir: &Path) -> Self {
        Self::start_with(data_dir, "")
    }

    /// Starts with this configuration file's text.
    pub(crate) fn start_with(data_dir: &Path, config: &str) -> Self {
        std::fs::create_dir_all(data_dir).unwrap();
        let key = create_key(data_dir, "admin");
        let file = data_dir.with_extension("toml");
        std::fs::write(&file, config).unwrap();
        let mut command = Command::new(BIN);
        command
            .arg("serve")
            .arg("--config")
            .arg(&file)
            .arg("--data-dir")
            .arg(data_dir)
            .args(["--listen", "127.0.0.1:0"]);
        Self::spawn(command, key)
    }

    pub(crate) fn spawn(mut command: Command, key: String) -> Self {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        let (stderr, stdout) = (child.stderr.take().unwrap(), child.stdout.take().unwrap());
        let sink = log.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                let mut log = sink.lock().unwrap();
                log.push_str(&line);
                log.push('\n');
            }
        });
        let mut lines = BufReader::new(stdout).lines();
        let url = loop {
            match lines.next() {
                Some(Ok(line)) => {
                    if let Some(url) = line.strip_prefix("listening on ") {
                        break url.trim().to_owned();
                    }
                }
                _ => panic!("the server did not start:\n{}", log.lock().unwrap()),
            }
        };
        std::thread::spawn(move || for _ in lines.by_ref() {});
        let address = url
            .trim_start_matches("http://")
            .trim_end_matches('/')
            .to_owned();
        Self {
            child,
            address,
            key,
            log,
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM, then waits; the exit code.
    pub(crate) fn stop(mut self) -> Option<i32> {
        signal(self.pid(), "TERM");
        let watch = Instant::now();
        while watch.elapsed() < Duration::from_secs(60) {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("the server did not stop within 60 s");
    }

    pub(crate) fn get(&self, path: &str) -> Reply {
        self.call("GET", path, &[], b"")
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Reply {
        self.call(
            "POST",
            path,
            &[("content-type", "application/json")],
            body.to_string().as_bytes(),
        )
    }

    pub(crate) fn ingest(&self, query: &str, body: &[u8]) -> Reply {
        self.call("POST", &format!("/api/v1/ingest{query}"), &[], body)
    }

    pub(crate) fn call(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Reply {
        self.try_call(method, path, headers, body)
            .unwrap_or_else(|error| panic!("{method} {path}: {error}"))
    }

    pub(crate) fn try_call(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> std::io::Result<Reply> {
        let bearer = format!("Bearer {}", self.key);
        let mut all = vec![("authorization", bearer.as_str())];
        all.extend_from_slice(headers);
        exchange(&self.address, method, path, &all, body)
    }

    /// Events that match, oldest first, once the index has seen all that was acknowledged.
    pub(crate) fn search(&self, query: &str) -> Vec<Value> {
        let ask = json!({"query": query, "from": "now-3650d", "to": "now+3650d", "limit": 1000, "sort": "asc"});
        let reply = self.post("/api/v1/search", &ask);
        assert_eq!(reply.status, 200, "{}", reply.text());
        reply.json()["data"].as_array().unwrap().clone()
    }

    /// Waits until index and detection have seen everything that is in the log.
    pub(crate) fn settle(&self) {
        eventually("index and rules to catch up", || {
            let metrics = self.get("/metrics").text();
            let value = |name: &str| -> Option<f64> {
                metrics
                    .lines()
                    .find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok())
            };
            let end = value("wardline_wal_end_offset")?;
            (value("wardline_index_offset")? >= end && value("wardline_detect_offset")? >= end)
                .then_some(())
        });
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _already_gone = self.child.kill().is_err();
        let _reaped = self.child.wait().is_err();
    }
}

/// A command, against a server where there is one.
pub(crate) fn run(server: Option<&Server>, arguments: &[&str]) -> Output {
    let mut command = Command::new(BIN);
    if let Some(server) = server {
        command.env("WARDLINE_URL", format!("http://{}", server.address));
        command.env("WARDLINE_KEY", &server.key);
    }
    command.args(arguments).output().unwrap()
}

/// What a command said as JSON; it must have ended so.
pub(crate) fn said(output: &Output, exit: i32) -> Value {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(exit), "{errors}");
    serde_json::from_slice(&output.stdout).unwrap_or(Value::Null)
}

pub(crate) fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

pub(crate) fn signal(pid: u32, name: &str) {
    let sent = Command::new("kill")
        .args([format!("-{name}"), pid.to_string()])
        .status()
        .unwrap();
    assert!(sent.success());
}

/// Tries again until there is a result; fails after twenty seconds.
pub(crate) fn eventually<T>(what: &str, mut attempt: impl FnMut() -> Option<T>) -> T {
    let watch = Instant::now();
    loop {
        if let Some(found) = attempt() {
            return found;
        }
        assert!(
            watch.elapsed() < Duration::from_secs(20),
            "waited 20 s for {what}"
        );
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// One HTTP/1.1 exchange over a fresh connection.
pub(crate) fn exchange(
    address: &str,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> std::io::Result<Reply> {
    let mut head = format!("{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n");
    let is_chunked = headers
        .iter()
        .any(|(name, _)| name.eq_ignore_ascii_case("transfer-encoding"));
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    if !is_chunked {
        head.push_str(&format!("content-length: {}\r\n", body.len()));
    }
    head.push_str("\r\n");
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    stream.write_all(head.as_bytes())?;
    // A server may answer and close before it has read the whole body; the answer is what counts.
    let _cut_short = stream.write_all(body).is_err();
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer);
    if answer.is_empty() {
        read?;
    }
    parse(&answer).ok_or_else(|| std::io::Error::other("no answer"))
}

fn parse(answer: &[u8]) -> Option<Reply> {
    let split = answer.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&answer[..split]).into_owned();
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let mut body = answer[split + 4..].to_vec();
    let mut is_whole = true;
    if head
        .to_ascii_lowercase()
        .contains("transfer-encoding: chunked")
    {
        is_whole = body.ends_with(b"0\r\n\r\n");
        body = dechunk(&body);
    }
    Some(Reply {
        status,
        head,
        body,
        is_whole,
    })
}

fn dechunk(mut rest: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(end) = rest.windows(2).position(|window| window == b"\r\n") {
        let Ok(size) = usize::from_str_radix(String::from_utf8_lossy(&rest[..end]).trim(), 16)
        else {
            break;
        };
        if size == 0 || rest.len() < end + 2 + size {
            break;
        }
        body.extend_from_slice(&rest[end + 2..end + 2 + size]);
        rest = rest.get(end + 4 + size..).unwrap_or_default();
    }
    body
}

/// What a webhook endpoint saw.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

/// A webhook endpoint on loopback that answers each request with the next status of a script, then 200.
pub(crate) struct Receiver {
    pub(crate) url: String,
    pub(crate) seen: Arc<Mutex<Vec<Received>>>,
}

impl Receiver {
    pub(crate) fn start(script: &[u16]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let seen: Arc<Mutex<Vec<Received>>> = Arc::default();
        let (sink, mut script) = (seen.clone(), script.to_vec());
        script.reverse();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let status = script.pop().unwrap_or(200);
                if let Some(received) = answer(stream, status) {
                    sink.lock().unwrap().push(received);
                }
            }
        });
        Self { url, seen }
    }

    pub(crate) fn wait_for(&self, count: usize) -> Vec<Received> {
        eventually(&format!("{count} deliveries"), || {
            let seen = self.seen.lock().unwrap();
            (seen.len() >= count).then(|| seen.clone())
        })
    }
}

impl Received {
    pub(crate) fn header(&self, name: &str) -> String {
        let found = self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name)
                .then(|| value.trim().to_owned())
        });
        found.unwrap_or_default()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

fn answer(mut stream: TcpStream, status: u16) -> Option<Received> {
    stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    let mut bytes = Vec::new();
    let mut buffer = [0; 65536];
    loop {
        let read = stream.read(&mut buffer).ok()?;
        bytes.extend_from_slice(&buffer[..read]);
        if let Some(split) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&bytes[..split]).into_owned();
            let length = head
                .lines()
                .find_map(|line| {
                    line.to_ascii_lowercase()
                        .strip_prefix("content-length:")?
                        .trim()
                        .parse::<usize>()
                        .ok()
                })
                .unwrap_or(0);
            if bytes.len() >= split + 4 + length || read == 0 {
                let reply = format!(
                    "HTTP/1.1 {status} X\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
                );
                let _receiver_may_be_gone = stream.write_all(reply.as_bytes()).is_err();
                return Some(Received {
                    head,
                    body: bytes[split + 4..].to_vec(),
                });
            }
        }
        if read == 0 {
            return None;
        }
    }
}
