-- The seal over the log: a Merkle tree (RFC 6962) in tiles, and the checkpoints that were signed over it.
SET LOCAL ROLE tandem_owner;

-- One row, locked by every sealing: two sealers never sign different trees of the same size.
CREATE TABLE tandem.log (
  one     smallint    PRIMARY KEY DEFAULT 0 CHECK (one = 0),
  id      uuid        NOT NULL DEFAULT uuidv7(),
  made_at timestamptz NOT NULL DEFAULT now()
);
INSERT INTO tandem.log DEFAULT VALUES;
COMMENT ON COLUMN tandem.log.id IS 'the log is called tandem/<id>, in every checkpoint and in the name of its keys';

-- Full tiles only: 256 neighbouring nodes of level 8 * level. They never change.
CREATE TABLE tandem.tile (
  number bigint   NOT NULL,
  level  smallint NOT NULL,
  root   bytea    NOT NULL,
  hashes bytea    NOT NULL,
  PRIMARY KEY (level, number),
  CONSTRAINT tile_shape CHECK (number >= 0 AND level BETWEEN 0 AND 7
                               AND octet_length(root) = 32 AND octet_length(hashes) = 8192)
);
-- Hashes do not compress, and whoever wants the roots reads past them.
ALTER TABLE tandem.tile ALTER COLUMN hashes SET STORAGE EXTERNAL;
COMMENT ON COLUMN tandem.tile.root IS 'the node of level 8 * (level + 1) over the tile, its index being number';

CREATE TABLE tandem.checkpoint (
  size bigint      PRIMARY KEY,
  at   timestamptz NOT NULL,
  root bytea       NOT NULL,
  note text        NOT NULL,
  key  text        NOT NULL,
  CONSTRAINT checkpoint_shape CHECK (size > 0 AND octet_length(root) = 32)
);
COMMENT ON COLUMN tandem.checkpoint.size IS 'the events at the positions below it are sealed';
COMMENT ON COLUMN tandem.checkpoint.note IS 'C2SP signed note';
COMMENT ON COLUMN tandem.checkpoint.key IS 'the vkey that signed it';

-- Which key signs from which checkpoint on. A key is in use until the next row's.
CREATE TABLE tandem.signing_key (
  since bigint PRIMARY KEY,
  vkey  text   NOT NULL CHECK (vkey <> '')
);
COMMENT ON COLUMN tandem.signing_key.since IS 'size of the first checkpoint that it signed';

CREATE TABLE tandem.cosignature (
  size    bigint      NOT NULL,
  at      timestamptz NOT NULL DEFAULT now(),
  seen_at timestamptz NOT NULL,
  key     text        NOT NULL,
  line    text        NOT NULL,
  PRIMARY KEY (size, key)
);
COMMENT ON COLUMN tandem.cosignature.key IS 'the witness''s vkey';
COMMENT ON COLUMN tandem.cosignature.line IS 'cosignature/v1 line, to stand under the note';

-- How sealing goes, and up to where each second place has the checkpoints: for operators, no part of the proof.
CREATE TABLE tandem.sealing (
  one    smallint    PRIMARY KEY DEFAULT 0 CHECK (one = 0),
  at     timestamptz NOT NULL DEFAULT now(),
  state  text        NOT NULL DEFAULT 'new' CHECK (state IN ('new', 'sealing', 'no_key', 'refused')),
  detail text        NOT NULL DEFAULT ''
);
INSERT INTO tandem.sealing DEFAULT VALUES;
CREATE TABLE tandem.anchored (
  size  bigint      NOT NULL,
  at    timestamptz NOT NULL,
  place text        PRIMARY KEY
);

