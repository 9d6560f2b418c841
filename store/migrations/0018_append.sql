-- Many appends at once, as before and quicker where each of them fits, as nearly always: then no verdict is worked out,
-- and one statement writes everything. tandem.append stays, for programs of before that still run.
SET LOCAL ROLE tandem_owner;

-- Many appends in one round trip, a verdict for each; a conflict of one never touches the others.
--   a_*: one entry per append, a_facts being how many events it has and a_last the 1-based number of its last one.
--   e_*: one entry per event, those of one append together and in order; e_append is the 1-based number of theirs.
--   Hashes are one after the other, 32 bytes each.
--   At most one append per stream (else the unique index aborts the batch). Run it READ COMMITTED.
-- a_page has whole pages, or nothing at all. Where an append has a_project instead, that project's page is as it was but
-- for its version and what is due next. d_new are duties of such projects to write, objects with a project_id; d_over
-- are those to remove, each by project, person, kind and ref.
-- Verdicts: ok, conflict, duplicate, id_reused, broken (the first event does not continue the hash that is stored).
CREATE FUNCTION tandem.append_together(
  a_stream text[], a_expected bigint[], a_facts int[], a_last int[], a_command text[], a_fingerprint bytea,
  a_prev bytea, a_answer jsonb[], a_page jsonb[], a_project text[], a_due timestamptz[],
  e_append int[], e_version bigint[], e_id uuid[], e_type text[], e_schema int[], e_recorded timestamptz[],
  e_effective timestamptz[], e_leaf bytea, e_metadata jsonb[], e_data jsonb[], d_new jsonb, d_over jsonb)
RETURNS TABLE (verdict text, head bigint, last_position bigint, first_answer jsonb)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
-- One plan for ever, by index: a plan made while the tables were small must not scan them when they are big.
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_hashjoin = off
SET enable_mergejoin = off SET enable_bitmapscan = off SET jit = off
AS $$
DECLARE
  nothing constant bytea := decode(repeat('00', 32), 'hex');
  many constant int := cardinality(a_stream);
  start bigint;
  all_fit boolean;
  stored bigint;
  followed bigint;
  kinds text[];
  versions bigint[];
  positions bigint[];
  answers jsonb[];
  good int[];
  events int[];
  placed bigint[];
