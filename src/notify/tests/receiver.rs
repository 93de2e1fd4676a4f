//! A receiver of webhooks that does as it is told, on a port of its own. Plain threads and sockets, nothing of
//! ours, so that integration tests can include this file too.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What to do with a request. The last one of a script is repeated.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    /// This status, no body.
    Status(u16),
    /// This status with one header and a body.
    With(u16, &'static str, String, String),
    /// 200 and a body of this many bytes, as long as somebody reads.
    Huge(usize),
    /// 200 and a body that never ends, a byte each 50 ms.
    Drip,
    /// Nothing, for this long.
    Hang(Duration),
    /// The connection is closed before the request is read.
    Reset,
    /// Something that is not HTTP.
    Garbage,
}

/// A request as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    /// Method and path.
    pub(crate) line: String,
    /// Headers, names in lower case.
    pub(crate) headers: HashMap<String, String>,
    /// The body.
    pub(crate) body: Vec<u8>,
}

struct State {
    script: Mutex<Vec<Answer>>,
    received: Mutex<Vec<Received>>,
    connections: Mutex<usize>,
    is_over: AtomicBool,
}

/// A receiver; it stops when dropped.
pub(crate) struct Receiver {
    address: SocketAddr,
    state: Arc<State>,
}

impl Receiver {
    /// Starts listening on 127.0.0.1.
    pub(crate) fn start(script: &[Answer]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State {
            script: Mutex::new(script.to_vec()),
            received: Mutex::default(),
            connections: Mutex::default(),
            is_over: AtomicBool::new(false),
        });
        let shared = state.clone();
        thread(move || {
            for stream in listener.incoming() {
                if shared.is_over.load(Ordering::SeqCst) {
                    return;
                }
                let Ok(stream) = stream else { continue };
                let shared = shared.clone();
                *shared.connections.lock().unwrap() += 1;
                thread(move || serve(stream, &shared));
            }
        });
        Self { address, state }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    /// What has arrived.
    pub(crate) fn received(&self) -> Vec<Received> {
        self.state.received.lock().unwrap().clone()
    }

    /// How often somebody connected.
    pub(crate) fn connections(&self) -> usize {
        *self.state.connections.lock().unwrap()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.state.is_over.store(true, Ordering::SeqCst);
        drop(TcpStream::connect(self.address));
    }
}

fn thread(run: impl FnOnce() + Send + 'static) {
    drop(std::thread::Builder::new().spawn(run).unwrap());
}

fn serve(mut stream: TcpStream, state: &State) {
    let answer = {
        let mut script = state.script.lock().unwrap();
        if script.len() > 1 {
            script.remove(0)
        } else {
            script[0].clone()
        }
    };
    if matches!(answer, Answer::Reset) {
        // Closing with unread bytes resets the connection.
        let mut byte = [0u8; 1];
        drop(stream.peek(&mut byte));
        return;
    }
    let Some(received) = read(&stream) else {
        return;
    };
    state.received.lock().unwrap().push(received);
    let head = |status: u16, length: usize| {
        format!("HTTP/1.1 {status} Whatever\r\ncontent-length: {length}\r\nconnection: close\r\n")
    };
    // The other side may leave at any time.
    drop(match answer {
        Answer::Status(status) => write!(stream, "{}\r\n", head(status, 0)),
        Answer::With(status, name, value, body) => {
            write!(
                stream,
                "{}{name}: {value}\r\n\r\n{body}",
                head(status, body.len())
            )
        }
        Answer::Huge(length) => write!(stream, "{}\r\n", head(200, length)).and_then(|()| {
            let chunk = vec![b'x'; 64 << 10];
            (0..length / chunk.len()).try_for_each(|_| stream.write_all(&chunk))
        }),
        Answer::Drip => write!(stream, "{}\r\n", head(200, 1 << 20)).and_then(|()| {
            (0..400).try_for_each(|_| {
                std::thread::sleep(Duration::from_millis(50));
                stream.write_all(b".")
            })
        }),
        Answer::Hang(time) => {
            std::thread::sleep(time);
            Ok(())
        }
        Answer::Garbage => stream.write_all(b"\x16\x03\x01 no http at all\r\n\r\n"),
        Answer::Reset => Ok(()),
    });
}

fn read(stream: &TcpStream) -> Option<Received> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut headers = HashMap::new();
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok()?;
        let Some((name, value)) = header.trim_end().split_once(':') else {
            break;
        };
        headers.insert(name.to_lowercase(), value.trim().to_owned());
    }
    let length = headers
        .get("content-length")
        .and_then(|text| text.parse().ok())
        .unwrap_or(0);
    let mut body = vec![0u8; length];
    reader.read_exact(&mut body).ok()?;
    let line = line.trim_end().trim_end_matches(" HTTP/1.1").to_owned();
    Some(Received {
        line,
        headers,
        body,
    })
}
