-- Derived rows are written anew beside the live ones, from the events alone, while everything goes on; then compared,
-- and what differs is set right. Nothing here is for the application: it is for whoever migrates.
CREATE SCHEMA tandem_rebuild AUTHORIZATION tandem_owner;
SET LOCAL ROLE tandem_owner;

-- Shadow tables, empty, and the functions that write the live tables as functions that write these. They are made out of
-- what is in force now, so that a later change of a table or function needs no second one here.
CREATE FUNCTION tandem.rebuild_begin(p_wording int) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  name text;
BEGIN
  PERFORM tandem.rebuild_end();
  FOREACH name IN ARRAY ARRAY['project', 'membership', 'duty', 'event_index', 'refusal_index', 'index_reach'] LOOP
    EXECUTE format('CREATE UNLOGGED TABLE tandem_rebuild.%1$I (LIKE tandem.%1$I INCLUDING ALL)', name);
  END LOOP;
  INSERT INTO tandem_rebuild.index_reach SELECT r.what, 0, p_wording FROM tandem.index_reach r;
  FOREACH name IN ARRAY ARRAY['show', 'move_reach', 'index_events', 'index_refusals'] LOOP
    EXECUTE regexp_replace(
      pg_get_functiondef(('tandem.' || name)::regproc),
      '\mtandem\.(show|project|membership|duty|event_index|refusal_index|index_reach|move_reach|index_events|' ||
      'index_refusals)\M',
      'tandem_rebuild.\1', 'g');
  END LOOP;
END $$;

CREATE FUNCTION tandem.rebuild_end() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET client_min_messages = warning
AS $$
BEGIN
  DROP TABLE IF EXISTS tandem_rebuild.project, tandem_rebuild.membership, tandem_rebuild.duty,
    tandem_rebuild.event_index, tandem_rebuild.refusal_index, tandem_rebuild.index_reach;
  DROP FUNCTION IF EXISTS tandem_rebuild.show, tandem_rebuild.move_reach, tandem_rebuild.index_events,
    tandem_rebuild.index_refusals;
END $$;

-- Nobody appends and nobody writes the rows from here to the end of the transaction: where the log ends.
CREATE FUNCTION tandem.rebuild_hold() RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  head bigint;
BEGIN
  SELECT h.next_position INTO STRICT head FROM tandem.log_head h WHERE h.id = 0 FOR UPDATE;
  LOCK TABLE tandem.project, tandem.membership, tandem.duty IN EXCLUSIVE MODE;
  RETURN head;
END $$;

-- The same for the indexes, which follow the log: up to where they reach.
CREATE FUNCTION tandem.rebuild_hold_indexes() RETURNS TABLE (what text, upto bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  LOCK TABLE tandem.index_reach, tandem.event_index, tandem.refusal_index IN EXCLUSIVE MODE;
  RETURN QUERY SELECT r.what, r.upto FROM tandem.index_reach r;
END $$;

-- What the events of an archived project hold is in a pack and cannot be read here: its rows stay as they are.
CREATE FUNCTION tandem.rebuild_keep_archived(of_indexes boolean) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  kept text[] := ARRAY(SELECT a.stream FROM tandem.archived a);
  projects text[] := ARRAY(SELECT p.id FROM tandem.project p WHERE p.stream = ANY (kept));
BEGIN
  IF of_indexes THEN
    DELETE FROM tandem_rebuild.event_index n WHERE n.stream = ANY (kept);
    INSERT INTO tandem_rebuild.event_index SELECT l.* FROM tandem.event_index l WHERE l.stream = ANY (kept);
    RETURN;
  END IF;
  DELETE FROM tandem_rebuild.project n WHERE n.id = ANY (projects);
  DELETE FROM tandem_rebuild.membership n WHERE n.project_id = ANY (projects);
  DELETE FROM tandem_rebuild.duty n WHERE n.project_id = ANY (projects);
  INSERT INTO tandem_rebuild.project SELECT l.* FROM tandem.project l WHERE l.id = ANY (projects);
  INSERT INTO tandem_rebuild.membership SELECT l.* FROM tandem.membership l WHERE l.project_id = ANY (projects);
  INSERT INTO tandem_rebuild.duty SELECT l.* FROM tandem.duty l WHERE l.project_id = ANY (projects);
END $$;

-- The condition that a live row l and a new row n have the same primary key.
CREATE FUNCTION tandem.rebuild_same(of_table text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
  SELECT string_agg(format('l.%1$I = n.%1$I', a.attname), ' AND ' ORDER BY a.attnum)
  FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
  WHERE i.indrelid = format('tandem.%I', of_table)::regclass AND i.indisprimary;
$$;

-- How many rows there are, and how many of the old and new ones are not the same, every column as it is written out.
CREATE FUNCTION tandem.rebuild_compare(of_table text, OUT total bigint, OUT differing bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  EXECUTE format('SELECT count(n), count(*) FILTER (WHERE l::text IS DISTINCT FROM n::text)
                  FROM tandem.%1$I l FULL JOIN tandem_rebuild.%1$I n ON %2$s', of_table, tandem.rebuild_same(of_table))
  INTO total, differing;
END $$;

-- The live table holds the new rows afterwards. Whoever reads meanwhile sees the old ones until the commit, and the
-- table stays the one that privileges, indexes and plans are of.
CREATE FUNCTION tandem.rebuild_swap(of_table text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  same text := tandem.rebuild_same(of_table);
BEGIN
  EXECUTE format('DELETE FROM tandem.%1$I l
                  WHERE NOT EXISTS (SELECT FROM tandem_rebuild.%1$I n WHERE %2$s AND n::text = l::text)', of_table, same);
  EXECUTE format('INSERT INTO tandem.%1$I SELECT n.* FROM tandem_rebuild.%1$I n
                  WHERE NOT EXISTS (SELECT FROM tandem.%1$I l WHERE %2$s)', of_table, same);
END $$;
