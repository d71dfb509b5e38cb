-- What several replicas need: to be told apart, to keep out of each other's way, and to take over from the dead.
-- All by the clock of this server; clock_timestamp(), since a function may have waited for a lock.

CREATE FUNCTION holdfast.beat(_replica uuid, _term_millis bigint, _join boolean) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    _ends timestamptz := clock_timestamp() + _term_millis * interval '1 millisecond';
BEGIN
    IF _join THEN
        INSERT INTO holdfast.replicas (id, address, lease_ends) VALUES (_replica, inet_client_addr()::text, _ends)
            ON CONFLICT (id) DO UPDATE SET lease_ends = excluded.lease_ends;
        RETURN true;
    END IF;
    UPDATE holdfast.replicas SET lease_ends = _ends WHERE id = _replica;
    RETURN FOUND;
END $$;
COMMENT ON FUNCTION holdfast.beat IS 'Renews the lease of a replica, or registers it. False: others have taken it for dead';

-- While replicas are held none of them begins a change. Whoever begins one has a lock together with all others who do, and
-- whoever asks what is under way has it alone: what was begun before is counted, and what begins after sees the hold.
CREATE FUNCTION holdfast.is_held() RETURNS boolean LANGUAGE sql AS $$
    SELECT EXISTS (SELECT FROM holdfast.leases WHERE work IN ('move', 'read-only') AND ends > clock_timestamp())
$$;
COMMENT ON FUNCTION holdfast.is_held IS 'Whether replicas begin no change: for a move, or for an administrator';

CREATE FUNCTION holdfast.begins_held() RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(x'686f6c6473'::bigint);
    RETURN holdfast.is_held();
END $$;
COMMENT ON FUNCTION holdfast.begins_held IS 'The same, for whoever begins a change in this transaction';

CREATE FUNCTION holdfast.under_way(_but uuid) RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(x'686f6c6473'::bigint);
    RETURN (SELECT count(*) FROM holdfast.intents WHERE NOT (adopted AND replica = _but))
        + (SELECT count(*) FROM holdfast.record_intents WHERE NOT (adopted AND replica = _but));
END $$;
COMMENT ON FUNCTION holdfast.under_way IS 'Changes that have begun and not ended, but for what the replica was handed';

-- An intent stands in the way of another replica's if both move the same tag, or if both name the same blob or manifest
-- and one of them removes it. Whoever removes a manifest also removes the tags that mean it. What a replica has begun itself
-- (_past_own) is not in its own way; what it was handed (_past_adopted) is, unless that is what it settles.
CREATE FUNCTION holdfast.begin_intent(
    _intent uuid, _replica uuid, _past_own boolean, _past_adopted boolean,
    _repository text, _removing boolean, _blobs bytea[], _manifests bytea[], _tags text[]
) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    _held CONSTANT boolean := holdfast.begins_held();
    _id bigint := holdfast.repository(_repository);
    _tags_of_manifests text[] := '{}';
BEGIN
    PERFORM FROM holdfast.replicas WHERE id = _replica AND lease_ends > clock_timestamp() FOR KEY SHARE;
    IF NOT FOUND THEN
        RETURN 'lapsed';
    END IF;
    -- One at a time in a repository; what has begun before is seen by the statements that follow.
    PERFORM FROM holdfast.repositories WHERE id = _id FOR NO KEY UPDATE;
    IF _removing AND cardinality(_manifests) > 0 THEN
        SELECT coalesce(array_agg(name), '{}') INTO _tags_of_manifests FROM holdfast.tags
            WHERE repository_id = _id AND digest = ANY (_manifests);
    END IF;
    -- What is under way is settled all the same, name by name.
    IF _held AND NOT (_past_adopted
        AND EXISTS (SELECT FROM holdfast.intents WHERE repository_id = _id AND replica = _replica)) THEN
        RETURN 'held';
    END IF;
    IF EXISTS (
        SELECT FROM holdfast.intents AS other
        WHERE other.repository_id = _id
            AND (other.replica <> _replica OR NOT CASE WHEN other.adopted THEN _past_adopted ELSE _past_own END)
            AND ((other.tags || other.tags_of_manifests) && (_tags || _tags_of_manifests)
                OR (other.removing OR _removing) AND (other.blobs && _blobs OR other.manifests && _manifests))
    ) THEN
        RETURN 'in the way';
    END IF;
    INSERT INTO holdfast.intents (id, repository_id, replica, removing, blobs, manifests, tags, tags_of_manifests)
        VALUES (_intent, _id, _replica, _removing, _blobs, _manifests, _tags, _tags_of_manifests);
    RETURN 'stands';
END $$;
COMMENT ON FUNCTION holdfast.begin_intent IS
    'Records an intent: stands, in the way (of another one), held (as all are), lapsed (the replica''s lease)';

