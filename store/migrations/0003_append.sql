-- The only ways to write facts. The application may run these functions and has no privilege on the tables.
SET LOCAL ROLE tandem_owner;

-- Many appends in one round trip, a verdict for each; a conflict of one never touches the others.
--   a_*: one entry per append, a_facts being how many events it has.
--   e_*: one entry per event, those of one append together and in order; e_append is the 1-based number of theirs.
--   At most one append per stream (else the unique index aborts the batch). Run it READ COMMITTED.
-- Verdicts: ok, conflict, duplicate, id_reused, broken (the first event does not continue the hash that is stored).
CREATE FUNCTION tandem.append(
  a_stream text[], a_expected bigint[], a_facts int[], a_command text[], a_fingerprint bytea[], a_prev bytea[],
  a_answer jsonb[], a_page jsonb[],
  e_append int[], e_version bigint[], e_id uuid[], e_type text[], e_schema int[], e_recorded timestamptz[],
  e_effective timestamptz[], e_leaf bytea[], e_metadata jsonb[], e_data jsonb[])
RETURNS TABLE (verdict text, head bigint, last_position bigint, first_answer jsonb)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
-- One plan for ever, by index: a plan made while the tables were small must not scan them when they are big.
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off SET jit = off
AS $$
DECLARE
  start bigint;
  total bigint;
  stored bigint;
  kinds text[];
  versions bigint[];
  positions bigint[];
  answers jsonb[];
  pages jsonb[];
BEGIN
  SELECT h.next_position INTO STRICT start FROM tandem.log_head h WHERE h.id = 0 FOR UPDATE;

  -- From here on nobody else appends. A statement of its own, so that it sees what the one before us committed.
  WITH judged AS (
    SELECT a.no, a.expected, a.facts, a.page, coalesce(at.version, 0) AS head,
           k.version AS then_version, k.position AS then_position, k.answer AS then_answer,
           CASE WHEN k.fingerprint = a.fingerprint THEN 'duplicate'
                WHEN k.fingerprint IS NOT NULL THEN 'id_reused'
                WHEN coalesce(at.version, 0) <> a.expected THEN 'conflict'
                WHEN coalesce(at.leaf_hash, decode(repeat('00', 32), 'hex')) <> a.prev THEN 'broken'
                ELSE 'ok' END AS kind
    FROM unnest(a_stream, a_expected, a_facts, a_command, a_fingerprint, a_prev, a_page)
         WITH ORDINALITY AS a (stream, expected, facts, command_id, fingerprint, prev, page, no)
    LEFT JOIN LATERAL (SELECT e.version, e.leaf_hash FROM tandem.event e
                       WHERE e.stream = a.stream ORDER BY e.version DESC LIMIT 1) at ON true
    LEFT JOIN LATERAL (SELECT c.fingerprint, c.version, c.position, c.answer FROM tandem.command c
                       WHERE c.stream = a.stream AND c.command_id = a.command_id LIMIT 1) k ON true),
  placed AS (
    SELECT j.*, sum(j.facts) FILTER (WHERE j.kind = 'ok') OVER (ORDER BY j.no) AS upto FROM judged j)
  SELECT array_agg(p.kind),
         array_agg(CASE p.kind WHEN 'ok' THEN p.expected + p.facts WHEN 'duplicate' THEN p.then_version
                               ELSE p.head END),
         array_agg(CASE p.kind WHEN 'ok' THEN start + p.upto - 1 WHEN 'duplicate' THEN p.then_position END),
         array_agg(CASE p.kind WHEN 'duplicate' THEN p.then_answer END),
         array_agg(CASE p.kind WHEN 'ok' THEN p.page END),
         coalesce(max(p.upto), 0)
    INTO kinds, versions, positions, answers, pages, total
  FROM (SELECT * FROM placed ORDER BY no) p;

  IF total > 0 THEN
    INSERT INTO tandem.event (position, version, recorded_at, effective_at, schema_version, event_id, stream, type,
                              prev_hash, leaf_hash, metadata, data)
    SELECT positions[e.append] - versions[e.append] + e.version, e.version, e.recorded_at, e.effective_at,
           e.schema_version, e.event_id, a_stream[e.append], e.type,
           CASE WHEN e.version = a_expected[e.append] + 1 THEN a_prev[e.append] ELSE e_leaf[e.no - 1] END,
           e.leaf, e.metadata, e.data
    FROM unnest(e_append, e_version, e_id, e_type, e_schema, e_recorded, e_effective, e_leaf, e_metadata, e_data)
         WITH ORDINALITY AS e (append, version, event_id, type, schema_version, recorded_at, effective_at, leaf,
                               metadata, data, no)
    WHERE kinds[e.append] = 'ok' AND e.version > a_expected[e.append] AND e.version <= versions[e.append];

    -- Each version once (unique index), none beyond its append's range, as many as announced: so they are dense.
    GET DIAGNOSTICS stored = ROW_COUNT;
    IF stored <> total THEN
      RAISE EXCEPTION 'the versions of an append are not dense' USING ERRCODE = 'TD002';
    END IF;
    UPDATE tandem.log_head h SET next_position = start + total WHERE h.id = 0;

    INSERT INTO tandem.command (version, position, stream, command_id, fingerprint, answer)
    SELECT a.version, a.position, a.stream, a.command_id, a.fingerprint, a.answer
    FROM unnest(a_stream, a_command, a_fingerprint, a_answer, kinds, versions, positions)
         AS a (stream, command_id, fingerprint, answer, kind, version, position)
    WHERE a.kind = 'ok';

    PERFORM tandem.show(a_stream, versions, pages);
    INSERT INTO tandem.wake AS w (head, changed_at, ended, stream)
    SELECT a.version, now(), (a.page -> 'ended')::boolean, a.stream
    FROM unnest(a_stream, versions, pages) AS a (stream, version, page)
    WHERE a.page IS NOT NULL
    ON CONFLICT (stream) DO UPDATE SET
      head = excluded.head, ended = excluded.ended,
      changed_at = CASE WHEN w.lagging THEN w.changed_at ELSE excluded.changed_at END;
    -- A stream without a page is followed only once somebody has marked it seen.
    IF array_position(a_page, NULL) IS NOT NULL THEN
      UPDATE tandem.wake w SET
        head = a.version, changed_at = CASE WHEN w.lagging THEN w.changed_at ELSE now() END
      FROM unnest(a_stream, kinds, versions, a_page) AS a (stream, kind, version, page)
      WHERE a.kind = 'ok' AND a.page IS NULL AND w.stream = a.stream;
    END IF;
  END IF;
  RETURN QUERY SELECT * FROM unnest(kinds, versions, positions, answers);
