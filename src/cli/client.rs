//! Talking to a server: the API key from a file or the environment, and errors a person can act on.

use std::io::Read;
use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;
use zeroize::Zeroizing;

use super::{Exit, Server, output};
use crate::notify::{ApiAnswer, ApiClient};

/// Bytes of an answer that are read.
const ANSWER_BYTES_MAX: usize = 256 << 20;
const TIMEOUT: Duration = Duration::from_secs(60);

/// A server and the key to it.
pub(super) struct Client {
    http: ApiClient,
    base: String,
}

/// An answer as it came.
#[derive(Debug)]
pub(super) struct Response {
    /// The status.
    pub status: u16,
    /// Seconds the server asks to wait.
    pub retry_after: Option<u64>,
    /// The body.
    pub body: Vec<u8>,
}

/// An answer that is not the one hoped for, as the exit code it leads to. The text has been told already.
pub(super) type Answer = Result<Value, Exit>;

impl Client {
    /// Reads the key and prepares a client; connects to nothing yet.
    pub(super) fn new(server: &Server) -> anyhow::Result<Self> {
        let key = read_key(server)?;
        let authority = server
            .ca_file
            .as_ref()
            .map(std::fs::read_to_string)
            .transpose()?;
        Self::with_key(&server.url, &key, authority.as_deref())
    }

    /// A client with a key that is in memory already.
    pub(super) fn with_key(url: &str, key: &str, authority: Option<&str>) -> anyhow::Result<Self> {
        let base = url.trim_end_matches('/').to_owned();
        let key = Some(key).filter(|key| !key.is_empty());
        Ok(Self {
            http: ApiClient::new(&base, key, authority)?,
            base,
        })
    }

    /// `GET path`.
    pub(super) async fn get(&self, path: &str) -> anyhow::Result<Answer> {
        let response = self.call("GET", path, "application/json", Vec::new()).await;
        Ok(self.answer(response))
    }

    /// `GET path`; `None` where there is nothing of that name.
    pub(super) async fn find(&self, path: &str) -> anyhow::Result<Result<Option<Value>, Exit>> {
        let response = self.call("GET", path, "application/json", Vec::new()).await;
        if matches!(&response, Ok(answer) if answer.status == 404) {
            return Ok(Ok(None));
        }
        Ok(self.answer(response).map(Some))
    }

    /// `POST path` with a JSON body.
    pub(super) async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Answer> {
        self.send(path, "application/json", body.to_string().into_bytes())
            .await
    }

    /// `POST path` with any body.
    pub(super) async fn send(
        &self,
        path: &str,
        content_type: &str,
        body: Vec<u8>,
    ) -> anyhow::Result<Answer> {
        let response = self.raw(path, content_type, body).await;
        Ok(self.answer(response))
    }

    /// `DELETE path`.
    pub(super) async fn delete(&self, path: &str) -> anyhow::Result<Answer> {
        let response = self
            .call("DELETE", path, "application/json", Vec::new())
            .await;
        Ok(self.answer(response))
    }

    /// `POST path`, answer untouched: for callers that retry or measure.
    pub(super) async fn raw(
        &self,
        path: &str,
        content_type: &str,
        body: Vec<u8>,
    ) -> Result<Response, String> {
        self.call("POST", path, content_type, body).await
    }

    async fn call(
        &self,
        method: &str,
        path: &str,
        content_type: &str,
        body: Vec<u8>,
    ) -> Result<Response, String> {
        let headers = [("content-type", content_type)];
        let answer = self
            .http
            .send(method, path, &headers, body.into(), Some(TIMEOUT))
            .await;
        let answer = answer.map_err(|failure| failure.to_string())?;
        let status = answer.status();
        let retry_after = answer
            .header("retry-after")
            .and_then(|text| text.parse().ok());
        let body = answer
            .bytes(ANSWER_BYTES_MAX)
            .await
            .map_err(|failure| failure.to_string())?;
        Ok(Response {
            status,
            retry_after,
            body: body.to_vec(),
        })
    }

    /// `GET path` as a stream of events that goes on behind the last one seen: the answer as it comes, or what the server
    /// has against it.
    pub(super) async fn stream(
        &self,
        path: &str,
        last: Option<&str>,
    ) -> Result<Result<ApiAnswer, Refusal>, String> {
        let mut headers = vec![("accept", "text/event-stream")];
        headers.extend(last.map(|id| ("last-event-id", id)));
        self.long(path, &headers).await
    }

    /// `GET path` as a file of any length: the answer as it comes, or what the server has against it.
    pub(super) async fn file(&self, path: &str) -> Result<Result<ApiAnswer, Refusal>, String> {
        self.long(path, &[]).await
    }

    /// `POST path` with a JSON body; the answer is a file of any length.
    pub(super) async fn download(
        &self,
        path: &str,
        body: &Value,
    ) -> Result<Result<ApiAnswer, Refusal>, String> {
        let headers = [("content-type", "application/json")];
        let body = Bytes::from(body.to_string());
        let answer = self.http.send("POST", path, &headers, body, None);
        opened(answer.await.map_err(|failure| failure.to_string())?).await
    }

