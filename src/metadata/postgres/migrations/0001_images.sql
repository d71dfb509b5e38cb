-- What changes images. Each function is one transaction of its caller, and sees in each of its statements what others
-- have committed by then. Rows are locked in the order of their keys, so that two who lock several do not wait for
-- each other.

CREATE FUNCTION holdfast.repository(_name text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    _id bigint;
BEGIN
    SELECT id INTO _id FROM holdfast.repositories WHERE name = _name;
    IF _id IS NULL THEN
        INSERT INTO holdfast.repositories (name) VALUES (_name) ON CONFLICT (name) DO NOTHING;
        SELECT id INTO _id FROM holdfast.repositories WHERE name = _name;
    END IF;
    RETURN _id;
END $$;
COMMENT ON FUNCTION holdfast.repository IS 'The id of a repository, new or not';

CREATE FUNCTION holdfast.fulfil(_intent uuid, _replica uuid) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    IF _intent IS NULL THEN
        RETURN true;
    END IF;
    DELETE FROM holdfast.intents WHERE id = _intent AND replica = _replica;
    RETURN FOUND;
END $$;
COMMENT ON FUNCTION holdfast.fulfil IS 'Ends an intent. False: it is not the replica''s any more';

CREATE FUNCTION holdfast.link_blob(_repository text, _digest bytea, _size bigint, _intent uuid, _replica uuid)
RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    IF NOT holdfast.fulfil(_intent, _replica) THEN
        RETURN false;
    END IF;
    INSERT INTO holdfast.holds AS known (repository_id, digest, size)
        VALUES (holdfast.repository(_repository), _digest, _size)
        ON CONFLICT (repository_id, digest) DO UPDATE SET size = excluded.size WHERE known.size <> excluded.size;
    RETURN true;
END $$;
COMMENT ON FUNCTION holdfast.link_blob IS 'A repository holds a blob. False: overtaken, and nothing was recorded';

-- What a manifest names is locked until the manifest is recorded: nobody removes it in between.
CREATE FUNCTION holdfast.absent(_repository bigint, _blobs bytea[], _children bytea[])
RETURNS bytea[] LANGUAGE plpgsql AS $$
DECLARE
    _absent bytea[];
BEGIN
    PERFORM FROM holdfast.holds WHERE repository_id = _repository AND digest = ANY (_blobs)
        ORDER BY digest FOR KEY SHARE;
    PERFORM FROM holdfast.manifests WHERE repository_id = _repository AND digest = ANY (_children)
        ORDER BY digest FOR KEY SHARE;
    SELECT array_agg(digest ORDER BY place) INTO _absent FROM (
        SELECT digest, min(place) AS place FROM (
            SELECT digest, place FROM unnest(_blobs) WITH ORDINALITY AS named (digest, place)
            WHERE NOT EXISTS (SELECT FROM holdfast.holds
                WHERE holds.repository_id = _repository AND holds.digest = named.digest)
            UNION ALL
            SELECT digest, place + cardinality(_blobs) FROM unnest(_children) WITH ORDINALITY AS named (digest, place)
            WHERE NOT EXISTS (SELECT FROM holdfast.manifests
                WHERE manifests.repository_id = _repository AND manifests.digest = named.digest)
        ) AS named GROUP BY digest
    ) AS absent;
    RETURN _absent;
END $$;
COMMENT ON FUNCTION holdfast.absent IS 'What a repository does not hold of these, each once; NULL: it holds all';

CREATE FUNCTION holdfast.put_manifest(
    _repository text, _digest bytea, _kind text, _size bigint, _pushed bigint, _subject bytea, _artifact_type text,
    _descriptor text, _body bytea, _tags text[], _demand boolean, _blobs bytea[], _children bytea[],
    _intent uuid, _replica uuid, OUT overtaken boolean, OUT absent bytea[]
) LANGUAGE plpgsql AS $$
DECLARE
    _id bigint := holdfast.repository(_repository);
BEGIN
    overtaken := false;
    IF _demand THEN
        absent := holdfast.absent(_id, _blobs, _children);
        IF absent IS NOT NULL THEN
            RETURN;
        END IF;
    END IF;
    IF NOT holdfast.fulfil(_intent, _replica) THEN
        overtaken := true;
        RETURN;
    END IF;
    INSERT INTO holdfast.manifests AS known
            (repository_id, digest, kind, size, pushed, subject, artifact_type, descriptor, body)
        VALUES (_id, _digest, _kind, _size, _pushed, _subject, _artifact_type, _descriptor, _body)
        ON CONFLICT (repository_id, digest) DO UPDATE SET
            kind = excluded.kind, size = excluded.size, pushed = excluded.pushed, subject = excluded.subject,
            artifact_type = excluded.artifact_type, descriptor = excluded.descriptor,
            body = coalesce(known.body, excluded.body);
    INSERT INTO holdfast.tags (repository_id, name, digest, pushed)
        SELECT DISTINCT _id, tag COLLATE "C" AS name, _digest, _pushed FROM unnest(_tags) AS tag ORDER BY name
        ON CONFLICT (repository_id, name) DO UPDATE SET digest = excluded.digest, pushed = excluded.pushed;
END $$;
COMMENT ON FUNCTION holdfast.put_manifest IS
    'Records a manifest, its tags and what it refers to, unless it names what is absent or was overtaken';

CREATE FUNCTION holdfast.forget_manifest(_repository text, _digest bytea) RETURNS text[] LANGUAGE plpgsql AS $$
DECLARE
    _id bigint;
    _tags text[];
BEGIN
    SELECT repository_id INTO _id FROM holdfast.manifests
        WHERE repository_id = (SELECT id FROM holdfast.repositories WHERE name = _repository) AND digest = _digest
        FOR UPDATE;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    WITH gone AS (DELETE FROM holdfast.tags WHERE repository_id = _id AND digest = _digest RETURNING name)
        SELECT coalesce(array_agg(name ORDER BY name), '{}') INTO _tags FROM gone;
    DELETE FROM holdfast.manifests WHERE repository_id = _id AND digest = _digest;
    RETURN _tags;
END $$;
COMMENT ON FUNCTION holdfast.forget_manifest IS 'Removes a manifest and answers the tags that went with it; NULL: there was none';

-- Uploads need not outlive a crash of the server: their commits do not wait for its disk.

CREATE FUNCTION holdfast.open_upload(
    _id uuid, _repository text, _algorithm text, _taken bigint, _checkpoint uuid, _touched bigint, _owner text, _max bigint
) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('synchronous_commit', 'off', true);
    -- Walks as many entries of the index as are open, and no more than _max.
    IF _max <= 0 OR EXISTS (SELECT FROM holdfast.uploads ORDER BY id OFFSET _max - 1 LIMIT 1) THEN
        RETURN false;
    END IF;
    INSERT INTO holdfast.uploads (id, repository, algorithm, taken, checkpoint, touched, owner)
        VALUES (_id, _repository, _algorithm, _taken, _checkpoint, _touched, _owner);
    RETURN true;
END $$;
COMMENT ON FUNCTION holdfast.open_upload IS 'Opens an upload. False: _max are open';

CREATE FUNCTION holdfast.extend_upload(
    _id uuid, _repository text, _taken bigint, _checkpoint uuid, _to bigint, _to_checkpoint uuid, _touched bigint
) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('synchronous_commit', 'off', true);
    UPDATE holdfast.uploads SET taken = _to, checkpoint = _to_checkpoint, touched = _touched
        WHERE id = _id AND repository = _repository AND taken = _taken AND checkpoint IS NOT DISTINCT FROM _checkpoint;
    RETURN FOUND;
END $$;
COMMENT ON FUNCTION holdfast.extend_upload IS 'Moves an upload on. False: it does not stand where the caller thinks';

CREATE FUNCTION holdfast.close_upload(_id uuid) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('synchronous_commit', 'off', true);
    DELETE FROM holdfast.uploads WHERE id = _id;
    RETURN FOUND;
END $$;
COMMENT ON FUNCTION holdfast.close_upload IS 'Closes an upload. False: it was not open';
