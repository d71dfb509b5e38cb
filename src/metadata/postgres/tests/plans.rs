//! No question of a request walks a table, however many images there are.

use crate::metadata::accounts::Accounts;
use crate::metadata::audit::Audit;
use crate::metadata::blobs::Blobs;
use crate::metadata::contract::{digest_of, manifest, repo, tag};
use crate::metadata::intents::{Begun, IntentId, Intents};
use crate::metadata::manifests::{Manifests, Put};
use crate::metadata::postgres::database::{Database, TERM};
use crate::metadata::postgres::scratch::{self, Scratch};
use crate::metadata::postgres::tests::replicas::intent;
use crate::metadata::postgres::{accounts, audit, blobs, manifests, paper, uploads};
use crate::metadata::uploads::{Progress, Uploads};
use crate::metadata::uploads_contract::upload;
use crate::oci::page::Page;
use crate::oci::reference::Reference;
use crate::record::{Record, Shelf};
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Executor, Row};

/// 2000 repositories with 100 manifests, tags and blobs each, and other things in proportion.
const FILL: &str = "
    INSERT INTO holdfast.repositories (name) SELECT 'team/app' || n FROM generate_series(1, 2000) AS n;
    INSERT INTO holdfast.manifests (repository_id, digest, kind, size, pushed, subject)
        SELECT 1 + n / 100, sha256(n::text::bytea), 'oci-image', 500, n,
            CASE WHEN n % 10 = 0 THEN sha256('subject'::bytea) END FROM generate_series(0, 199999) AS n;
    INSERT INTO holdfast.holds (repository_id, digest, size)
        SELECT 1 + n / 100, sha256((n / 3)::text::bytea), 500 FROM generate_series(0, 199999) AS n
        ON CONFLICT DO NOTHING;
    INSERT INTO holdfast.tags (repository_id, name, digest, pushed)
        SELECT repository_id, 'v' || pushed % 100, digest, pushed FROM holdfast.manifests;
    INSERT INTO holdfast.uploads (id, repository, algorithm, taken, touched, owner)
        SELECT gen_random_uuid(), 'team/app1', 'sha256', 0, n, '' FROM generate_series(1, 9000) AS n;
    INSERT INTO holdfast.records (shelf, name, version, document)
        SELECT 'tokens', 'token' || n, 1, '{}' FROM generate_series(1, 30000) AS n;
    INSERT INTO holdfast.token_uses (name, used) SELECT name, 1 FROM holdfast.records;
    INSERT INTO holdfast.events (unix_millis, event) SELECT n, '{}' FROM generate_series(1, 50000) AS n;
    INSERT INTO holdfast.record_changes (number, shelf, name, process)
        SELECT n, 'tokens', 'token' || n, gen_random_uuid() FROM generate_series(1, 10000) AS n;
    UPDATE holdfast.registry SET last_change = 10000;
    ANALYZE;";

/// The plan of a statement with these values.
async fn plan(connection: &mut PgConnection, sql: &str, values: &str) -> String {
    let prepare = format!("DEALLOCATE ALL; PREPARE asked AS {sql}");
    connection.execute(AssertSqlSafe(prepare)).await.unwrap();
    let explain = sqlx::raw_sql(AssertSqlSafe(format!("EXPLAIN EXECUTE asked ({values})")));
    let rows = explain.fetch_all(connection).await.unwrap();
    rows.iter().map(|row| row.get::<String, _>(0) + "\n").collect()
}

#[tokio::test]
async fn no_question_walks_a_table() {
    let Some(scratch) = scratch::database().await else { return };
    let database = scratch.open(TERM).await;
    scratch.run(FILL).await;
    no_read_is_planned_to_walk(&scratch).await;
    no_method_walks(&scratch, &database).await;
}

