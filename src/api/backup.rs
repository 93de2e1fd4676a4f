//! `GET /api/v1/backup`: the log and the state as one tar file, while the server runs.

use std::io::{BufWriter, Write};
use std::time::Duration;

use axum::extract::State as With;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};

use super::auth::Authorized;
use super::error::Error;
use super::rate::Policy;
use super::routes::{Audit, RouteSpec, Routes};
use super::stream::{self, Pipe};
use super::{Shared, State};
use crate::backup::{self, Manifest, Source};

static BACKUP: RouteSpec = RouteSpec::get("/api/v1/backup", "backup")
    .summary(
        "The log and the state as one tar file. Key files and the configuration are not in it.",
    )
    .rate(Policy::Write)
    .audit(Audit::Write)
    .gives_raw("application/x-tar");

pub(super) fn register(routes: &mut Routes) {
    routes.add(&BACKUP, answer);
}

/// Bytes of one piece of the answer.
const PIECE_BYTES: usize = 256 << 10;
/// How long a backup may go on once the server drains.
const GRACE: Duration = Duration::from_secs(5);

fn write(state: &State, pipe: Pipe) -> Result<Manifest, backup::Error> {
    let source = Source {
        data_dir: &state.data_dir,
        store: &state.store,
        wal: &state.wal,
        now: state.clock.now(),
    };
    let mut out = BufWriter::with_capacity(PIECE_BYTES, pipe);
    let manifest = backup::create(&source, &mut out)?;
    let sent = out.flush();
    sent.map_err(|error| backup::Error::File("answer".to_owned(), error))?;
    out.get_ref().finish();
    Ok(manifest)
}

async fn answer(With(state): With<Shared>, _caller: Authorized) -> Result<Response, Error> {
    let slot = state.backups.clone().try_acquire_owned();
    let slot = slot.map_err(|_full| Error::Busy { retry_after_s: 60 })?;
    let (writer, body) = stream::body(state.tasks.draining(), GRACE);
    let (pipe, writing) = (Pipe::new(writer), state.clone());
    state.tasks.spawn_one("backup", async move {
        let _slot = slot;
        let tasks = writing.tasks.clone();
        match tasks.blocking(move || write(&writing, pipe)).await {
            Some(Ok(made)) => {
                tracing::info!(
                    events = made.events(),
                    bytes = made.bytes(),
                    "backup written"
                );
            }
            Some(Err(error)) => tracing::warn!(%error, "a backup was cut short"),
            None => {}
        }
    });
    let mut headers = HeaderMap::new();
    let media_type = HeaderValue::from_static("application/x-tar");
    let name = HeaderValue::from_static("attachment; filename=\"wardline-backup.tar\"");
    headers.insert(header::CONTENT_TYPE, media_type);
    headers.insert(header::CONTENT_DISPOSITION, name);
    Ok((headers, body).into_response())
}
