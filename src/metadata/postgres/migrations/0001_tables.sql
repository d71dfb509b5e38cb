-- The tables. Times are seconds since the Unix epoch unless a comment says otherwise; names sort byte by byte.
-- Digests are the bytes of the hash: 32 are SHA-256, 64 are SHA-512. To read one: 'sha256:' || encode(digest, 'hex').

CREATE TABLE holdfast.registry (
    singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    complete boolean NOT NULL DEFAULT false,
    last_change bigint NOT NULL DEFAULT 0,
    changes_trimmed bigint NOT NULL DEFAULT 0
);
INSERT INTO holdfast.registry DEFAULT VALUES;
COMMENT ON TABLE holdfast.registry IS 'One row: what is true of all of it';
COMMENT ON COLUMN holdfast.registry.id IS 'Tells this database from others; the storage remembers which one belongs to it';
COMMENT ON COLUMN holdfast.registry.complete IS 'It was made from the whole of storage, or from nothing';
COMMENT ON COLUMN holdfast.registry.last_change IS 'Number of the newest row that record_changes ever had';
COMMENT ON COLUMN holdfast.registry.changes_trimmed IS 'Rows of record_changes up to this number are gone';

-- Images

CREATE TABLE holdfast.repositories (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text COLLATE "C" NOT NULL UNIQUE
);
COMMENT ON TABLE holdfast.repositories IS 'Names of repositories. One that holds nothing does not exist for clients';

CREATE TABLE holdfast.holds (
    repository_id bigint NOT NULL REFERENCES holdfast.repositories (id),
    digest bytea NOT NULL CHECK (octet_length(digest) IN (32, 64)),
    size bigint NOT NULL,
    PRIMARY KEY (repository_id, digest)
);
CREATE INDEX holds_by_digest ON holdfast.holds (digest, repository_id);
COMMENT ON TABLE holdfast.holds IS 'Which repository holds which blob';
COMMENT ON COLUMN holdfast.holds.size IS 'Bytes of the blob';

CREATE TABLE holdfast.manifests (
    repository_id bigint NOT NULL REFERENCES holdfast.repositories (id),
    digest bytea NOT NULL CHECK (octet_length(digest) IN (32, 64)),
    kind text NOT NULL,
    size bigint NOT NULL,
    pushed bigint NOT NULL,
    subject bytea CHECK (octet_length(subject) IN (32, 64)),
    artifact_type text COLLATE "C",
    descriptor text,
    body bytea,
    PRIMARY KEY (repository_id, digest)
);
CREATE INDEX manifests_by_subject ON holdfast.manifests (repository_id, subject, octet_length(digest), digest)
    WHERE subject IS NOT NULL;
COMMENT ON TABLE holdfast.manifests IS 'Manifests by repository';
COMMENT ON COLUMN holdfast.manifests.kind IS 'oci-image, oci-index, docker-image or docker-list';
COMMENT ON COLUMN holdfast.manifests.size IS 'Bytes of the manifest';
COMMENT ON COLUMN holdfast.manifests.pushed IS 'When it was pushed last';
COMMENT ON COLUMN holdfast.manifests.subject IS 'The manifest that it refers to; it need not be there';
COMMENT ON COLUMN holdfast.manifests.artifact_type IS 'As which it is listed among the referrers of its subject';
COMMENT ON COLUMN holdfast.manifests.descriptor IS 'How it is listed there, in JSON; NULL where that is too long, and made again from the manifest';
COMMENT ON COLUMN holdfast.manifests.body IS 'The manifest itself; NULL where it is large and read from storage';

CREATE TABLE holdfast.tags (
    repository_id bigint NOT NULL REFERENCES holdfast.repositories (id),
    name text COLLATE "C" NOT NULL,
    digest bytea NOT NULL,
    pushed bigint NOT NULL,
    PRIMARY KEY (repository_id, name),
    FOREIGN KEY (repository_id, digest) REFERENCES holdfast.manifests (repository_id, digest)
);
CREATE INDEX tags_by_digest ON holdfast.tags (repository_id, digest);
COMMENT ON TABLE holdfast.tags IS 'Which manifest a tag means';
COMMENT ON COLUMN holdfast.tags.pushed IS 'When the tag was pushed last';

CREATE VIEW holdfast.images AS
    SELECT repositories.name AS repository, tags.name AS tag, manifests.kind, manifests.size AS manifest_bytes,
        CASE octet_length(manifests.digest) WHEN 32 THEN 'sha256:' ELSE 'sha512:' END
            || encode(manifests.digest, 'hex') AS digest,
        to_timestamp(tags.pushed) AS pushed
    FROM holdfast.tags
    JOIN holdfast.repositories ON repositories.id = tags.repository_id
    JOIN holdfast.manifests ON manifests.repository_id = tags.repository_id AND manifests.digest = tags.digest;
COMMENT ON VIEW holdfast.images IS 'Tags with what they mean, to be read by people';

