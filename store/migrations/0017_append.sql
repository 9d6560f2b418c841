-- The same function, with less to write for the usual page: one that says nothing but its version, when something is due
-- next and which duties have changed is written by the statement that writes the events. Only a page that says more, and
-- has a code therefore, goes through tandem.show.
SET LOCAL ROLE tandem_owner;

-- Many appends in one round trip, a verdict for each; a conflict of one never touches the others.
--   a_*: one entry per append, a_facts being how many events it has.
--   e_*: one entry per event, those of one append together and in order; e_append is the 1-based number of theirs.
--   At most one append per stream (else the unique index aborts the batch). Run it READ COMMITTED.
-- A page without a code changes the row that is as of the version before; of duties it has those to write, and apart
-- from them those to remove.
-- Verdicts: ok, conflict, duplicate, id_reused, broken (the first event does not continue the hash that is stored).
CREATE OR REPLACE FUNCTION tandem.append(
  a_stream text[], a_expected bigint[], a_facts int[], a_command text[], a_fingerprint bytea[], a_prev bytea[],
  a_answer jsonb[], a_page jsonb[],
  e_append int[], e_version bigint[], e_id uuid[], e_type text[], e_schema int[], e_recorded timestamptz[],
  e_effective timestamptz[], e_leaf bytea[], e_metadata jsonb[], e_data jsonb[])
RETURNS TABLE (verdict text, head bigint, last_position bigint, first_answer jsonb)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
-- One plan for ever, by index: a plan made while the tables were small must not scan them when they are big.
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_hashjoin = off
SET enable_mergejoin = off SET enable_bitmapscan = off SET jit = off
AS $$
DECLARE
  start bigint;
  total bigint;
  stored bigint;
  fits bigint;
  followed bigint;
  kinds text[];
  versions bigint[];
  positions bigint[];
  answers jsonb[];
  whole jsonb[];
  brief jsonb[];
  shown_at timestamptz[];
