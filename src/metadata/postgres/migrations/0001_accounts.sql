-- What changes records of accounts, signing keys and the audit trail.

CREATE FUNCTION holdfast.begin_record(_shelf text, _name text, _replica uuid) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    _held CONSTANT boolean := holdfast.begins_held();
BEGIN
    PERFORM FROM holdfast.replicas WHERE id = _replica AND lease_ends > clock_timestamp() FOR KEY SHARE;
    IF NOT FOUND THEN
        RETURN 'lapsed';
    END IF;
    -- Whoever has it under way still may: it is settled so.
    IF _held AND NOT EXISTS (
        SELECT FROM holdfast.record_intents WHERE shelf = _shelf AND name = _name AND replica = _replica
    ) THEN
        RETURN 'held';
    END IF;
    -- What a dead replica left is taken over: whoever changes a record ends with what storage holds.
    INSERT INTO holdfast.record_intents AS known (shelf, name, replica) VALUES (_shelf, _name, _replica)
        ON CONFLICT (shelf, name) DO UPDATE SET replica = excluded.replica, begun = DEFAULT,
            adopted = known.adopted AND known.replica = excluded.replica
        WHERE known.replica = excluded.replica OR NOT EXISTS (
            SELECT FROM holdfast.replicas WHERE id = known.replica AND lease_ends >= clock_timestamp());
    RETURN CASE WHEN FOUND THEN 'stands' ELSE 'in the way' END;
END $$;
COMMENT ON FUNCTION holdfast.begin_record IS
    'A record is about to change: stands, in the way (of another replica''s change), held (as all are), lapsed (the replica''s lease)';

CREATE FUNCTION holdfast.end_record(_shelf text, _name text, _begun_by uuid, _replica uuid)
RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM holdfast.record_intents
        WHERE shelf = _shelf AND name = _name AND replica = coalesce(_begun_by, _replica);
    RETURN FOUND OR _begun_by IS NULL AND NOT EXISTS (
        SELECT FROM holdfast.record_intents WHERE shelf = _shelf AND name = _name);
END $$;
COMMENT ON FUNCTION holdfast.end_record IS
    'Ends the change of a record. False: the replica had begun one that it lost, or another one is changing it';

-- Numbers are given under the lock of the one row of holdfast.registry, which is held until the commit: so they are in
-- the order of the commits, and who has read up to one has missed none before it.
CREATE FUNCTION holdfast.tell_change(_shelf text, _name text, _process uuid) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    _kept CONSTANT bigint := 10000;
    _number bigint;
BEGIN
    UPDATE holdfast.registry SET last_change = last_change + 1 RETURNING last_change INTO _number;
    INSERT INTO holdfast.record_changes (number, shelf, name, process) VALUES (_number, _shelf, _name, _process);
    IF _number % 256 = 0 AND _number > _kept THEN
        DELETE FROM holdfast.record_changes WHERE number <= _number - _kept;
        UPDATE holdfast.registry SET changes_trimmed = _number - _kept;
    END IF;
    PERFORM pg_notify('holdfast', '');
END $$;
COMMENT ON FUNCTION holdfast.tell_change IS 'Tells other replicas that a record has changed';

CREATE FUNCTION holdfast.keep_record(
    _shelf text, _name text, _version numeric, _document bytea, _begun_by uuid, _replica uuid, _process uuid
) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    IF NOT holdfast.end_record(_shelf, _name, _begun_by, _replica) THEN
        RETURN false;
    END IF;
    INSERT INTO holdfast.records AS known (shelf, name, version, document) VALUES (_shelf, _name, _version, _document)
        ON CONFLICT (shelf, name) DO UPDATE SET version = excluded.version, document = excluded.document
        WHERE known.version <= excluded.version;
    IF FOUND THEN
        PERFORM holdfast.tell_change(_shelf, _name, _process);
    END IF;
    RETURN true;
END $$;
COMMENT ON FUNCTION holdfast.keep_record IS 'Keeps a record unless a newer one is known. False: overtaken';

CREATE FUNCTION holdfast.forget_record(_shelf text, _name text, _begun_by uuid, _replica uuid, _process uuid)
RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    IF NOT holdfast.end_record(_shelf, _name, _begun_by, _replica) THEN
        RETURN false;
    END IF;
    DELETE FROM holdfast.records WHERE shelf = _shelf AND name = _name;
    IF FOUND THEN
        PERFORM holdfast.tell_change(_shelf, _name, _process);
    END IF;
    RETURN true;
END $$;
COMMENT ON FUNCTION holdfast.forget_record IS 'Forgets a record. False: overtaken';

CREATE FUNCTION holdfast.use_tokens(_names text[], _used bigint[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('synchronous_commit', 'off', true);
    INSERT INTO holdfast.token_uses AS known (name, used)
        SELECT uses.name, max(uses.used) FROM unnest(_names, _used) AS uses (name, used)
        JOIN holdfast.records ON records.shelf = 'tokens' AND records.name = uses.name
        GROUP BY uses.name ORDER BY uses.name
        ON CONFLICT (shelf, name) DO UPDATE SET used = excluded.used WHERE known.used < excluded.used;
END $$;
COMMENT ON FUNCTION holdfast.use_tokens IS 'Tokens were used; those that are not known are passed over';

CREATE FUNCTION holdfast.add_signing_key(_id text, _algorithm text, _pem text, _created bigint, _since bigint)
RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    LOCK TABLE holdfast.signing_keys IN SHARE ROW EXCLUSIVE MODE;
    IF EXISTS (SELECT FROM holdfast.signing_keys WHERE id = _id OR algorithm = _algorithm AND created > _since) THEN
        RETURN false;
    END IF;
    INSERT INTO holdfast.signing_keys (id, algorithm, pem, created) VALUES (_id, _algorithm, _pem, _created);
    RETURN true;
END $$;
COMMENT ON FUNCTION holdfast.add_signing_key IS 'Adds a key. False: another one of the algorithm is young enough';

CREATE FUNCTION holdfast.append_events(_unix_millis bigint[], _events text[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('synchronous_commit', 'off', true);
    INSERT INTO holdfast.events (unix_millis, event)
        SELECT at, event FROM unnest(_unix_millis, _events) WITH ORDINALITY AS told (at, event, place) ORDER BY place;
END $$;
COMMENT ON FUNCTION holdfast.append_events IS 'Appends events in this order';

CREATE FUNCTION holdfast.trim_events(_unix_millis bigint, _max bigint, _at_once bigint) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    _too_many bigint;
    _stays bigint;
BEGIN
    PERFORM set_config('synchronous_commit', 'off', true);
    SELECT id INTO _too_many FROM holdfast.events ORDER BY id DESC OFFSET _max LIMIT 1;
    SELECT id INTO _stays FROM holdfast.events
        WHERE id > coalesce(_too_many, 0) AND unix_millis >= _unix_millis ORDER BY id LIMIT 1;
    _stays := coalesce(_stays, 9223372036854775807);
    DELETE FROM holdfast.events WHERE id = ANY (
        ARRAY(SELECT id FROM holdfast.events WHERE id < _stays ORDER BY id LIMIT _at_once));
    RETURN coalesce((SELECT min(id) FROM holdfast.events) < _stays, false);
END $$;
COMMENT ON FUNCTION holdfast.trim_events IS
    'Drops events beyond the newest _max, and old ones up to the first that is none. True: there are more';
