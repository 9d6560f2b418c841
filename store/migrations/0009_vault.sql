-- The vault: a key and a profile for each person, destroyed when the person is erased. It may live in a database of
-- its own (TANDEM_VAULT_URL), with its own and shorter-lived backups; then this schema is the only one used there.
DO $$
BEGIN
  CREATE ROLE tandem_vault NOLOGIN;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END $$;
DO $$
BEGIN
  IF NOT pg_has_role(current_user, 'tandem_vault', 'SET') THEN
    EXECUTE format('GRANT tandem_vault TO %I', current_user);
  END IF;
END $$;
CREATE SCHEMA vault AUTHORIZATION tandem_vault;
SET LOCAL ROLE tandem_vault;
GRANT USAGE ON SCHEMA vault TO tandem_app;
ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;

CREATE TABLE vault.person (
  made_at    timestamptz NOT NULL DEFAULT now(),
  person     text COLLATE "C" PRIMARY KEY,
  master     bytea       NOT NULL,
  wrapped    bytea       NOT NULL,
  profile    bytea,
  profile_at timestamptz,
  CONSTRAINT person_shape CHECK (person <> '' AND octet_length(master) = 8 AND octet_length(wrapped) = 60)
);
COMMENT ON COLUMN vault.person.wrapped IS 'the data key, sealed with the master key: nonce, ciphertext, tag';
COMMENT ON COLUMN vault.person.master IS 'which master key: the first 8 bytes of its SHA-256';
COMMENT ON COLUMN vault.person.profile IS 'name, addresses …, sealed with the data key';

CREATE TABLE vault.erased (
  erased_at timestamptz NOT NULL,
  person    text COLLATE "C" PRIMARY KEY CHECK (person <> '')
);
COMMENT ON TABLE vault.erased IS 'never shrinks: whoever is on it never gets a key again, in no restored copy';

CREATE TABLE vault.hold (
  since  timestamptz NOT NULL,
  person text COLLATE "C" PRIMARY KEY CHECK (person <> '')
);
COMMENT ON TABLE vault.hold IS 'a legal hold: the key must not be destroyed';

-- The key of each person as it is kept; erased ones with null, unknown ones not at all.
CREATE FUNCTION vault.keys(of_persons text[])
RETURNS TABLE (person text, master bytea, wrapped bytea)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
  SELECT p.person, p.master, p.wrapped FROM vault.person p
  WHERE p.person = ANY (of_persons) AND NOT EXISTS (SELECT FROM vault.erased e WHERE e.person = p.person)
  UNION ALL
  SELECT e.person, NULL, NULL FROM vault.erased e WHERE e.person = ANY (of_persons);
$$;
GRANT EXECUTE ON FUNCTION vault.keys TO tandem_app;

-- Keep a first key; the one that is there already, or an erasure, stays.
CREATE FUNCTION vault.keep(of_person text, by_master bytea, as_wrapped bytea) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  -- An erasure that is under way at the same moment is waited for, or waits for this.
  PERFORM pg_advisory_xact_lock(hashtextextended('vault.' || of_person, 0));
  INSERT INTO vault.person (person, master, wrapped)
  SELECT of_person, by_master, as_wrapped WHERE NOT EXISTS (SELECT FROM vault.erased e WHERE e.person = of_person)
  ON CONFLICT DO NOTHING;
END $$;
GRANT EXECUTE ON FUNCTION vault.keep TO tandem_app;

-- Destroy the person's key and profile, for ever; true where there was something to destroy.
CREATE FUNCTION vault.erase(of_person text, at timestamptz) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  there boolean;
BEGIN
  PERFORM pg_advisory_xact_lock(hashtextextended('vault.' || of_person, 0));
  IF EXISTS (SELECT FROM vault.hold h WHERE h.person = of_person) THEN
    RAISE EXCEPTION '% is under a legal hold', of_person USING ERRCODE = 'TV001';
  END IF;
  INSERT INTO vault.erased (person, erased_at) VALUES (of_person, at) ON CONFLICT DO NOTHING;
  DELETE FROM vault.person p WHERE p.person = of_person;
  there := FOUND;
  PERFORM pg_notify('tandem_vault', of_person);
  RETURN there;