BEGIN
  SELECT h.next_position INTO STRICT start FROM tandem.log_head h WHERE h.id = 0 FOR UPDATE;

  -- From here on nobody else appends. A statement of its own, so that it sees what the one before us committed.
  WITH judged AS (
    SELECT a.no, coalesce(at.version, 0) AS head,
           k.version AS then_version, k.position AS then_position, k.answer AS then_answer,
           CASE WHEN k.fingerprint = a_fingerprint[a.no] THEN 'duplicate'
                WHEN k.fingerprint IS NOT NULL THEN 'id_reused'
                WHEN coalesce(at.version, 0) <> a_expected[a.no] THEN 'conflict'
                WHEN coalesce(at.leaf_hash, decode(repeat('00', 32), 'hex')) <> a_prev[a.no] THEN 'broken'
                ELSE 'ok' END AS kind
    FROM generate_series(1, cardinality(a_stream)) AS a (no)
    LEFT JOIN LATERAL (SELECT e.version, e.leaf_hash FROM tandem.event e
                       WHERE e.stream = a_stream[a.no] ORDER BY e.version DESC LIMIT 1) at ON true
    LEFT JOIN LATERAL (SELECT c.fingerprint, c.version, c.position, c.answer FROM tandem.command c
                       WHERE c.stream = a_stream[a.no] AND c.command_id = a_command[a.no] LIMIT 1) k ON true),
  placed AS (
    SELECT j.*, sum(a_facts[j.no]) FILTER (WHERE j.kind = 'ok') OVER (ORDER BY j.no) AS upto,
           sum(a_facts[j.no]) OVER (ORDER BY j.no) AS last, a_page[j.no] ? 'code' AS says_more
    FROM judged j)
  SELECT array_agg(p.kind),
         array_agg(CASE p.kind WHEN 'ok' THEN a_expected[p.no] + a_facts[p.no] WHEN 'duplicate' THEN p.then_version
                               ELSE p.head END),
         array_agg(CASE p.kind WHEN 'ok' THEN start + p.upto - 1 WHEN 'duplicate' THEN p.then_position END),
         array_agg(CASE p.kind WHEN 'duplicate' THEN p.then_answer END),
         array_agg(CASE WHEN p.kind = 'ok' AND p.says_more THEN a_page[p.no] END),
         array_agg(CASE WHEN p.kind = 'ok' AND NOT p.says_more THEN a_page[p.no] END),
         array_agg(e_recorded[p.last]), coalesce(max(p.upto), 0), count(*) FILTER (WHERE p.kind = 'ok')
    INTO kinds, versions, positions, answers, whole, brief, shown_at, total, fits
  FROM (SELECT * FROM placed ORDER BY no) p;

  IF total > 0 THEN
    -- One statement for all of it: to begin one costs as much as a row.
    WITH kept AS (
      INSERT INTO tandem.event (position, version, recorded_at, effective_at, schema_version, event_id, stream, type,
                                prev_hash, leaf_hash, metadata, data)
      SELECT positions[a.no] - versions[a.no] + e_version[e.no], e_version[e.no], e_recorded[e.no], e_effective[e.no],
             e_schema[e.no], e_id[e.no], a_stream[a.no], e_type[e.no],
             CASE WHEN e_version[e.no] = a_expected[a.no] + 1 THEN a_prev[a.no] ELSE e_leaf[e.no - 1] END,
             e_leaf[e.no], e_metadata[e.no], e_data[e.no]
      FROM generate_series(1, cardinality(e_append)) AS e (no), LATERAL (SELECT e_append[e.no]) AS a (no)
      WHERE kinds[a.no] = 'ok' AND e_version[e.no] > a_expected[a.no] AND e_version[e.no] <= versions[a.no]
      RETURNING 1),
    answered AS (
      INSERT INTO tandem.command (version, position, stream, command_id, fingerprint, answer)
      SELECT versions[a.no], positions[a.no], a_stream[a.no], a_command[a.no], a_fingerprint[a.no], a_answer[a.no]
      FROM generate_series(1, cardinality(a_stream)) AS a (no)
      WHERE kinds[a.no] = 'ok'),
    -- A stream without a page is followed only once somebody has marked it seen.
    woken AS (
      UPDATE tandem.wake w SET
        head = versions[a.no], ended = coalesce((a_page[a.no] -> 'ended')::boolean, w.ended),
        changed_at = CASE WHEN w.lagging THEN w.changed_at ELSE now() END
      FROM generate_series(1, cardinality(a_stream)) AS a (no)
      WHERE kinds[a.no] = 'ok' AND w.stream = a_stream[a.no]
      RETURNING 1),
    shown AS (
      UPDATE tandem.project p SET
        version = versions[a.no], position = positions[a.no], changed_at = shown_at[a.no],
        next_due = (brief[a.no] ->> 'next_due')::timestamptz
      FROM generate_series(1, cardinality(brief)) AS a (no)
      WHERE p.id = brief[a.no] ->> 'project_id' AND p.version = a_expected[a.no]),
    over AS (
      DELETE FROM tandem.duty d
      USING generate_series(1, cardinality(brief)) AS a (no), jsonb_array_elements(brief[a.no] -> 'over') AS o (key)
      WHERE d.project_id = brief[a.no] ->> 'project_id'
        AND d.person = o.key ->> 0 AND d.kind = o.key ->> 1 AND d.ref = o.key ->> 2),
    owed AS (
      INSERT INTO tandem.duty (project_id, person, kind, ref, title, since, due_at)
      SELECT brief[a.no] ->> 'project_id', d.person, d.kind, d.ref, d.title, d.since, d.due_at
      FROM generate_series(1, cardinality(brief)) AS a (no),
           jsonb_to_recordset(brief[a.no] -> 'duties') AS d (person text, kind text, ref text, title text,
                                                              since timestamptz, due_at timestamptz)
      ON CONFLICT (project_id, person, kind, ref) DO UPDATE SET
        title = excluded.title, since = excluded.since, due_at = excluded.due_at),
    moved AS (
      UPDATE tandem.log_head h SET next_position = start + total WHERE h.id = 0)
    SELECT (SELECT count(*) FROM kept), (SELECT count(*) FROM woken) INTO stored, followed;

    -- Each version once (unique index), none beyond its append's range, as many as announced: so they are dense.
    IF stored <> total THEN
      RAISE EXCEPTION 'the versions of an append are not dense' USING ERRCODE = 'TD002';
    END IF;

    IF cardinality(array_remove(whole, NULL)) > 0 THEN
      PERFORM tandem.show(a_stream, versions, whole);
    END IF;
    IF followed < fits THEN
      INSERT INTO tandem.wake AS w (head, changed_at, ended, stream)
      SELECT a.version, now(), (a.page -> 'ended')::boolean, a.stream
      FROM unnest(a_stream, versions, whole) AS a (stream, version, page)
      WHERE a.page IS NOT NULL
      ON CONFLICT (stream) DO UPDATE SET
        head = excluded.head, ended = excluded.ended,
        changed_at = CASE WHEN w.lagging THEN w.changed_at ELSE excluded.changed_at END;
    END IF;
  END IF;
  RETURN QUERY SELECT * FROM unnest(kinds, versions, positions, answers);
END $$;
