-- The log of events and what an append needs beside it.
-- Roles belong to the cluster, tables to the database: another database here may have made the roles already.
DO $$
BEGIN
  CREATE ROLE tandem_owner NOLOGIN;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END $$;
DO $$
BEGIN
  CREATE ROLE tandem_app LOGIN;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END $$;
DO $$
BEGIN
  CREATE ROLE tandem_auditor LOGIN;
  ALTER ROLE tandem_auditor SET default_transaction_read_only = on;
  ALTER ROLE tandem_auditor SET statement_timeout = '60s';
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END $$;
DO $$
BEGIN
  IF NOT pg_has_role(current_user, 'tandem_owner', 'SET') THEN
    EXECUTE format('GRANT tandem_owner TO %I', current_user);
  END IF;
END $$;

CREATE SCHEMA tandem AUTHORIZATION tandem_owner;
GRANT SELECT ON public.tandem_migration TO tandem_app, tandem_auditor;
SET LOCAL ROLE tandem_owner;
GRANT USAGE ON SCHEMA tandem TO tandem_app, tandem_auditor;
-- Whoever may use the schema may read it; what may be written is granted one by one.
ALTER DEFAULT PRIVILEGES IN SCHEMA tandem GRANT SELECT ON TABLES TO tandem_app, tandem_auditor;
-- PostgreSQL lets everybody run a new function: not here.
ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;

-- One row, locked by every append: the order of positions is the order of commits, and a rollback gives them back.
CREATE TABLE tandem.log_head (
  id            smallint PRIMARY KEY CHECK (id = 0),
  next_position bigint   NOT NULL
) WITH (fillfactor = 10);
INSERT INTO tandem.log_head VALUES (0, 0);

CREATE TABLE tandem.event (
  position       bigint           PRIMARY KEY,
  version        bigint           NOT NULL,
  recorded_at    timestamptz      NOT NULL,
  effective_at   timestamptz      NOT NULL,
  schema_version int              NOT NULL,
  event_id       uuid             NOT NULL,
  stream         text COLLATE "C" NOT NULL,
  type           text COLLATE "C" NOT NULL,
  prev_hash      bytea            NOT NULL,
  leaf_hash      bytea            NOT NULL,
  metadata       jsonb            NOT NULL,
  data           jsonb            NOT NULL,
  -- One constraint, not one a column: each is set up anew by every statement that inserts.
  CONSTRAINT event_shape CHECK (position >= 0 AND version > 0 AND schema_version > 0 AND stream <> '' AND type <> ''
                                AND octet_length(prev_hash) = 32 AND octet_length(leaf_hash) = 32)
);
CREATE UNIQUE INDEX event_stream ON tandem.event (stream, version);
CREATE UNIQUE INDEX event_event_id ON tandem.event (event_id);
CREATE INDEX event_recorded_at ON tandem.event USING brin (recorded_at);
COMMENT ON COLUMN tandem.event.position IS 'dense from 0 in commit order: the leaf index of the Merkle log';
COMMENT ON COLUMN tandem.event.version IS 'dense from 1 within the stream';
COMMENT ON COLUMN tandem.event.leaf_hash IS 'SHA-256(0x00 || canonical envelope)';
COMMENT ON COLUMN tandem.event.prev_hash IS 'leaf_hash of the version before, 32 zero bytes for the first';

-- What was answered to a command, so that the same command gets the same answer again.
CREATE TABLE tandem.command (
  version     bigint NOT NULL,
  position    bigint NOT NULL,
  stream      text COLLATE "C" NOT NULL,
  command_id  text COLLATE "C" NOT NULL,
  fingerprint bytea  NOT NULL,
  answer      jsonb  NOT NULL,
  PRIMARY KEY (stream, command_id),
  CONSTRAINT command_shape CHECK (command_id <> '' AND octet_length(fingerprint) = 32)
);

-- How far the lifecycle has acted on each stream that it follows.
CREATE TABLE tandem.wake (
  head       bigint      NOT NULL,
  seen       bigint      NOT NULL DEFAULT 0,
  changed_at timestamptz NOT NULL,
  ended      boolean     NOT NULL DEFAULT false,
  lagging    boolean     NOT NULL GENERATED ALWAYS AS (seen < head) STORED,
  stream     text COLLATE "C" PRIMARY KEY
) WITH (fillfactor = 70);
CREATE INDEX wake_lagging ON tandem.wake (changed_at) WHERE lagging;
CREATE INDEX wake_running ON tandem.wake (stream) WHERE NOT ended;
COMMENT ON COLUMN tandem.wake.changed_at IS 'while it lags: since when';

-- Commands that the rules refused, for auditors.
CREATE TABLE tandem.refusal (
  id         bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at         timestamptz NOT NULL,
  stream     text        NOT NULL,
  command_id text        NOT NULL,
  type       text        NOT NULL,
  code       text        NOT NULL,
  rule       text,
  detail     text        NOT NULL,
  channel    text        NOT NULL,
  actor      jsonb       NOT NULL,
  data       jsonb       NOT NULL
);

-- The identity of a project before its first event, the same for the same principal and key.
CREATE TABLE tandem.reservation (
  number      bigint      GENERATED ALWAYS AS IDENTITY UNIQUE,
  reserved_at timestamptz NOT NULL DEFAULT now(),
  project_id  text        NOT NULL UNIQUE,
  principal   text        NOT NULL,
  key         text        NOT NULL,
  PRIMARY KEY (principal, key)
);

CREATE FUNCTION tandem.only_append() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '%.% is append-only', TG_TABLE_SCHEMA, TG_TABLE_NAME USING ERRCODE = 'TD001';
END $$;

DO $$
DECLARE kept text;
BEGIN
  FOREACH kept IN ARRAY ARRAY['event', 'command', 'refusal'] LOOP
    EXECUTE format('CREATE TRIGGER no_change BEFORE UPDATE OR DELETE ON tandem.%I
                    FOR EACH STATEMENT EXECUTE FUNCTION tandem.only_append()', kept);
    EXECUTE format('CREATE TRIGGER no_truncate BEFORE TRUNCATE ON tandem.%I
                    FOR EACH STATEMENT EXECUTE FUNCTION tandem.only_append()', kept);
    -- ALWAYS: not even session_replication_role = replica gets past them.
    EXECUTE format('ALTER TABLE tandem.%I ENABLE ALWAYS TRIGGER no_change', kept);
    EXECUTE format('ALTER TABLE tandem.%I ENABLE ALWAYS TRIGGER no_truncate', kept);
  END LOOP;
END $$;
