//! What the server, or the way to it, has to say instead of an answer: by the SQLSTATE, never by words.

use crate::metadata::error::Error;
use sqlx::postgres::{PgDatabaseError, PgSeverity};
use std::io;

/// What may be tried again at once: the server has undone the statement, because another one was in its way, or because
/// it ended the connection.
const UNDONE: [&str; 5] = ["40001", "40P01", "57P01", "57P02", "57P05"];

/// The server does not answer now: it starts or stops, is overloaded or a standby, or the statement took too long.
const NOT_NOW: [&str; 10] =
    ["57014", "57P03", "55P03", "53000", "53200", "53300", "53400", "25006", "25P03", "25P04"];

const DISK_FULL: &str = "53100";

/// What `holdfast.demand_intent` raises.
const OVERTAKEN: &str = "HF001";

fn state(error: &sqlx::Error) -> Option<String> {
    Some(error.as_database_error()?.code()?.into_owned())
}

/// Whether the statement certainly has changed nothing, and another try may succeed.
pub fn is_undone(error: &sqlx::Error) -> bool {
    state(error).is_some_and(|state| UNDONE.contains(&state.as_str()))
}

/// Whether the connection broke. A statement that changes something may have done so all the same.
pub fn is_cut(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::Io(error) if error.kind() != io::ErrorKind::TimedOut)
}

/// Whether the connection is gone, and others may be with it: it broke, is silent, or the server has ended it.
pub fn is_broken(error: &sqlx::Error) -> bool {
    let by_server =
        |error: &PgDatabaseError| matches!(error.severity(), PgSeverity::Fatal | PgSeverity::Panic);
    let database = error.as_database_error().and_then(|error| error.try_downcast_ref::<PgDatabaseError>());
    matches!(error, sqlx::Error::Io(_)) || database.is_some_and(by_server)
}

/// In the words of metadata.
#[allow(clippy::needless_pass_by_value)] // handed to `map_err`
pub fn told(error: sqlx::Error) -> Error {
    match &error {
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => Error::Unreachable(error.to_string()),
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => Error::Damaged(error.to_string()),
        sqlx::Error::Database(_) => match state(&error).as_deref() {
            Some(DISK_FULL) => Error::Full,
            Some(OVERTAKEN) => Error::Overtaken,
            Some(state) if UNDONE.contains(&state) || NOT_NOW.contains(&state) || state.starts_with("08") => {
                Error::Unreachable(error.to_string())
            }
            state => Error::Fault(format!("{error} (SQLSTATE {})", state.unwrap_or("unknown"))),
        },
        _ => Error::Fault(error.to_string()),
    }
}
