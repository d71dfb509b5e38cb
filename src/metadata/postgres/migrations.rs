//! The schema, brought to what this program knows: at each start, under a lock, in one transaction.
//!
//! Migrations are numbered from 1 and never change once they were released. Each says the oldest schema whose program
//! goes on working with it, so that two versions of the program can run side by side: as long as a migration only adds,
//! that number stays where it is; a program that finds a newer schema goes on if it is not older than that, and refuses to
//! start otherwise. Nothing ever runs backwards.

use crate::metadata::error::{Error, Result};
use crate::metadata::postgres::columns::column;
use crate::metadata::postgres::faults;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Executor, PgConnection};
use std::time::Duration;

/// A step of the schema.
pub struct Migration {
    version: i32,
    about: &'static str,
    /// The oldest version whose program works with this schema.
    works_from: i32,
    sql: &'static [&'static str],
}

/// All steps, in order.
pub const MIGRATIONS: &[Migration] = &[Migration {
    version: 1,
    about: "the first tables",
    works_from: 1,
    sql: &[
        include_str!("migrations/0001_tables.sql"),
        include_str!("migrations/0001_images.sql"),
        include_str!("migrations/0001_replicas.sql"),
        include_str!("migrations/0001_accounts.sql"),
    ],
}];

/// At a start the server may be starting too.
const SERVER_STARTS: Duration = Duration::from_secs(30);

/// Any number that nobody else locks in this database: "holdfast" in ASCII.
const LOCK: &str = "SELECT pg_advisory_xact_lock(x'686f6c6466617374'::bigint)";

const TABLE: &str = "CREATE TABLE holdfast.migrations (
        version integer PRIMARY KEY,
        about text NOT NULL,
        works_from integer NOT NULL,
        applied timestamptz NOT NULL DEFAULT now()
    );
    COMMENT ON TABLE holdfast.migrations IS 'What has been done to this schema';
    COMMENT ON COLUMN holdfast.migrations.works_from IS 'Programs that know this version work with the schema'";

/// Brings the schema to what this program knows.
pub async fn run(server: &PgConnectOptions) -> Result<()> {
    up_to(server, MIGRATIONS).await
}

/// The same, for a program that knows these.
pub async fn up_to(server: &PgConnectOptions, known: &[Migration]) -> Result<()> {
    let pool = PgPoolOptions::new().max_connections(1).acquire_timeout(SERVER_STARTS);
    let pool = pool.connect_lazy_with(server.clone());
    let done = async {
        let mut transaction = pool.begin().await.map_err(faults::told)?;
        migrate(&mut transaction, known).await?;
        transaction.commit().await.map_err(faults::told)
    }
    .await;
    pool.close().await;
    done
}

async fn migrate(connection: &mut PgConnection, known: &[Migration]) -> Result<()> {
    execute(connection, LOCK).await?;
    // Asked for first: a role that may use the schema need not be allowed to make one.
    let exists = "SELECT to_regclass('holdfast.migrations') IS NOT NULL AS stands";
    let exists = sqlx::query(exists).fetch_one(&mut *connection).await.map_err(faults::told)?;
    if !column::<bool>(&exists, "stands")? {
        if !has_schema(connection).await? {
            execute(connection, "CREATE SCHEMA holdfast").await?;
        }
        execute(connection, TABLE).await?;
    }
    let newest = "SELECT version, works_from FROM holdfast.migrations ORDER BY version DESC LIMIT 1";
    let newest = sqlx::query(newest).fetch_optional(&mut *connection).await.map_err(faults::told)?;
    let (found, works_from) = match &newest {
        Some(row) => (column(row, "version")?, column(row, "works_from")?),
        None => (0, 0),
    };
    let knows = known.last().map_or(0, |last| last.version);
    if found > knows {
        if works_from > knows {
            return Err(Error::Newer { found, knows });
        }
        tracing::info!(found, knows, "a newer holdfast has changed the schema; this one works with it");
        return Ok(());
    }
    for migration in known.iter().filter(|migration| migration.version > found) {
        apply(connection, migration).await?;
    }
    Ok(())
}

