-- The same functions, faster. Rows are numbered and read from the arrays by number: an unnest of each array costs more
-- than the rows do. What is there already, and it nearly always is, is updated; only what is missing is inserted.
SET LOCAL ROLE tandem_owner;

-- Pages of several projects at once, each as of one version of its stream; a null page is passed over.
-- Never goes back: a page older than the one that is there changes nothing.
CREATE OR REPLACE FUNCTION tandem.show(p_stream text[], p_version bigint[], p_page jsonb[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
-- How to plan is said by whoever calls it, see tandem.append: saying it here again costs each call as much as a row.
AS $$
DECLARE
  shown text[];
  moved text[];
  fresh text[];
  over jsonb[];
BEGIN
  WITH written AS (
    UPDATE tandem.project p SET
      version = p_version[n.no], position = last.position, changed_at = last.recorded_at,
      next_due = (p_page[n.no] ->> 'next_due')::timestamptz, held = (p_page[n.no] -> 'held')::boolean,
      ended = (p_page[n.no] -> 'ended')::boolean, code = p_page[n.no] ->> 'code', title = p_page[n.no] ->> 'title',
      stage = p_page[n.no] ->> 'stage', people = p_page[n.no] -> 'people'
    FROM generate_series(1, cardinality(p_stream)) AS n (no)
    JOIN LATERAL (SELECT e.position, e.recorded_at FROM tandem.event e
                  WHERE e.stream = p_stream[n.no] AND e.version = p_version[n.no] LIMIT 1) last ON true
    WHERE p.id = p_page[n.no] ->> 'project_id' AND p.version <= p_version[n.no]
    RETURNING new.id, old.people IS DISTINCT FROM new.people AS moved)
  SELECT coalesce(array_agg(w.id), '{}'), array_agg(w.id) FILTER (WHERE w.moved) INTO shown, moved FROM written w;

  IF cardinality(shown) < cardinality(array_remove(p_page, NULL)) THEN
    WITH written AS (
      INSERT INTO tandem.project AS p
             (version, position, started_at, changed_at, next_due, held, ended, id, stream, code, title, stage, people)
      SELECT n.version, last.position, first.recorded_at, last.recorded_at, (n.page ->> 'next_due')::timestamptz,
             (n.page -> 'held')::boolean, (n.page -> 'ended')::boolean, n.page ->> 'project_id', n.stream,
             n.page ->> 'code', n.page ->> 'title', n.page ->> 'stage', n.page -> 'people'
      FROM unnest(p_stream, p_version, p_page) AS n (stream, version, page)
      JOIN LATERAL (SELECT e.position, e.recorded_at FROM tandem.event e
                    WHERE e.stream = n.stream AND e.version = n.version LIMIT 1) last ON true
      JOIN LATERAL (SELECT e.recorded_at FROM tandem.event e
                    WHERE e.stream = n.stream AND e.version = 1 LIMIT 1) first ON true
      WHERE n.page IS NOT NULL AND n.page ->> 'project_id' <> ALL (shown)
      ON CONFLICT (id) DO UPDATE SET
        version = excluded.version, position = excluded.position, changed_at = excluded.changed_at,
        next_due = excluded.next_due, held = excluded.held, ended = excluded.ended, code = excluded.code,
        title = excluded.title, stage = excluded.stage, people = excluded.people
      WHERE p.version <= excluded.version
      RETURNING new.id)
    SELECT array_agg(w.id) INTO fresh FROM written w;
    shown := shown || fresh;
    moved := moved || fresh;
  END IF;

  IF moved IS NOT NULL THEN
    DELETE FROM tandem.membership m USING tandem.project p
    WHERE m.project_id = ANY (moved) AND p.id = m.project_id
      AND NOT coalesce(p.people -> m.role @> to_jsonb(m.person), false);
    INSERT INTO tandem.membership (project_id, person, role)
    SELECT p.id, person, held.role
    FROM tandem.project p, jsonb_each(p.people) AS held (role, persons), jsonb_array_elements_text(held.persons) person
    WHERE p.id = ANY (moved)
    ON CONFLICT DO NOTHING;
  END IF;

  -- Most pages say nothing of duties; looking at the text (quotes in an array are escaped) costs less than a statement.
  IF position('duties\": [' IN p_page::text) = 0 THEN
    RETURN;
  END IF;
  -- Duties: null means "as they were". `over` has the keys of those to remove; without it all are replaced.
  WITH given AS (
    SELECT n.page ->> 'project_id' AS project_id, n.page -> 'duties' AS duties,
           coalesce(nullif(n.page -> 'over', 'null'), '[[]]') AS over
    FROM unnest(p_page) AS n (page)
    WHERE jsonb_typeof(n.page -> 'duties') = 'array' AND n.page ->> 'project_id' = ANY (shown))
  SELECT array_agg(g.project_id), array_agg(g.duties), array_agg(g.over) INTO shown, p_page, over FROM given g;
  IF shown IS NOT NULL THEN
    DELETE FROM tandem.duty d
    USING unnest(shown, over) AS g (project_id, over), jsonb_array_elements(g.over) AS o (key)
    WHERE d.project_id = g.project_id
      AND (o.key = '[]' OR (d.person, d.kind, d.ref) = (o.key ->> 0, o.key ->> 1, o.key ->> 2));
    INSERT INTO tandem.duty (project_id, person, kind, ref, title, since, due_at)
    SELECT g.project_id, d.person, d.kind, d.ref, d.title, d.since, d.due_at
    FROM unnest(shown, p_page) AS g (project_id, duties),
         jsonb_to_recordset(g.duties) AS d (person text, kind text, ref text, title text,
                                            since timestamptz, due_at timestamptz)
    ON CONFLICT DO NOTHING;
  END IF;
END $$;

-- Many appends in one round trip, a verdict for each; a conflict of one never touches the others.
--   a_*: one entry per append, a_facts being how many events it has.
--   e_*: one entry per event, those of one append together and in order; e_append is the 1-based number of theirs.
--   At most one append per stream (else the unique index aborts the batch). Run it READ COMMITTED.
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
  pages jsonb[];
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
    SELECT j.*, sum(a_facts[j.no]) FILTER (WHERE j.kind = 'ok') OVER (ORDER BY j.no) AS upto FROM judged j)
  SELECT array_agg(p.kind),
         array_agg(CASE p.kind WHEN 'ok' THEN a_expected[p.no] + a_facts[p.no] WHEN 'duplicate' THEN p.then_version
                               ELSE p.head END),
         array_agg(CASE p.kind WHEN 'ok' THEN start + p.upto - 1 WHEN 'duplicate' THEN p.then_position END),
         array_agg(CASE p.kind WHEN 'duplicate' THEN p.then_answer END),
         array_agg(CASE p.kind WHEN 'ok' THEN a_page[p.no] END),
         coalesce(max(p.upto), 0), count(*) FILTER (WHERE p.kind = 'ok')
    INTO kinds, versions, positions, answers, pages, total, fits
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
    moved AS (
      UPDATE tandem.log_head h SET next_position = start + total WHERE h.id = 0)
    SELECT (SELECT count(*) FROM kept), (SELECT count(*) FROM woken) INTO stored, followed;

    -- Each version once (unique index), none beyond its append's range, as many as announced: so they are dense.
    IF stored <> total THEN
      RAISE EXCEPTION 'the versions of an append are not dense' USING ERRCODE = 'TD002';
    END IF;

    PERFORM tandem.show(a_stream, versions, pages);
    IF followed < fits THEN
      INSERT INTO tandem.wake AS w (head, changed_at, ended, stream)
      SELECT a.version, now(), (a.page -> 'ended')::boolean, a.stream
      FROM unnest(a_stream, versions, pages) AS a (stream, version, page)
      WHERE a.page IS NOT NULL
      ON CONFLICT (stream) DO UPDATE SET
        head = excluded.head, ended = excluded.ended,
        changed_at = CASE WHEN w.lagging THEN w.changed_at ELSE excluded.changed_at END;
    END IF;
  END IF;
  RETURN QUERY SELECT * FROM unnest(kinds, versions, positions, answers);
END $$;
