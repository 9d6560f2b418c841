-- What auditors search by, derived from the log off the way of commits; and who looked into the record.
SET LOCAL ROLE tandem_owner;

-- One row an event, written by an indexer that follows the log. Every row can be written again from the events.
CREATE TABLE tandem.event_index (
  position       bigint           PRIMARY KEY,
  version        bigint           NOT NULL,
  recorded_at    timestamptz      NOT NULL,
  stream         text COLLATE "C" NOT NULL,
  type           text COLLATE "C" NOT NULL,
  stage          text COLLATE "C" NOT NULL,
  actor          text COLLATE "C" NOT NULL,
  on_behalf_of   text COLLATE "C",
  command        text COLLATE "C",
  correlation    text COLLATE "C",
  request        text COLLATE "C",
  words          tsvector         NOT NULL
);
CREATE INDEX event_index_stream ON tandem.event_index (stream, position);
CREATE INDEX event_index_type ON tandem.event_index (type, position);
CREATE INDEX event_index_actor ON tandem.event_index (actor, position);
CREATE INDEX event_index_on_behalf_of ON tandem.event_index (on_behalf_of, position) WHERE on_behalf_of IS NOT NULL;
CREATE INDEX event_index_command ON tandem.event_index (command);
CREATE INDEX event_index_correlation ON tandem.event_index (correlation);
CREATE INDEX event_index_request ON tandem.event_index (request) WHERE request IS NOT NULL;
CREATE INDEX event_index_recorded_at ON tandem.event_index (recorded_at);
CREATE INDEX event_index_words ON tandem.event_index USING gin (words);
COMMENT ON COLUMN tandem.event_index.stage IS 'the stage of the project after the event';
COMMENT ON COLUMN tandem.event_index.words IS 'what a text search finds it by; nothing that is sealed for a person';

-- The same for refusals.
CREATE TABLE tandem.refusal_index (
  id           bigint           PRIMARY KEY,
  recorded_at  timestamptz      NOT NULL,
  stream       text COLLATE "C" NOT NULL,
  type         text COLLATE "C" NOT NULL,
  actor        text COLLATE "C" NOT NULL,
  on_behalf_of text COLLATE "C",
  command      text COLLATE "C",
  code         text COLLATE "C" NOT NULL,
  rule         text COLLATE "C",
  words        tsvector         NOT NULL
);
CREATE INDEX refusal_index_stream ON tandem.refusal_index (stream, id);
CREATE INDEX refusal_index_type ON tandem.refusal_index (type, id);
CREATE INDEX refusal_index_actor ON tandem.refusal_index (actor, id);
CREATE INDEX refusal_index_code ON tandem.refusal_index (code, id);
CREATE INDEX refusal_index_rule ON tandem.refusal_index (rule, id) WHERE rule IS NOT NULL;
CREATE INDEX refusal_index_command ON tandem.refusal_index (command);
CREATE INDEX refusal_index_recorded_at ON tandem.refusal_index (recorded_at);
CREATE INDEX refusal_index_words ON tandem.refusal_index USING gin (words);

-- How far each index reaches: everything below `upto` is in it. `wording` says how texts were made into words.
CREATE TABLE tandem.index_reach (
  what    text   PRIMARY KEY,
  upto    bigint NOT NULL,
  wording int    NOT NULL
);
INSERT INTO tandem.index_reach VALUES ('event', 0, 0), ('refusal', 0, 0);

-- Whoever comes second, after a pause or beside another indexer, finds that the reach has moved and writes nothing.
CREATE FUNCTION tandem.move_reach(p_what text, p_start bigint, p_upto bigint, p_wording int) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  -- What is derived can be derived again: a crash may lose the last rows together with how far they reached.
  PERFORM set_config('synchronous_commit', 'off', true);
  UPDATE tandem.index_reach r SET upto = p_upto
  WHERE r.what = p_what AND r.upto = p_start AND r.wording = p_wording AND p_upto > p_start;
  RETURN FOUND;
END $$;

CREATE FUNCTION tandem.index_events(p_start bigint, p_upto bigint, p_wording int, p_rows jsonb) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF NOT tandem.move_reach('event', p_start, p_upto, p_wording) THEN RETURN false; END IF;
  INSERT INTO tandem.event_index (position, version, recorded_at, stream, type, stage, actor, on_behalf_of, command,
                                  correlation, request, words)
  SELECT r.number, r.version, r.recorded_at, r.stream, r.type, r.stage, r.actor, r.on_behalf_of, r.command,
         r.correlation, r.request, r.words::tsvector
  FROM jsonb_to_recordset(p_rows) AS r (
    number bigint, version bigint, recorded_at timestamptz, stream text, type text, stage text, actor text,
    on_behalf_of text, command text, correlation text, request text, words text);
  -- What was moved out of the log is moved out of here.
  UPDATE tandem.event_index i SET words = ''::tsvector
  FROM tandem.event e
  WHERE e.position >= p_start AND e.position < p_upto AND e.type = 'StreamArchived' AND i.stream = e.data ->> 'stream';
  RETURN true;
