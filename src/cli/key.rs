//! `wardline key`: API keys, in a data directory or over the API.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::client::{Client, segment};
use super::{Exit, Output, Server, output};
use crate::api::key as format;
use crate::clock::Clock;
use crate::files::keys;
use crate::redact::{KeyError, TagKey};
use crate::store::{self, ApiKey, Letter, Scope};

/// Makes, lists and revokes API keys. Example: wardline key create --data-dir data --scope ingest --name edge -o raw
#[derive(Debug, Subcommand)]
pub(super) enum Key {
    /// Makes a key; it is shown once.
    Create(Create),
    /// Lists keys, without their secrets.
    List(List),
    /// Replaces a key's secret; it is shown once.
    Rotate(One),
    /// Makes a key useless at once.
    Revoke(One),
    /// Gives a data directory a new key of redaction tags; those before it still find what was tagged with them.
    RotateTag(RotateTag),
    /// Puts a new key before those that encrypt the log, or makes their file. Example: wardline key rotate-log /etc/wardline/log.key
    RotateLog(RotateLog),
}

/// What the key may do and for how long.
#[derive(Debug, Args)]
pub(super) struct Create {
    /// Data directory; works before the first start and beside a running server. Without it the API is asked.
    #[arg(long)]
    data_dir: Option<PathBuf>,
    /// ingest, search, alerts or admin; several with commas.
    #[arg(long, value_delimiter = ',', required = true)]
    scope: Vec<String>,
    /// What people call it.
    #[arg(long)]
    name: String,
    /// Days until it expires.
    #[arg(long, default_value_t = 90)]
    expires_in_days: u32,
    /// Form of the output; raw prints the key alone.
    #[arg(short, long, value_enum)]
    output: Option<Output>,
    #[command(flatten)]
    server: Server,
}

/// How to list.
#[derive(Debug, Args)]
pub(super) struct List {
    /// Form of the output.
    #[arg(short, long, value_enum)]
    output: Option<Output>,
    #[command(flatten)]
    server: Server,
}

/// Whose tags.
#[derive(Debug, Args)]
pub(super) struct RotateTag {
    /// Data directory.
    #[arg(long)]
    data_dir: PathBuf,
    /// Form of the output; raw prints the id of the new key alone.
    #[arg(short, long, value_enum)]
    output: Option<Output>,
}

/// Whose log.
#[derive(Debug, Args)]
pub(super) struct RotateLog {
    /// The file that `wal.encryption_key_file` names.
    file: PathBuf,
}

/// Which key.
#[derive(Debug, Args)]
pub(super) struct One {
    /// Id of the key: the part between the first two underscores.
    id: String,
    #[command(flatten)]
    server: Server,
}

pub(super) async fn run(key: Key) -> anyhow::Result<Exit> {
    match key {
        Key::Create(create) => match create.data_dir.clone() {
            Some(dir) => create_local(&create, &dir),
            None => create_remote(create).await,
        },
        Key::List(list) => list_keys(list).await,
        Key::Rotate(one) => {
            let client = Client::new(&one.server)?;
            let answer = client
                .post(
                    &format!("/api/v1/keys/{}/rotate", segment(&one.id)),
                    &json!({}),
                )
                .await?;
            answer.map_or_else(Ok, |made| show(&made, None))
        }
        Key::RotateTag(rotate) => rotate_tag(&rotate),
        Key::RotateLog(rotate) => rotate_log(&rotate.file),
        Key::Revoke(one) => {
            let client = Client::new(&one.server)?;
            Ok(client
                .delete(&format!("/api/v1/keys/{}", segment(&one.id)))
                .await?
                .map_or_else(|exit| exit, |_| Exit::Ok))
        }
    }
}

fn scopes(names: &[String]) -> Result<Vec<Scope>, String> {
    names
        .iter()
        .map(|name| {
            serde_json::from_value(Value::String(name.clone()))
                .map_err(|_| format!("there is no scope '{name}': ingest, search, alerts or admin"))
        })
        .collect()
}