CREATE TABLE holdfast.uploads (
    id uuid PRIMARY KEY,
    repository text COLLATE "C" NOT NULL,
    algorithm text NOT NULL,
    taken bigint NOT NULL,
    checkpoint uuid,
    touched bigint NOT NULL,
    owner text NOT NULL
);
CREATE INDEX uploads_by_touched ON holdfast.uploads (touched);
COMMENT ON TABLE holdfast.uploads IS 'Open uploads';
COMMENT ON COLUMN holdfast.uploads.taken IS 'Bytes that were taken';
COMMENT ON COLUMN holdfast.uploads.checkpoint IS 'Names what storage keeps of it';
COMMENT ON COLUMN holdfast.uploads.touched IS 'When it was last written';

-- Replicas, and what each has under its hands

CREATE TABLE holdfast.replicas (
    id uuid PRIMARY KEY,
    address text,
    started timestamptz NOT NULL DEFAULT now(),
    lease_ends timestamptz NOT NULL
);
COMMENT ON TABLE holdfast.replicas IS 'Running processes; a row goes when others have taken over what its process left';
COMMENT ON COLUMN holdfast.replicas.lease_ends IS 'Unless it is renewed until then, others may take the process for dead';

CREATE TABLE holdfast.intents (
    id uuid PRIMARY KEY,
    repository_id bigint NOT NULL REFERENCES holdfast.repositories (id),
    replica uuid NOT NULL REFERENCES holdfast.replicas (id),
    adopted boolean NOT NULL DEFAULT false,
    removing boolean NOT NULL,
    blobs bytea[] NOT NULL,
    manifests bytea[] NOT NULL,
    tags text[] COLLATE "C" NOT NULL,
    tags_of_manifests text[] COLLATE "C" NOT NULL DEFAULT '{}',
    begun timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX intents_by_repository ON holdfast.intents (repository_id);
CREATE INDEX intents_by_replica ON holdfast.intents (replica);
COMMENT ON TABLE holdfast.intents IS 'Names in storage that are about to change, and so in the way of other replicas';
COMMENT ON COLUMN holdfast.intents.adopted IS 'The replica has not begun it: it settles what another one left';
COMMENT ON COLUMN holdfast.intents.tags_of_manifests IS 'Tags that meant the manifests which are being removed';

CREATE TABLE holdfast.leases (
    work text COLLATE "C" PRIMARY KEY,
    holder uuid NOT NULL,
    ends timestamptz NOT NULL
);
COMMENT ON TABLE holdfast.leases IS 'Work that one process at a time does for all';

-- Accounts

CREATE TABLE holdfast.records (
    shelf text COLLATE "C" NOT NULL,
    name text COLLATE "C" NOT NULL,
    version numeric(20) NOT NULL,
    document bytea NOT NULL,
    PRIMARY KEY (shelf, name)
);
COMMENT ON TABLE holdfast.records IS 'Users, groups, service accounts, tokens (hashed) and grants, as storage holds them';
COMMENT ON COLUMN holdfast.records.document IS 'JSON; to read it: convert_from(document, ''UTF8'')';

CREATE TABLE holdfast.record_intents (
    shelf text COLLATE "C" NOT NULL,
    name text COLLATE "C" NOT NULL,
    replica uuid NOT NULL REFERENCES holdfast.replicas (id),
    adopted boolean NOT NULL DEFAULT false,
    begun timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (shelf, name)
);
CREATE INDEX record_intents_by_replica ON holdfast.record_intents (replica);
COMMENT ON TABLE holdfast.record_intents IS 'Records that are about to change in storage, one replica at a time';
COMMENT ON COLUMN holdfast.record_intents.adopted IS 'The replica has not begun it: it settles what another one left';

CREATE TABLE holdfast.record_changes (
    number bigint PRIMARY KEY,
    shelf text COLLATE "C" NOT NULL,
    name text COLLATE "C" NOT NULL,
    process uuid NOT NULL,
    made timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE holdfast.record_changes IS 'The newest changes of records, numbered as they were committed, for replicas to read';

CREATE TABLE holdfast.token_uses (
    shelf text COLLATE "C" NOT NULL DEFAULT 'tokens' CHECK (shelf = 'tokens'),
    name text COLLATE "C" NOT NULL,
    used bigint NOT NULL,
    PRIMARY KEY (shelf, name),
    FOREIGN KEY (shelf, name) REFERENCES holdfast.records (shelf, name) ON DELETE CASCADE
);
COMMENT ON TABLE holdfast.token_uses IS 'When a token was last used';

CREATE TABLE holdfast.signing_keys (
    id text COLLATE "C" PRIMARY KEY,
    algorithm text NOT NULL,
    pem text NOT NULL,
    created bigint NOT NULL
);
COMMENT ON TABLE holdfast.signing_keys IS 'Private keys that sign access tokens: whoever reads them can make tokens';

CREATE TABLE holdfast.events (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    unix_millis bigint NOT NULL,
    event text NOT NULL
);
COMMENT ON TABLE holdfast.events IS 'The audit trail; event is JSON';