    async fn long(
        &self,
        path: &str,
        headers: &[(&str, &str)],
    ) -> Result<Result<ApiAnswer, Refusal>, String> {
        let answer = self.http.send("GET", path, headers, Bytes::new(), None);
        opened(answer.await.map_err(|failure| failure.to_string())?).await
    }

    /// Tells that no answer came.
    pub(super) fn is_silent(&self, why: &str) -> Exit {
        output::tell(&format!("error: no answer from {}: {why}", self.base));
        output::tell("  is the server running there? name another one with --url");
        Exit::Refused
    }

    /// `GET path` as text.
    pub(super) async fn text(&self, path: &str) -> Result<String, String> {
        let response = self.call("GET", path, "text/plain", Vec::new()).await?;
        Ok(String::from_utf8_lossy(&response.body).into_owned())
    }

    /// What an answer means: its JSON, or the exit code after telling why.
    pub(super) fn answer(&self, response: Result<Response, String>) -> Answer {
        let response = match response {
            Ok(response) => response,
            Err(why) => return Err(self.is_silent(&why)),
        };
        let body: Value = serde_json::from_slice(&response.body).unwrap_or(Value::Null);
        if (200..300).contains(&response.status) {
            return Ok(body);
        }
        Err(refusal(response.status, &body))
    }
}

/// An answer to be read, or what the server has against it.
async fn opened(answer: ApiAnswer) -> Result<Result<ApiAnswer, Refusal>, String> {
    let status = answer.status();
    if status == 200 {
        return Ok(Ok(answer));
    }
    let body = answer.bytes(ANSWER_BYTES_MAX).await;
    let body = body.map_err(|failure| failure.to_string())?;
    let problem = serde_json::from_slice(&body).unwrap_or(Value::Null);
    Ok(Err(Refusal { status, problem }))
}

/// An answer that is none.
#[derive(Debug)]
pub(super) struct Refusal {
    /// The status.
    pub(super) status: u16,
    problem: Value,
}

impl Refusal {
    /// Tells what the server said; gives the exit code.
    pub(super) fn tell(&self) -> Exit {
        refusal(self.status, &self.problem)
    }
}

/// Tells what the server said and what to do about it.
fn refusal(status: u16, problem: &Value) -> Exit {
    let text = |name: &str| {
        problem
            .get(name)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let said = [text("title"), text("detail")]
        .into_iter()
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>();
    output::tell(&format!(
        "error: the server answered {status}: {}",
        super::terminal::escape(&said.join(": "))
    ));
    for fault in faults(problem) {
        output::tell(&format!("  {}", super::terminal::escape(&fault)));
    }
    match status {
        401 => output::tell(
            "  give a valid key with --key-file FILE (make one with: wardline key create)",
        ),
        403 => output::tell("  the key lacks the scope for this"),
        _ => {}
    }
    match status {
        400 | 422 => Exit::Usage,
        401 | 403 => Exit::Refused,
        _ => Exit::Failed,
    }
}

/// Each place the server finds fault with, and what would fit there.
fn faults(problem: &Value) -> Vec<String> {
    let errors = problem.get("errors").and_then(Value::as_array);
    let text = |fault: &Value, name: &str| {
        let text = fault.get(name).and_then(Value::as_str);
        text.unwrap_or_default().to_owned()
    };
    errors
        .into_iter()
        .flatten()
        .map(|fault| {
            [
                text(fault, "pointer"),
                text(fault, "code").replace('_', " "),
                text(fault, "detail"),
            ]
        })
        .map(|parts| {
            parts
                .into_iter()
                .filter(|part| !part.is_empty())
                .collect::<Vec<_>>()
                .join(": ")
        })
        .collect()
}

fn read_key(server: &Server) -> anyhow::Result<Zeroizing<String>> {
    let mut text = Zeroizing::new(String::new());
    match &server.key_file {
        Some(path) if path.as_os_str() == "-" => {
            std::io::stdin().take(4096).read_to_string(&mut text)?;
        }
        Some(path) => {
            let file = std::fs::File::open(path).map_err(|error| {
                anyhow::anyhow!("cannot read the key file {}: {error}", path.display())
            })?;
            file.take(4096).read_to_string(&mut text)?;
        }
        None => text.push_str(&std::env::var("WARDLINE_KEY").unwrap_or_default()),
    }
    Ok(Zeroizing::new(text.trim().to_owned()))
}

/// A value as one segment of a path: everything but letters, digits and `-._~` as `%XX` (RFC 3986 §2.3).
#[must_use]
pub(super) fn segment(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            safe.push(char::from(byte));
        } else {
            safe.push_str(&format!("%{byte:02X}"));
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_faults_are_told() {
        let problem = serde_json::json!({"title": "x", "errors": [
            {"pointer": "/from", "code": "invalid_value", "detail": "expected RFC 3339"},
            {"pointer": "", "code": "missing_field", "detail": "name"},
        ]});
        assert_eq!(
            faults(&problem),
            [
                "/from: invalid value: expected RFC 3339",
                "missing field: name"
            ]
        );
        assert!(faults(&Value::Null).is_empty());
    }

    #[test]
    fn segments_are_escaped() {
        assert_eq!(segment("a/b c|ü"), "a%2Fb%20c%7C%C3%BC");
    }
}
