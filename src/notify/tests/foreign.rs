//! Foreign judges: the PyPI and npm libraries `standardwebhooks` verify what we send. They are installed, pinned,
//! under `target/`. Where that is impossible (no network) the test says so and passes, except in CI.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{Answer, Bench, Receiver, options};
use crate::clock::Clock;

fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/standardwebhooks")
}

fn installed(name: &str) -> PathBuf {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/clients/standardwebhooks");
    std::fs::create_dir_all(&dir).unwrap();
    dir.join(name)
}

/// Runs a command quietly; the reason where it fails.
fn run(command: &mut Command) -> Result<(), String> {
    let output = command
        .output()
        .map_err(|error| format!("{command:?}: {error}"))?;
    let text = String::from_utf8_lossy(&output.stderr);
    if output.status.success() {
        Ok(())
    } else {
        Err(format!("{command:?}: {text}"))
    }
}

fn install_python() -> Result<Command, String> {
    let venv = installed("venv");
    let is_done = venv.join("installed");
    if !is_done.exists() {
        run(Command::new("python3").args(["-m", "venv"]).arg(&venv))?;
        let mut pip = Command::new(venv.join("bin/pip"));
        pip.args(["install", "--quiet", "--require-hashes", "-r"]);
        run(pip.arg(scripts().join("requirements.txt")))?;
        std::fs::write(&is_done, "").unwrap();
    }
    let mut judge = Command::new(venv.join("bin/python"));
    judge.arg(scripts().join("verify.py"));
    Ok(judge)
}

fn install_node() -> Result<Command, String> {
    let dir = installed("node");
    let is_done = dir.join("installed");
    if !is_done.exists() {
        std::fs::create_dir_all(&dir).unwrap();
        for name in ["package.json", "package-lock.json"] {
            std::fs::copy(scripts().join(name), dir.join(name)).unwrap();
        }
        let mut npm = Command::new("npm");
        run(npm
            .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"])
            .current_dir(&dir))?;
        std::fs::write(&is_done, "").unwrap();
    }
    let mut judge = Command::new("node");
    judge.arg(scripts().join("verify.mjs")).arg(&dir);
    Ok(judge)
}

/// A real delivery, signed with two secrets, and what becomes of it in a forger's hands.
async fn messages() -> Vec<String> {
    let receiver = Receiver::start(&[Answer::Status(200)]);
    // The judges read the system's clock, so the delivery happens now.
    let now = Clock::manual(Clock::System.now());
    let bench = Bench::in_dir(tempfile::tempdir().unwrap(), options(), now);
    let (endpoint, old) = bench.endpoint(&receiver.url());
    let new = bench
        .store
        .rotate_endpoint_secret(&endpoint.id, false)
        .unwrap();
    let other = bench.endpoint("http://127.0.0.1:1/").1;
    bench.notifier.start();
    bench.alert(0);
    bench.until_attempts(&endpoint, 1).await;
    bench.stop().await;

    let got = receiver.received().remove(0);
    let mut changed = got.body.clone();
    *changed.last_mut().unwrap() = b' ';
    let mut stale = got.headers.clone();
    let sent: i64 = stale["webhook-timestamp"].parse().unwrap();
    stale.insert("webhook-timestamp".into(), (sent - 301).to_string());
    let mut renamed = got.headers.clone();
    renamed.insert("webhook-id".into(), "msg_another".into());
    let case = |name: &str, secret: &crate::store::Secret, headers, body: &[u8], genuine: bool| {
        serde_json::json!({
            "name": name,
            "secret": secret.reveal().as_str(),
            "headers": headers,
            "body": STANDARD.encode(body),
            "genuine": genuine,
        })
        .to_string()
    };
    vec![
        case("with the new secret", &new, &got.headers, &got.body, true),
        case("with the old secret", &old, &got.headers, &got.body, true),
        case(
            "with another secret",
            &other,
            &got.headers,
            &got.body,
            false,
        ),
        case("body changed", &new, &got.headers, &changed, false),
        case("time changed", &new, &stale, &got.body, false),
        case("id changed", &new, &renamed, &got.body, false),
    ]
}

async fn judged_by(name: &str, install: fn() -> Result<Command, String>) {
    let mut judge = match install() {
        Ok(judge) => judge,
        Err(reason) if std::env::var_os("CI").is_none() => {
            eprintln!("SKIPPED: the {name} library standardwebhooks cannot be installed: {reason}");
            return;
        }
        Err(reason) => panic!("the {name} library standardwebhooks cannot be installed: {reason}"),
    };
    let messages = messages().await;
    let mut child = judge
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(messages.join("\n").as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{name} disagrees: {text}");
    assert_eq!(text.lines().count(), messages.len(), "{text}");
    println!("{name}: {text}");
}

#[tokio::test]
async fn the_python_library_accepts_what_we_send_and_refuses_what_is_forged() {
    judged_by("PyPI", install_python).await;
}

#[tokio::test]
async fn the_javascript_library_accepts_what_we_send_and_refuses_what_is_forged() {
    judged_by("npm", install_node).await;
}