BEGIN
  SELECT h.next_position INTO STRICT start FROM tandem.log_head h WHERE h.id = 0 FOR UPDATE;

  -- From here on nobody else appends. A statement of its own, so that it sees what the one before us committed; and
  -- one for all of it: to begin one costs as much as a row.
  WITH fit AS MATERIALIZED (
    SELECT count(*) = many AS each_one
    FROM generate_series(1, many) AS a (no)
    LEFT JOIN LATERAL (SELECT e.version, e.leaf_hash FROM tandem.event e
                       WHERE e.stream = a_stream[a.no] ORDER BY e.version DESC LIMIT 1) at ON true
    WHERE coalesce(at.version, 0) = a_expected[a.no] AND coalesce(at.leaf_hash, nothing) = substring(a_prev FROM 32 * a.no - 31 FOR 32)
      AND NOT EXISTS (SELECT FROM tandem.command c WHERE c.stream = a_stream[a.no] AND c.command_id = a_command[a.no])),
  kept AS (
    INSERT INTO tandem.event (position, version, recorded_at, effective_at, schema_version, event_id, stream, type,
                              prev_hash, leaf_hash, metadata, data)
    SELECT start + e.no - 1, e_version[e.no], e_recorded[e.no], e_effective[e.no], e_schema[e.no], e_id[e.no],
           a_stream[a.no], e_type[e.no],
           CASE WHEN e_version[e.no] = a_expected[a.no] + 1 THEN substring(a_prev FROM 32 * a.no - 31 FOR 32) ELSE substring(e_leaf FROM 32 * e.no - 63 FOR 32) END,
           substring(e_leaf FROM 32 * e.no - 31 FOR 32), e_metadata[e.no], e_data[e.no]
    FROM generate_series(1, cardinality(e_append)) AS e (no), LATERAL (SELECT e_append[e.no]) AS a (no)
    WHERE (SELECT f.each_one FROM fit f)
      AND e_version[e.no] = a_expected[a.no] + a_facts[a.no] + e.no - a_last[a.no] AND e_version[e.no] > a_expected[a.no]
    RETURNING 1),
  answered AS (
    INSERT INTO tandem.command (version, position, stream, command_id, fingerprint, answer)
    SELECT a_expected[a.no] + a_facts[a.no], start + a_last[a.no] - 1, a_stream[a.no], a_command[a.no],
           substring(a_fingerprint FROM 32 * a.no - 31 FOR 32), a_answer[a.no]
    FROM generate_series(1, many) AS a (no)
    WHERE (SELECT f.each_one FROM fit f)),
  -- A stream without a page is followed only once somebody has marked it seen.
  woken AS (
    UPDATE tandem.wake w SET
      head = a_expected[a.no] + a_facts[a.no], ended = coalesce((a_page[a.no] -> 'ended')::boolean, w.ended),
      changed_at = CASE WHEN w.lagging THEN w.changed_at ELSE now() END
    FROM generate_series(1, many) AS a (no)
    WHERE (SELECT f.each_one FROM fit f) AND w.stream = a_stream[a.no]
    RETURNING 1),
  shown AS (
    UPDATE tandem.project p SET
      version = a_expected[a.no] + a_facts[a.no], position = start + a_last[a.no] - 1,
      changed_at = e_recorded[a_last[a.no]], next_due = a_due[a.no]
    FROM generate_series(1, many) AS a (no)
    WHERE (SELECT f.each_one FROM fit f) AND p.id = a_project[a.no] AND p.version = a_expected[a.no]),
  over AS (
    DELETE FROM tandem.duty d
    USING jsonb_array_elements(d_over) AS o (key)
    WHERE (SELECT f.each_one FROM fit f)
      AND d.project_id = o.key ->> 0 AND d.person = o.key ->> 1 AND d.kind = o.key ->> 2 AND d.ref = o.key ->> 3),
  owed AS (
    INSERT INTO tandem.duty (project_id, person, kind, ref, title, since, due_at)
    SELECT d.project_id, d.person, d.kind, d.ref, d.title, d.since, d.due_at
    FROM jsonb_to_recordset(d_new) AS d (project_id text, person text, kind text, ref text, title text,
                                         since timestamptz, due_at timestamptz)
    WHERE (SELECT f.each_one FROM fit f)
    ON CONFLICT (project_id, person, kind, ref) DO UPDATE SET
      title = excluded.title, since = excluded.since, due_at = excluded.due_at),
  moved AS (
    UPDATE tandem.log_head h SET next_position = start + cardinality(e_append)
    WHERE h.id = 0 AND (SELECT f.each_one FROM fit f))
  SELECT (SELECT f.each_one FROM fit f), (SELECT count(*) FROM kept), (SELECT count(*) FROM woken)
    INTO all_fit, stored, followed;

  IF all_fit THEN
    -- Each version once (unique index), each where its number puts it, as many as announced: so they are dense.
    IF stored <> cardinality(e_append) OR a_last[many] <> stored THEN
      RAISE EXCEPTION 'the versions of an append are not dense' USING ERRCODE = 'TD002';
    END IF;
    IF cardinality(array_remove(a_page, NULL)) > 0 THEN
      PERFORM tandem.show(a_stream, (SELECT array_agg(a_expected[a.no] + a_facts[a.no])
                                     FROM (SELECT * FROM generate_series(1, many) AS g (no) ORDER BY no) a), a_page);
      IF followed < many THEN
        INSERT INTO tandem.wake AS w (head, changed_at, ended, stream)
        SELECT a_expected[a.no] + a_facts[a.no], now(), (a_page[a.no] -> 'ended')::boolean, a_stream[a.no]
        FROM generate_series(1, many) AS a (no)
        WHERE a_page[a.no] IS NOT NULL
        ON CONFLICT (stream) DO UPDATE SET
          head = excluded.head, ended = excluded.ended,
          changed_at = CASE WHEN w.lagging THEN w.changed_at ELSE excluded.changed_at END;
      END IF;
    END IF;
    RETURN QUERY SELECT 'ok', a_expected[a.no] + a_facts[a.no], start + a_last[a.no] - 1, NULL::jsonb
                 FROM (SELECT * FROM generate_series(1, many) AS g (no) ORDER BY no) a;
    RETURN;
  END IF;

  -- Not each of them fits: say which do, and append those alone.
  WITH judged AS (
    SELECT a.no, coalesce(at.version, 0) AS head,
           k.version AS then_version, k.position AS then_position, k.answer AS then_answer,
           CASE WHEN k.fingerprint = substring(a_fingerprint FROM 32 * a.no - 31 FOR 32) THEN 'duplicate'
                WHEN k.fingerprint IS NOT NULL THEN 'id_reused'
                WHEN coalesce(at.version, 0) <> a_expected[a.no] THEN 'conflict'
                WHEN coalesce(at.leaf_hash, nothing) <> substring(a_prev FROM 32 * a.no - 31 FOR 32) THEN 'broken'
                ELSE 'ok' END AS kind
    FROM generate_series(1, many) AS a (no)
    LEFT JOIN LATERAL (SELECT e.version, e.leaf_hash FROM tandem.event e
                       WHERE e.stream = a_stream[a.no] ORDER BY e.version DESC LIMIT 1) at ON true
    LEFT JOIN LATERAL (SELECT c.fingerprint, c.version, c.position, c.answer FROM tandem.command c
                       WHERE c.stream = a_stream[a.no] AND c.command_id = a_command[a.no] LIMIT 1) k ON true)
  SELECT array_agg(j.kind),
         array_agg(CASE j.kind WHEN 'ok' THEN j.head + a_facts[j.no] WHEN 'duplicate' THEN j.then_version ELSE j.head END),
         array_agg(CASE j.kind WHEN 'duplicate' THEN j.then_position END),
         array_agg(CASE j.kind WHEN 'duplicate' THEN j.then_answer END),
         array_agg(j.no) FILTER (WHERE j.kind = 'ok')
    INTO kinds, versions, positions, answers, good
  FROM (SELECT * FROM judged ORDER BY no) j;

  IF cardinality(good) = many THEN
    RAISE EXCEPTION 'appends that fit were said not to' USING ERRCODE = 'TD002';
  END IF;
  IF good IS NOT NULL THEN
    events := ARRAY(SELECT e.no FROM generate_series(1, cardinality(e_append)) AS e (no)
                    WHERE e_append[e.no] = ANY (good) ORDER BY e.no);
    SELECT array_agg(r.last_position) INTO placed FROM tandem.append_together(
      ARRAY(SELECT a_stream[g] FROM unnest(good) g),
      ARRAY(SELECT a_expected[g] FROM unnest(good) g),
      ARRAY(SELECT a_facts[g] FROM unnest(good) g),
      ARRAY(SELECT (sum(a_facts[g]) OVER (ORDER BY g))::int FROM unnest(good) g),
      ARRAY(SELECT a_command[g] FROM unnest(good) g),
      (SELECT string_agg(substring(a_fingerprint FROM 32 * g - 31 FOR 32), NULL ORDER BY g) FROM unnest(good) g),
      (SELECT string_agg(substring(a_prev FROM 32 * g - 31 FOR 32), NULL ORDER BY g) FROM unnest(good) g),
      ARRAY(SELECT a_answer[g] FROM unnest(good) g),
      ARRAY(SELECT a_page[g] FROM unnest(good) g),
      ARRAY(SELECT a_project[g] FROM unnest(good) g),
      ARRAY(SELECT a_due[g] FROM unnest(good) g),
      ARRAY(SELECT array_position(good, e_append[k]) FROM unnest(events) k),
      ARRAY(SELECT e_version[k] FROM unnest(events) k),
      ARRAY(SELECT e_id[k] FROM unnest(events) k),
      ARRAY(SELECT e_type[k] FROM unnest(events) k),
      ARRAY(SELECT e_schema[k] FROM unnest(events) k),
      ARRAY(SELECT e_recorded[k] FROM unnest(events) k),
      ARRAY(SELECT e_effective[k] FROM unnest(events) k),
      (SELECT string_agg(substring(e_leaf FROM 32 * k - 31 FOR 32), NULL ORDER BY k) FROM unnest(events) k),
      ARRAY(SELECT e_metadata[k] FROM unnest(events) k),
      ARRAY(SELECT e_data[k] FROM unnest(events) k),
      (SELECT jsonb_agg(d) FROM jsonb_array_elements(d_new) d
       WHERE d ->> 'project_id' IN (SELECT a_project[g] FROM unnest(good) g)),
      (SELECT jsonb_agg(d) FROM jsonb_array_elements(d_over) d
       WHERE d ->> 0 IN (SELECT a_project[g] FROM unnest(good) g))) r;
    FOR i IN 1 .. cardinality(good) LOOP
      positions[good[i]] := placed[i];
    END LOOP;
  END IF;
  RETURN QUERY SELECT * FROM unnest(kinds, versions, positions, answers);
END $$;

GRANT EXECUTE ON FUNCTION tandem.append_together TO tandem_app;