async fn has_schema(connection: &mut PgConnection) -> Result<bool> {
    let asked = "SELECT to_regnamespace('holdfast') IS NOT NULL AS stands";
    let row = sqlx::query(asked).fetch_one(connection).await.map_err(faults::told)?;
    column(&row, "stands")
}

async fn apply(connection: &mut PgConnection, migration: &Migration) -> Result<()> {
    let Migration { version, about, works_from, sql } = migration;
    for part in *sql {
        execute(connection, part).await?;
    }
    sqlx::query("INSERT INTO holdfast.migrations (version, about, works_from) VALUES ($1, $2, $3)")
        .bind(version)
        .bind(about)
        .bind(works_from)
        .execute(connection)
        .await
        .map_err(faults::told)?;
    tracing::info!(version, about, "the schema in PostgreSQL was changed");
    Ok(())
}

/// One statement or several, without values.
async fn execute(connection: &mut PgConnection, sql: &'static str) -> Result<()> {
    connection.execute(sqlx::raw_sql(sql)).await.map(|_| ()).map_err(faults::told)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::postgres::connections::server;
    use crate::metadata::postgres::database::TERM;
    use crate::metadata::postgres::scratch;
    use sqlx::Row;

    const fn step(version: i32, works_from: i32, sql: &'static [&'static str]) -> Migration {
        Migration { version, about: "made up", works_from, sql }
    }

    #[tokio::test]
    async fn all_who_start_at_once_find_one_schema() {
        let Some(scratch) = scratch::database().await else { return };
        let server = server(&scratch.url).unwrap();
        let runs = futures_util::future::join_all((0..6).map(|_| run(&server))).await;
        assert!(runs.iter().all(Result::is_ok), "{runs:?}");
        let asked = sqlx::query("SELECT count(*) FROM holdfast.migrations");
        let steps: i64 = asked.fetch_one(&mut scratch.connect().await).await.unwrap().get(0);
        assert_eq!(steps, i64::try_from(MIGRATIONS.len()).unwrap());
        let (one, two) = (scratch.open(TERM).await, scratch.open(TERM).await);
        assert_eq!(one.id(), two.id());
        assert_ne!(one.id(), scratch::database().await.unwrap().open(TERM).await.id());
    }

    #[tokio::test]
    async fn steps_run_once_and_never_backwards() {
        let Some(scratch) = scratch::database().await else { return };
        let server = server(&scratch.url).unwrap();
        let first = step(1, 1, &["CREATE TABLE holdfast.a (n integer)"]);
        let adds = step(2, 1, &["ALTER TABLE holdfast.a ADD m integer", "CREATE TABLE holdfast.b ()"]);
        let breaks = step(3, 3, &["ALTER TABLE holdfast.a DROP n"]);
        let (one, two, three) =
            ([first], [step(1, 1, &[]), adds], [step(1, 1, &[]), step(2, 1, &[]), breaks]);
        up_to(&server, &one).await.unwrap();
        up_to(&server, &one).await.unwrap();
        up_to(&server, &two).await.unwrap();
        up_to(&server, &one).await.expect("the old one goes on beside the new one");
        up_to(&server, &three).await.unwrap();
        up_to(&server, &three).await.unwrap();
        for (known, knows) in [(&one[..], 1), (&two[..], 2)] {
            let error = up_to(&server, known).await.unwrap_err();
            assert!(matches!(error, Error::Newer { found: 3, knows: k } if k == knows), "{error}");
        }
    }

    #[tokio::test]
    async fn a_step_that_fails_leaves_nothing() {
        let Some(scratch) = scratch::database().await else { return };
        let server = server(&scratch.url).unwrap();
        let torn = step(1, 1, &["CREATE TABLE holdfast.a (n integer)", "SELECT no_such_function()"]);
        assert!(up_to(&server, &[torn]).await.is_err());
        run(&server).await.unwrap();
        let asked = sqlx::query("SELECT to_regclass('holdfast.a') IS NULL");
        assert!(asked.fetch_one(&mut scratch.connect().await).await.unwrap().get::<bool, _>(0));
    }
}
