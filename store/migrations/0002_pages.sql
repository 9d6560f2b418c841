-- What pages show of projects. Every row here can be written again from the events, by one function: no foreign
-- keys, whose checks would cost an append more than the rows themselves.
SET LOCAL ROLE tandem_owner;

CREATE TABLE tandem.project (
  version    bigint      NOT NULL,
  position   bigint      NOT NULL,
  started_at timestamptz NOT NULL,
  changed_at timestamptz NOT NULL,
  next_due   timestamptz,
  held       boolean     NOT NULL,
  ended      boolean     NOT NULL,
  id         text COLLATE "C" PRIMARY KEY,
  stream     text        NOT NULL,
  code       text COLLATE "C" NOT NULL,
  title      text        NOT NULL,
  stage      text        NOT NULL,
  people     jsonb       NOT NULL
) WITH (fillfactor = 70);
CREATE UNIQUE INDEX project_code ON tandem.project (code);
CREATE INDEX project_changed ON tandem.project (changed_at DESC, id DESC);
CREATE INDEX project_due ON tandem.project (next_due) WHERE NOT ended AND next_due IS NOT NULL;
COMMENT ON COLUMN tandem.project.people IS 'role -> persons who hold it now';

CREATE TABLE tandem.membership (
  project_id text COLLATE "C" NOT NULL,
  person     text COLLATE "C" NOT NULL,
  role       text COLLATE "C" NOT NULL,
  PRIMARY KEY (project_id, person, role)
);
CREATE INDEX membership_person ON tandem.membership (person, project_id);

CREATE TABLE tandem.duty (
  since      timestamptz NOT NULL,
  due_at     timestamptz,
  project_id text COLLATE "C" NOT NULL,
  person     text COLLATE "C" NOT NULL,
  kind       text COLLATE "C" NOT NULL,
  ref        text COLLATE "C" NOT NULL,
  title      text        NOT NULL,
  PRIMARY KEY (project_id, person, kind, ref)
);
CREATE INDEX duty_person ON tandem.duty (person, due_at);

-- Pages of several projects at once, each as of one version of its stream; a null page is passed over.
-- Never goes back: a page older than the one that is there changes nothing.
CREATE FUNCTION tandem.show(p_stream text[], p_version bigint[], p_page jsonb[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET jit = off
AS $$
DECLARE
  shown text[];
  moved text[];
BEGIN
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
    WHERE n.page IS NOT NULL
    ON CONFLICT (id) DO UPDATE SET
      version = excluded.version, position = excluded.position, changed_at = excluded.changed_at,
      next_due = excluded.next_due, held = excluded.held, ended = excluded.ended, code = excluded.code,
      title = excluded.title, stage = excluded.stage, people = excluded.people
    WHERE p.version <= excluded.version
    RETURNING new.id, old.people IS DISTINCT FROM new.people AS moved)
  SELECT array_agg(w.id), array_agg(w.id) FILTER (WHERE w.moved) INTO shown, moved FROM written w;

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

  -- Duties are replaced where the page gives them; null means "as they were".
  WITH given AS (
    SELECT n.page ->> 'project_id' AS project_id, n.page -> 'duties' AS duties
    FROM unnest(p_page) AS n (page)
    WHERE jsonb_typeof(n.page -> 'duties') = 'array' AND n.page ->> 'project_id' = ANY (shown))
  SELECT array_agg(g.project_id), array_agg(g.duties) INTO shown, p_page FROM given g;
  IF shown IS NOT NULL THEN
    DELETE FROM tandem.duty d WHERE d.project_id = ANY (shown);
    INSERT INTO tandem.duty (project_id, person, kind, ref, title, since, due_at)
    SELECT g.project_id, d.person, d.kind, d.ref, d.title, d.since, d.due_at
    FROM unnest(shown, p_page) AS g (project_id, duties),
         jsonb_to_recordset(g.duties) AS d (person text, kind text, ref text, title text,
                                            since timestamptz, due_at timestamptz)
    ON CONFLICT DO NOTHING;
  END IF;
END $$;
GRANT EXECUTE ON FUNCTION tandem.show TO tandem_app;