fn create_local(create: &Create, dir: &std::path::Path) -> anyhow::Result<Exit> {
    let scopes = match scopes(&create.scope) {
        Ok(scopes) => scopes,
        Err(why) => {
            output::tell(&format!("error: {why}"));
            return Ok(Exit::Usage);
        }
    };
    if !format::is_name(&create.name) {
        output::tell(&format!("error: --name: {}", format::NAME_EXPECTED));
        return Ok(Exit::Usage);
    }
    let clock = Clock::System;
    let new = format::NewKey {
        name: &create.name,
        scopes: &scopes,
        created_by: "command line",
        now: clock.now(),
        days: create.expires_in_days.clamp(1, 365),
    };
    let (made, record) = format::mint(&new)?;
    store::leave(
        &crate::app::store_dir(dir),
        &Letter::AddKey(record.clone()),
        &clock,
    )?;
    let shown = describe(&record, made.expose());
    show(&shown, create.output)
}

fn describe(record: &ApiKey, key: &str) -> Value {
    json!({
        "id": record.id, "name": record.name, "scopes": record.scopes,
        "expires_at": record.expires_at.map(crate::model::Timestamp::to_rfc3339), "key": key,
    })
}

async fn create_remote(create: Create) -> anyhow::Result<Exit> {
    let client = Client::new(&create.server)?;
    let body = json!({"name": create.name, "scopes": create.scope, "expires_in_days": create.expires_in_days});
    client
        .post("/api/v1/keys", &body)
        .await?
        .map_or_else(Ok, |made| show(&made, create.output))
}

fn show(made: &Value, chosen: Option<Output>) -> anyhow::Result<Exit> {
    match Output::or_default(chosen) {
        Output::Raw => {
            let key = made.get("key").and_then(Value::as_str).unwrap_or_default();
            output::emit(&format!("{key}\n"))?;
        }
        other => output::rows(
            std::slice::from_ref(made),
            &["id", "name", "scopes", "expires_at", "key"],
            other,
        )?,
    }
    Ok(Exit::Ok)
}

fn rotate_tag(rotate: &RotateTag) -> anyhow::Result<Exit> {
    let path = rotate.data_dir.join("tag.key");
    let key = match TagKey::rotate(&path) {
        Ok(key) => key,
        Err(error @ (KeyError::Exposed { .. } | KeyError::Malformed)) => {
            output::tell(&format!("error: {}: {error}", path.display()));
            return Ok(Exit::Invalid);
        }
        Err(error) => anyhow::bail!("{}: {error}", path.display()),
    };
    let before: Vec<&str> = key.ids_before().collect();
    match Output::or_default(rotate.output) {
        Output::Raw => output::emit(&format!("{}\n", key.id()))?,
        form => {
            let row = json!({"id": key.id(), "before": before});
            output::rows(&[row], &["id", "before"], form)?;
        }
    }
    output::tell(
        "a running server tags with the key before until it is restarted; back tag.key up",
    );
    Ok(Exit::Ok)
}

fn rotate_log(path: &std::path::Path) -> anyhow::Result<Exit> {
    let name = path.file_name().and_then(|name| name.to_str());
    if name.is_some_and(|name| matches!(name, "tag.key" | "secret.key" | "receipt.key")) {
        output::tell(
            "error: this is the key of something else; give the log's keys a file of their own",
        );
        return Ok(Exit::Usage);
    }
    let is_new = !path.exists();
    let keys = match is_new {
        true => keys::read_or_create(path),
        false => keys::rotate(path, keys::Oldest::Stays),
    };
    match keys {
        Ok(keys) => {
            let count = keys.len() / keys::KEY_BYTES;
            output::document(&json!({"file": path, "keys": count}))?;
            output::tell(
                "a running server seals with the key before until it is restarted; without this file the log cannot be read: back it up, apart from the data",
            );
            Ok(Exit::Ok)
        }
        Err(error @ (KeyError::Exposed { .. } | KeyError::Malformed | KeyError::Full)) => {
            output::tell(&format!("error: {}: {error}", path.display()));
            Ok(Exit::Invalid)
        }
        Err(error) => anyhow::bail!("{}: {error}", path.display()),
    }
}

async fn list_keys(list: List) -> anyhow::Result<Exit> {
    let client = Client::new(&list.server)?;
    let page = match client.get("/api/v1/keys").await? {
        Ok(page) => page,
        Err(exit) => return Ok(exit),
    };
    let rows = page
        .get("data")
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    let columns = [
        "id",
        "name",
        "scopes",
        "created_at",
        "expires_at",
        "revoked_at",
        "last_used_at",
    ];
    output::rows(&rows, &columns, Output::or_default(list.output))?;
    Ok(Exit::Ok)
}
