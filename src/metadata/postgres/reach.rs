//! Whether the server can be used, without changing anything in it: for whoever checks a configuration.

use crate::metadata::error::Result;
use crate::metadata::postgres::columns::column;
use crate::metadata::postgres::config::Config;
use crate::metadata::postgres::connections::server;
use crate::metadata::postgres::faults;
use sqlx::postgres::PgPoolOptions;
use std::time::Duration;

/// How long a server may take that is there.
const WITHIN: Duration = Duration::from_secs(10);

/// Connects, and tells the server's version and that of the schema; `None`: there is no schema yet.
pub async fn reach(config: &Config) -> Result<(String, Option<i32>)> {
    let pool = PgPoolOptions::new().max_connections(1).acquire_timeout(WITHIN);
    let pool = pool.connect_lazy_with(server(config.url.expose())?);
    let asked = async {
        let told = "SELECT current_setting('server_version') AS version, \
                    to_regclass('holdfast.migrations') IS NOT NULL AS stands";
        let row = sqlx::query(told).fetch_one(&pool).await.map_err(faults::told)?;
        let version = column::<String>(&row, "version")?;
        if !column::<bool>(&row, "stands")? {
            return Ok((version, None));
        }
        let newest = "SELECT coalesce(max(version), 0) AS newest FROM holdfast.migrations";
        let row = sqlx::query(newest).fetch_one(&pool).await.map_err(faults::told)?;
        Ok((version, Some(column::<i32>(&row, "newest")?)))
    }
    .await;
    pool.close().await;
    asked
}