DO $$
DECLARE kept text;
BEGIN
  FOREACH kept IN ARRAY ARRAY['log', 'tile', 'checkpoint', 'signing_key', 'cosignature'] LOOP
    EXECUTE format('CREATE TRIGGER no_change BEFORE UPDATE OR DELETE ON tandem.%I
                    FOR EACH STATEMENT EXECUTE FUNCTION tandem.only_append()', kept);
    EXECUTE format('CREATE TRIGGER no_truncate BEFORE TRUNCATE ON tandem.%I
                    FOR EACH STATEMENT EXECUTE FUNCTION tandem.only_append()', kept);
    EXECUTE format('ALTER TABLE tandem.%I ENABLE ALWAYS TRIGGER no_change', kept);
    EXECUTE format('ALTER TABLE tandem.%I ENABLE ALWAYS TRIGGER no_truncate', kept);
  END LOOP;
END $$;

-- One checkpoint and the tiles that became full since the last one, all or nothing. Hashes are the caller's affair:
-- here it is made sure that nobody was first, that nothing is sealed that is not stored, and that no tile is left out.
-- TD010: somebody else has sealed meanwhile. TD011: this fits neither the log nor its seal.
CREATE FUNCTION tandem.seal(p_last bigint, p_size bigint, p_root bytea, p_note text, p_key text,
                            t_level smallint[], t_number bigint[], t_root bytea[], t_hashes bytea[])
RETURNS timestamptz
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  origin text;
  last bigint;
  signer text;
  moment timestamptz;
BEGIN
  SELECT 'tandem/' || l.id INTO STRICT origin FROM tandem.log l WHERE l.one = 0 FOR UPDATE;
  -- Statements of their own, so that they see what the sealer before us has committed.
  SELECT coalesce(max(c.size), 0) INTO last FROM tandem.checkpoint c;
  IF last <> p_last THEN
    RAISE EXCEPTION 'sealed up to % meanwhile, not up to %', last, p_last USING ERRCODE = 'TD010';
  END IF;
  IF p_size <= last OR p_size > (SELECT h.next_position FROM tandem.log_head h WHERE h.id = 0) THEN
    RAISE EXCEPTION 'a seal over % events after one over % does not fit the log', p_size, last
      USING ERRCODE = 'TD011';
  END IF;
  IF NOT starts_with(p_note, format(E'%s\n%s\n%s\n\n', origin, p_size, encode(p_root, 'base64'))) THEN
    RAISE EXCEPTION 'the note is not of this log, size and root' USING ERRCODE = 'TD011';
  END IF;
  IF (SELECT array_agg((t.level, t.number) ORDER BY t.level, t.number) FROM unnest(t_level, t_number) t (level, number))
     IS DISTINCT FROM
     (SELECT array_agg((l.level::smallint, n.number) ORDER BY l.level, n.number)
      FROM generate_series(0, 6) l (level),
           generate_series(last >> (8 * l.level + 8), (p_size >> (8 * l.level + 8)) - 1) n (number)) THEN
    RAISE EXCEPTION 'these are not the tiles that became full' USING ERRCODE = 'TD011';
  END IF;

  moment := clock_timestamp();
  INSERT INTO tandem.tile (number, level, root, hashes)
  SELECT t.number, t.level, t.root, t.hashes
  FROM unnest(t_level, t_number, t_root, t_hashes) t (level, number, root, hashes);
  INSERT INTO tandem.checkpoint (size, at, root, note, key) VALUES (p_size, moment, p_root, p_note, p_key);
  SELECT k.vkey INTO signer FROM tandem.signing_key k ORDER BY k.since DESC LIMIT 1;
  IF signer IS DISTINCT FROM p_key THEN
    INSERT INTO tandem.signing_key (since, vkey) VALUES (p_size, p_key);
  END IF;
  UPDATE tandem.sealing s SET state = 'sealing', detail = '', at = moment WHERE s.one = 0 AND s.state <> 'sealing';
  RETURN moment;
END $$;
GRANT EXECUTE ON FUNCTION tandem.seal TO tandem_app;

-- A witness's line under a checkpoint that is there; whether it is new. The first one of each witness stays.
CREATE FUNCTION tandem.cosign(p_size bigint, p_key text, p_line text, p_seen_at timestamptz) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  PERFORM FROM tandem.checkpoint c WHERE c.size = p_size;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'no checkpoint over % events', p_size USING ERRCODE = 'TD011';
  END IF;
  INSERT INTO tandem.cosignature (size, key, line, seen_at) VALUES (p_size, p_key, p_line, p_seen_at)
  ON CONFLICT (size, key) DO NOTHING;
  RETURN FOUND;
END $$;
GRANT EXECUTE ON FUNCTION tandem.cosign TO tandem_app;

CREATE FUNCTION tandem.tell_sealing(p_state text, p_detail text) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
  UPDATE tandem.sealing s SET state = p_state, detail = p_detail, at = clock_timestamp()
  WHERE s.one = 0 AND (s.state, s.detail) IS DISTINCT FROM (p_state, p_detail);
$$;
GRANT EXECUTE ON FUNCTION tandem.tell_sealing TO tandem_app;

-- A second place has every checkpoint up to this size. Never goes back.
CREATE FUNCTION tandem.mark_anchored(p_place text, p_size bigint) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
  INSERT INTO tandem.anchored AS a (size, at, place) VALUES (p_size, clock_timestamp(), p_place)
  ON CONFLICT (place) DO UPDATE SET size = excluded.size, at = excluded.at WHERE a.size < excluded.size;
$$;
GRANT EXECUTE ON FUNCTION tandem.mark_anchored TO tandem_app;