async fn no_read_is_planned_to_walk(scratch: &Scratch) {
    let mut connection = scratch.connect().await;
    let digest = "sha256('77'::bytea)";
    let asked = [
        (manifests::BY_TAG, "'team/app7', 'v7'".to_owned()),
        (manifests::BY_DIGEST, format!("'team/app7', {digest}")),
        (manifests::BODY, format!("'team/app7', {digest}")),
        (manifests::TAGS, "'team/app7', 'v5', 101".to_owned()),
        (
            manifests::REFERRERS,
            format!("'team/app7', sha256('subject'::bytea), {digest}, '', 'text/a', 1001"),
        ),
        (manifests::REPOSITORIES, "'team/app5', 101".to_owned()),
        (blobs::SIZE, format!("'team/app7', {digest}")),
        (blobs::ABSENT, format!("'team/app7', ARRAY[{digest}, {digest}], ARRAY[{digest}]")),
        (blobs::HOLDERS, format!("{digest}, '', 64")),
        (uploads::FIND, "gen_random_uuid(), 'team/app1'".to_owned()),
        (uploads::STALE, "100, 100".to_owned()),
        (accounts::FIND, "'tokens', 'token7'".to_owned()),
        (accounts::LIST, "'tokens', 'token5', 100, 4194304".to_owned()),
        (accounts::LAST_USED, "'token7'".to_owned()),
        (audit::NEWEST, "1000, 100".to_owned()),
        (paper::NEXT, "9990, 1000".to_owned()),
    ];
    for mode in ["force_custom_plan", "force_generic_plan"] {
        connection.execute(AssertSqlSafe(format!("SET plan_cache_mode = {mode}"))).await.unwrap();
        for (sql, values) in &asked {
            let plan = plan(&mut connection, sql, values).await;
            // The table of one row is read as it is.
            let walks = plan.lines().any(|line| line.contains("Seq Scan") && !line.contains("on registry"));
            assert!(!walks, "{mode}\n{sql}\n{plan}");
        }
    }
}

/// Every method, so that functions are looked at as they run.
async fn ask_everything(database: &Database) {
    let (app, id) = (repo("team/app7"), IntentId::random());
    let page = Page { entries_max: 50, last: None };
    assert_eq!(Intents::begin(database, id, &intent("+b:x")).await.unwrap(), Begun::Stands);
    database.link(&app, &digest_of("x"), 1, None).await.unwrap();
    database.end(id).await.unwrap();
    let mut new = manifest("m", &["1", "2", "v7"]);
    new.blobs = vec![digest_of("x")];
    new.children = vec![digest_of("600")]; // of the 7th repository, as `FILL` made it
    assert_eq!(database.put(&app, new, true, None).await.unwrap(), Put::Recorded);
    assert_eq!(Intents::begin(database, id, &intent("-m:m")).await.unwrap(), Begun::Stands);
    assert!(database.resolve(&app, &Reference::Tag(tag("v7"))).await.unwrap().is_some());
    assert_eq!(database.tags(&app, &page).await.unwrap().unwrap().entries.len(), 50);
    assert!(database.repositories(&page).await.unwrap().more);
    assert!(database.untag(&app, &tag("2"), None).await.unwrap());
    let forgotten = Manifests::forget(database, &app, &digest_of("m"), None).await.unwrap();
    assert_eq!(forgotten.unwrap(), [tag("1"), tag("v7")]);
    assert!(database.unlink(&app, &digest_of("x"), None).await.unwrap());
    let upload = upload("team/app7", 7);
    Uploads::open(database, &upload, 100_000).await.unwrap();
    let to = Progress { offset: 5, checkpoint: None, touched: 8 };
    assert!(database.extend(&upload, to).await.unwrap());
    assert!(database.close(upload.id).await.unwrap());
    assert_eq!(Accounts::begin(database, Shelf::Tokens, "new").await.unwrap(), Begun::Stands);
    let record = Record { version: 1, json: "{}".into() };
    database.keep(Shelf::Tokens, "new", record).await.unwrap();
    database.used(&[("new".into(), 7), ("token9".into(), 8)]).await.unwrap();
    Accounts::forget(database, Shelf::Tokens, "new").await.unwrap();
    assert_eq!(Intents::pending(database, 10).await.unwrap(), []);
    database.append(vec![(7, "{}".into())]).await.unwrap();
    assert!(!database.trim(500, 200_000).await.unwrap());
}

async fn no_method_walks(scratch: &Scratch, database: &Database) {
    // Backends tell what they have scanned when they end.
    scratch
        .run(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
        WHERE datname = current_database() AND pid <> pg_backend_pid()",
        )
        .await;
    let before = walks(scratch).await;
    for _ in 0..8 {
        ask_everything(database).await; // often enough for plans without values
    }
    database.connections.lending().close(4).await;
    assert_eq!(walks(scratch).await, before, "tables, how often they were walked");
}

/// The large tables, and how often each was walked.
async fn walks(scratch: &Scratch) -> Vec<(String, i64)> {
    let mut connection = scratch.connect().await;
    let others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
        AND backend_type = 'client backend' AND pid <> pg_backend_pid() AND query NOT LIKE '%holdfast.beat%'";
    while sqlx::query(others).fetch_one(&mut connection).await.unwrap().get::<i64, _>(0) > 0 {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let asked =
        "SELECT relname::text, seq_scan FROM pg_stat_user_tables WHERE n_live_tup > 1000 ORDER BY relname";
    let rows = sqlx::query(asked).fetch_all(&mut connection).await.unwrap();
    assert!(rows.len() >= 8, "{} tables are large", rows.len());
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}
