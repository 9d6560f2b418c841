-- Who sees a project. What follows of it from the events stands in the project's row, so that lists and feeds leave out
-- what their reader does not see by one condition, in the statement that reads: there is no moment in between.
SET LOCAL ROLE tandem_owner;

ALTER TABLE tandem.project ADD COLUMN locks jsonb;
COMMENT ON COLUMN tandem.project.locks IS 'keys of readers, one of which opens it (domain/sight.py); null: open to all';
CREATE INDEX project_locked ON tandem.project (id) WHERE locks IS NOT NULL;

-- The streams of projects that none of these keys opens: a project's own, and the one that tells of its archive.
CREATE FUNCTION tandem.unseen(keys text[]) RETURNS SETOF text LANGUAGE sql STABLE PARALLEL SAFE
AS $$
  SELECT unnest(ARRAY[p.stream, 'archive-' || p.stream]) FROM tandem.project p
  WHERE p.locks IS NOT NULL AND NOT p.locks ?| keys;
$$;
GRANT EXECUTE ON FUNCTION tandem.unseen TO tandem_app, tandem_auditor;

-- The same streams of projects whose record a person may search without a role in the organisation.
CREATE FUNCTION tandem.auditable(of_person text) RETURNS SETOF text LANGUAGE sql STABLE PARALLEL SAFE
AS $$
  SELECT unnest(ARRAY[p.stream, 'archive-' || p.stream])
  FROM tandem.membership m JOIN tandem.project p ON p.id = m.project_id
  WHERE m.person = of_person AND m.role IN ('SPONSOR', 'PMO', 'PRODUCT_MANAGER', 'AUDITOR');
$$;
GRANT EXECUTE ON FUNCTION tandem.auditable TO tandem_app, tandem_auditor;

-- The function of 0005 with one column more.
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
      stage = p_page[n.no] ->> 'stage', people = p_page[n.no] -> 'people',
      locks = nullif(p_page[n.no] -> 'locks', 'null')
    FROM generate_series(1, cardinality(p_stream)) AS n (no)
    JOIN LATERAL (SELECT e.position, e.recorded_at FROM tandem.event e
                  WHERE e.stream = p_stream[n.no] AND e.version = p_version[n.no] LIMIT 1) last ON true
    WHERE p.id = p_page[n.no] ->> 'project_id' AND p.version <= p_version[n.no]
    RETURNING new.id, old.people IS DISTINCT FROM new.people AS moved)
  SELECT coalesce(array_agg(w.id), '{}'), array_agg(w.id) FILTER (WHERE w.moved) INTO shown, moved FROM written w;

  IF cardinality(shown) < cardinality(array_remove(p_page, NULL)) THEN
    WITH written AS (
      INSERT INTO tandem.project AS p
             (version, position, started_at, changed_at, next_due, held, ended, id, stream, code, title, stage, people,
              locks)
      SELECT n.version, last.position, first.recorded_at, last.recorded_at, (n.page ->> 'next_due')::timestamptz,
             (n.page -> 'held')::boolean, (n.page -> 'ended')::boolean, n.page ->> 'project_id', n.stream,
             n.page ->> 'code', n.page ->> 'title', n.page ->> 'stage', n.page -> 'people',
             nullif(n.page -> 'locks', 'null')
      FROM unnest(p_stream, p_version, p_page) AS n (stream, version, page)
      JOIN LATERAL (SELECT e.position, e.recorded_at FROM tandem.event e
                    WHERE e.stream = n.stream AND e.version = n.version LIMIT 1) last ON true
      JOIN LATERAL (SELECT e.recorded_at FROM tandem.event e
                    WHERE e.stream = n.stream AND e.version = 1 LIMIT 1) first ON true
      WHERE n.page IS NOT NULL AND n.page ->> 'project_id' <> ALL (shown)
      ON CONFLICT (id) DO UPDATE SET
        version = excluded.version, position = excluded.position, changed_at = excluded.changed_at,
        next_due = excluded.next_due, held = excluded.held, ended = excluded.ended, code = excluded.code,
        title = excluded.title, stage = excluded.stage, people = excluded.people, locks = excluded.locks
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