-- Records of shelves that the heir does not know are for a replica of a newer program: they stay with a replica that is
-- no more, so that whoever knows them takes them over, or changes them.
CREATE FUNCTION holdfast.adopt(_heir uuid, _shelves text[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    _dead uuid;
    _rest uuid;
BEGIN
    FOR _dead IN
        SELECT id FROM holdfast.replicas WHERE lease_ends < clock_timestamp() AND id <> _heir
            AND (EXISTS (SELECT FROM holdfast.intents WHERE replica = replicas.id)
                OR EXISTS (SELECT FROM holdfast.record_intents WHERE replica = replicas.id AND shelf = ANY (_shelves))
                OR NOT EXISTS (SELECT FROM holdfast.record_intents WHERE replica = replicas.id))
        FOR UPDATE SKIP LOCKED
    LOOP
        UPDATE holdfast.intents SET replica = _heir, adopted = true WHERE replica = _dead;
        UPDATE holdfast.record_intents SET replica = _heir, adopted = true
            WHERE replica = _dead AND shelf = ANY (_shelves);
        IF EXISTS (SELECT FROM holdfast.record_intents WHERE replica = _dead) THEN
            -- Its own row goes all the same: that is how a process which comes back learns that it was taken for dead.
            INSERT INTO holdfast.replicas (id, address, started, lease_ends)
                SELECT gen_random_uuid(), address, started, lease_ends FROM holdfast.replicas WHERE id = _dead
                RETURNING id INTO _rest;
            UPDATE holdfast.record_intents SET replica = _rest WHERE replica = _dead;
        END IF;
        DELETE FROM holdfast.replicas WHERE id = _dead;
    END LOOP;
END $$;
COMMENT ON FUNCTION holdfast.adopt IS 'Hands over what replicas had under their hands whose leases ended, and takes them off the list';

CREATE FUNCTION holdfast.pending_intents(
    _replica uuid, _shelves text[], _held uuid[], _stray_secs bigint, _max bigint
) RETURNS TABLE (id uuid, repository text, removing boolean, blobs bytea[], manifests bytea[], tags text[])
LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
    PERFORM holdfast.adopt(_replica, _shelves);
    -- Nobody in the process knows of these: the answer to their beginning was lost, or their end was given up.
    UPDATE holdfast.intents SET adopted = true WHERE replica = _replica AND NOT adopted
        AND begun < clock_timestamp() - _stray_secs * interval '1 second' AND id <> ALL (_held);
    RETURN QUERY SELECT intents.id, repositories.name, intents.removing, intents.blobs, intents.manifests, intents.tags
        FROM holdfast.intents JOIN holdfast.repositories ON repositories.id = intents.repository_id
        WHERE intents.replica = _replica AND intents.adopted ORDER BY intents.begun LIMIT _max;
END $$;
COMMENT ON FUNCTION holdfast.pending_intents IS 'Intents for the replica to settle: of the dead, and those of its own that it does not know of';

CREATE FUNCTION holdfast.pending_records(_replica uuid, _shelves text[], _max bigint)
RETURNS TABLE (shelf text, name text) LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
    PERFORM holdfast.adopt(_replica, _shelves);
    RETURN QUERY SELECT record_intents.shelf, record_intents.name FROM holdfast.record_intents
        WHERE record_intents.replica = _replica AND record_intents.adopted AND record_intents.shelf = ANY (_shelves)
        ORDER BY record_intents.begun LIMIT _max;
END $$;
COMMENT ON FUNCTION holdfast.pending_records IS 'Changes of records for the replica to settle, which the dead have left';

CREATE FUNCTION holdfast.take_lease(_work text, _holder uuid, _term_millis bigint) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    _ends timestamptz := clock_timestamp() + _term_millis * interval '1 millisecond';
BEGIN
    INSERT INTO holdfast.leases AS known (work, holder, ends) VALUES (_work, _holder, _ends)
        ON CONFLICT (work) DO UPDATE SET holder = excluded.holder, ends = excluded.ends
        WHERE known.holder = excluded.holder OR known.ends < clock_timestamp();
    RETURN FOUND;
END $$;
COMMENT ON FUNCTION holdfast.take_lease IS 'Takes or renews a lease. False: another process has it';

CREATE FUNCTION holdfast.keep_lease(_work text, _holder uuid, _term_millis bigint) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    UPDATE holdfast.leases SET ends = clock_timestamp() + _term_millis * interval '1 millisecond'
        WHERE work = _work AND holder = _holder AND ends > clock_timestamp();
    RETURN FOUND;
END $$;
COMMENT ON FUNCTION holdfast.keep_lease IS 'Renews a lease that has not ended. False: it has';

CREATE FUNCTION holdfast.hold(_term_millis bigint) RETURNS void LANGUAGE sql AS $$
    INSERT INTO holdfast.leases AS known (work, holder, ends)
        VALUES ('read-only', '00000000-0000-0000-0000-000000000000',
            coalesce(clock_timestamp() + _term_millis * interval '1 millisecond', 'infinity'))
        ON CONFLICT (work) DO UPDATE SET ends = greatest(known.ends, excluded.ends)
$$;
COMMENT ON FUNCTION holdfast.hold IS 'Holds all replicas for an administrator; NULL: until they are released';

CREATE FUNCTION holdfast.release() RETURNS void LANGUAGE sql AS $$
    DELETE FROM holdfast.leases WHERE work IN ('move', 'read-only')
$$;
COMMENT ON FUNCTION holdfast.release IS 'Replicas begin changes again, whoever held them';