END $$;
GRANT EXECUTE ON FUNCTION tandem.append TO tandem_app;

-- The lifecycle has acted on everything up to `upto`. Never goes back, never beyond what is stored.
-- Losing this mark in a crash only repeats work, so it does not wait for the disk.
CREATE FUNCTION tandem.mark_seen(of_stream text, upto bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  PERFORM set_config('synchronous_commit', 'off', true);
  UPDATE tandem.wake w SET seen = least(upto, w.head), changed_at = now()
  WHERE w.stream = of_stream AND w.seen < least(upto, w.head);
  IF NOT FOUND THEN
    INSERT INTO tandem.wake (head, seen, changed_at, stream)
    SELECT e.version, greatest(least(upto, e.version), 0), now(), of_stream
    FROM tandem.event e WHERE e.stream = of_stream ORDER BY e.version DESC LIMIT 1
    ON CONFLICT (stream) DO NOTHING;
  END IF;
END $$;
GRANT EXECUTE ON FUNCTION tandem.mark_seen TO tandem_app;

CREATE FUNCTION tandem.refuse(at timestamptz, stream text, command_id text, type text, code text, rule text,
                              detail text, channel text, actor jsonb, data jsonb) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
  INSERT INTO tandem.refusal (at, stream, command_id, type, code, rule, detail, channel, actor, data)
  VALUES (at, stream, command_id, type, code, rule, detail, channel, actor, data);
$$;
GRANT EXECUTE ON FUNCTION tandem.refuse TO tandem_app;

-- The first call for a principal and key decides the project's id; later ones hear the same.
CREATE FUNCTION tandem.reserve(by_principal text, by_key text, fresh_id text)
RETURNS TABLE (project_id text, number bigint, fresh boolean)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
  RETURN QUERY SELECT r.project_id, r.number, false FROM tandem.reservation r
               WHERE r.principal = by_principal AND r.key = by_key;
  IF FOUND THEN RETURN; END IF;
  RETURN QUERY INSERT INTO tandem.reservation AS r (principal, key, project_id)
               VALUES (by_principal, by_key, fresh_id) ON CONFLICT (principal, key) DO NOTHING
               RETURNING r.project_id, r.number, true;
  IF FOUND THEN RETURN; END IF;
  RETURN QUERY SELECT r.project_id, r.number, false FROM tandem.reservation r
               WHERE r.principal = by_principal AND r.key = by_key;
END $$;
GRANT EXECUTE ON FUNCTION tandem.reserve TO tandem_app;