END $$;
GRANT EXECUTE ON FUNCTION tandem.index_events TO tandem_app;

CREATE FUNCTION tandem.index_refusals(p_start bigint, p_upto bigint, p_wording int, p_rows jsonb) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  IF NOT tandem.move_reach('refusal', p_start, p_upto, p_wording) THEN RETURN false; END IF;
  INSERT INTO tandem.refusal_index (id, recorded_at, stream, type, actor, on_behalf_of, command, code, rule, words)
  SELECT r.number, r.recorded_at, r.stream, r.type, r.actor, r.on_behalf_of, r.command, r.code, r.rule,
         r.words::tsvector
  FROM jsonb_to_recordset(p_rows) AS r (
    number bigint, recorded_at timestamptz, stream text, type text, actor text, on_behalf_of text, command text,
    code text, rule text, words text);
  RETURN true;
END $$;
GRANT EXECUTE ON FUNCTION tandem.index_refusals TO tandem_app;

-- Texts are made into words in a new way: both indexes are written anew. Never back to an older way.
CREATE FUNCTION tandem.index_anew(p_wording int) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  UPDATE tandem.index_reach r SET upto = 0, wording = p_wording WHERE r.wording < p_wording;
  IF FOUND THEN
    TRUNCATE tandem.event_index, tandem.refusal_index;
  END IF;
END $$;
GRANT EXECUTE ON FUNCTION tandem.index_anew TO tandem_app;

-- Numbers of refusals are given before they are committed: up to here none can appear any more that is not there.
CREATE FUNCTION tandem.settled_refusals() RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '1s'
AS $$
DECLARE newest bigint;
BEGIN
  LOCK TABLE tandem.refusal IN SHARE MODE;
  SELECT max(r.id) INTO newest FROM tandem.refusal r;
  RETURN coalesce(newest, 0);
END $$;
GRANT EXECUTE ON FUNCTION tandem.settled_refusals TO tandem_app;

-- Who looked into the audit view, at what, and took how much of it away. Written before the first row goes out.
CREATE TABLE tandem.audit_read (
  id         bigint           GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at         timestamptz      NOT NULL DEFAULT clock_timestamp(),
  reader     text COLLATE "C" NOT NULL,
  what       text COLLATE "C" NOT NULL,
  format     text             NOT NULL,
  request_id text             NOT NULL,
  filter     jsonb            NOT NULL
);
CREATE INDEX audit_read_reader ON tandem.audit_read (reader, id);
CREATE TABLE tandem.audit_read_end (
  read_id bigint      PRIMARY KEY,
  at      timestamptz NOT NULL DEFAULT clock_timestamp(),
  rows    bigint      NOT NULL
);
COMMENT ON TABLE tandem.audit_read_end IS 'how a reading ended; none where it broke off';

DO $$
DECLARE kept text;
BEGIN
  FOREACH kept IN ARRAY ARRAY['audit_read', 'audit_read_end'] LOOP
    EXECUTE format('CREATE TRIGGER no_change BEFORE UPDATE OR DELETE ON tandem.%I
                    FOR EACH STATEMENT EXECUTE FUNCTION tandem.only_append()', kept);
    EXECUTE format('CREATE TRIGGER no_truncate BEFORE TRUNCATE ON tandem.%I
                    FOR EACH STATEMENT EXECUTE FUNCTION tandem.only_append()', kept);
    EXECUTE format('ALTER TABLE tandem.%I ENABLE ALWAYS TRIGGER no_change', kept);
    EXECUTE format('ALTER TABLE tandem.%I ENABLE ALWAYS TRIGGER no_truncate', kept);
  END LOOP;
END $$;

CREATE FUNCTION tandem.note_read(p_reader text, p_what text, p_format text, p_request text, p_filter jsonb)
RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
  INSERT INTO tandem.audit_read (reader, what, format, request_id, filter)
  VALUES (p_reader, p_what, p_format, p_request, p_filter) RETURNING id;
$$;
GRANT EXECUTE ON FUNCTION tandem.note_read TO tandem_app;

CREATE FUNCTION tandem.note_read_end(p_read bigint, p_rows bigint) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
  INSERT INTO tandem.audit_read_end (read_id, rows) VALUES (p_read, p_rows) ON CONFLICT DO NOTHING;
$$;
GRANT EXECUTE ON FUNCTION tandem.note_read_end TO tandem_app;