END $$;
GRANT EXECUTE ON FUNCTION vault.erase TO tandem_app;

CREATE FUNCTION vault.hold(of_person text, at timestamptz) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
  INSERT INTO vault.hold (person, since) VALUES (of_person, at) ON CONFLICT DO NOTHING;
$$;
GRANT EXECUTE ON FUNCTION vault.hold TO tandem_app;

CREATE FUNCTION vault.release(of_person text) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
  DELETE FROM vault.hold h WHERE h.person = of_person;
$$;
GRANT EXECUTE ON FUNCTION vault.release TO tandem_app;

CREATE FUNCTION vault.erasures() RETURNS TABLE (person text, erased_at timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
  SELECT e.person, e.erased_at FROM vault.erased e ORDER BY e.erased_at, e.person;
$$;
GRANT EXECUTE ON FUNCTION vault.erasures TO tandem_app;

CREATE FUNCTION vault.put_profile(of_person text, as_sealed bytea) RETURNS boolean
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
  UPDATE vault.person p SET profile = as_sealed, profile_at = now() WHERE p.person = of_person RETURNING true;
$$;
GRANT EXECUTE ON FUNCTION vault.put_profile TO tandem_app;

CREATE FUNCTION vault.profiles(of_persons text[]) RETURNS TABLE (person text, profile bytea)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
  SELECT p.person, p.profile FROM vault.person p WHERE p.person = ANY (of_persons) AND p.profile IS NOT NULL;
$$;
GRANT EXECUTE ON FUNCTION vault.profiles TO tandem_app;

-- A new master key: each data key is wrapped anew, none changes. For the owner alone.
CREATE FUNCTION vault.rewrap(of_person text, from_wrapped bytea, to_master bytea, to_wrapped bytea) RETURNS boolean
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
  UPDATE vault.person p SET master = to_master, wrapped = to_wrapped
  WHERE p.person = of_person AND p.wrapped = from_wrapped RETURNING true;
$$;
CREATE FUNCTION vault.every() RETURNS TABLE (person text, master bytea, wrapped bytea)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
  SELECT p.person, p.master, p.wrapped FROM vault.person p ORDER BY p.person;
$$;

-- Retention: what an ended project's events hold can be moved out to a pack. Place, order and hashes stay, so the log
-- stays provable; nobody but the two functions below can change an event, and those only where this table says so.
RESET ROLE;
SET LOCAL ROLE tandem_owner;
CREATE TABLE tandem.archived (
  at     timestamptz NOT NULL DEFAULT now(),
  stream text COLLATE "C" PRIMARY KEY,
  digest text NOT NULL CHECK (digest ~ '^[0-9a-f]{64}$')
);
COMMENT ON TABLE tandem.archived IS 'streams whose events are in a pack now: its SHA-256';

-- What stands in an archived event's place. The actor is a word for every reader that asks who did it.
CREATE FUNCTION tandem.archived_metadata(of_digest text) RETURNS jsonb
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT jsonb_build_object('archived', of_digest, 'actor',
                            jsonb_build_object('principal', 'archive', 'kind', 'system', 'client', 'archive'));
$$;

CREATE FUNCTION tandem.only_archive() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  pack text;
BEGIN
  IF TG_OP = 'UPDATE' THEN
    SELECT a.digest INTO pack FROM tandem.archived a WHERE a.stream = old.stream;
    IF pack IS NOT NULL
       AND (new.position, new.version, new.recorded_at, new.effective_at, new.schema_version, new.event_id, new.stream,
            new.type, new.prev_hash, new.leaf_hash)
         = (old.position, old.version, old.recorded_at, old.effective_at, old.schema_version, old.event_id, old.stream,
            old.type, old.prev_hash, old.leaf_hash)
       AND (old.metadata = tandem.archived_metadata(pack)
            OR new.data = '{}' AND new.metadata = tandem.archived_metadata(pack)) THEN
      RETURN new;
    END IF;
  END IF;
  RAISE EXCEPTION '%.% is append-only', TG_TABLE_SCHEMA, TG_TABLE_NAME USING ERRCODE = 'TD001';
END $$;
DROP TRIGGER no_change ON tandem.event;
CREATE TRIGGER no_change BEFORE UPDATE OR DELETE ON tandem.event FOR EACH ROW EXECUTE FUNCTION tandem.only_archive();
ALTER TABLE tandem.event ENABLE ALWAYS TRIGGER no_change;

-- Move an ended project's events out: how many there were. Their pack must have been recorded, whole and up to the last
-- one, in the stream archive-…, and no legal hold may be in force. For the owner alone.
CREATE FUNCTION tandem.archive(of_stream text, of_digest text) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  beside text := 'archive-' || of_stream;
  head bigint;
  moved bigint;
BEGIN
  -- Before the events are looked at: an append that is under way ends first, and none begins.
  PERFORM FROM tandem.log_head h WHERE h.id = 0 FOR UPDATE;
  SELECT max(e.version) INTO head FROM tandem.event e WHERE e.stream = of_stream;
  IF NOT EXISTS (SELECT FROM tandem.wake w WHERE w.stream = of_stream AND w.ended) THEN
    RAISE EXCEPTION '% has not ended', of_stream USING ERRCODE = 'TA001';
  END IF;
  IF NOT EXISTS (SELECT FROM tandem.event e WHERE e.stream = beside AND e.type = 'PackRecorded'
                 AND e.data ->> 'digest' = of_digest AND (e.data ->> 'events')::bigint = head) THEN
    RAISE EXCEPTION 'no pack % of all % events of % was recorded', of_digest, head, of_stream USING ERRCODE = 'TA002';
  END IF;
  IF (SELECT e.type FROM tandem.event e WHERE e.stream = beside AND e.type IN ('ArchiveHeld', 'ArchiveReleased')
      ORDER BY e.version DESC LIMIT 1) = 'ArchiveHeld' THEN
    RAISE EXCEPTION '% is under a legal hold', of_stream USING ERRCODE = 'TA003';
  END IF;
  INSERT INTO tandem.archived (stream, digest) VALUES (of_stream, of_digest) ON CONFLICT DO NOTHING;
  IF NOT FOUND THEN
    RAISE EXCEPTION '% is archived already', of_stream USING ERRCODE = 'TA004';
  END IF;
  UPDATE tandem.event e SET data = '{}', metadata = tandem.archived_metadata(of_digest) WHERE e.stream = of_stream;
  GET DIAGNOSTICS moved = ROW_COUNT;
  RETURN moved;
END $$;

-- Bring them back, all of them or none. Whoever calls it has computed every hash again. For the owner alone.
CREATE FUNCTION tandem.unarchive(of_stream text, of_version bigint[], as_metadata jsonb[], as_data jsonb[])
RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  moved bigint;
BEGIN
  UPDATE tandem.event e SET metadata = n.metadata, data = n.data
  FROM unnest(of_version, as_metadata, as_data) AS n (version, metadata, data)
  WHERE e.stream = of_stream AND e.version = n.version;
  GET DIAGNOSTICS moved = ROW_COUNT;
  IF moved <> (SELECT max(e.version) FROM tandem.event e WHERE e.stream = of_stream) THEN
    RAISE EXCEPTION 'not every event of % was given', of_stream USING ERRCODE = 'TA005';
  END IF;
  DELETE FROM tandem.archived a WHERE a.stream = of_stream;
  RETURN moved;
END $$;
