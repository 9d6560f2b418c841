-- Feeds for programs: consumers, which ask for events at a pace of their own, and webhooks, which are sent them.

-- What signs is kept apart: whoever may read the schema `tandem` reads everything in it, auditors included.
CREATE SCHEMA tandem_webhook AUTHORIZATION tandem_owner;
SET LOCAL ROLE tandem_owner;

CREATE TABLE tandem.consumer (
  checkpoint  bigint      NOT NULL,
  handed      bigint      NOT NULL,
  fence       bigint      NOT NULL DEFAULT 0,
  lease_until timestamptz,
  created_at  timestamptz NOT NULL DEFAULT now(),
  changed_at  timestamptz NOT NULL DEFAULT now(),
  owner       text COLLATE "C" NOT NULL,
  name        text COLLATE "C" NOT NULL,
  types       text[],
  streams     text[],
  PRIMARY KEY (owner, name),
  CONSTRAINT consumer_shape CHECK (checkpoint >= -1 AND handed >= checkpoint AND fence >= 0 AND name <> '')
);
COMMENT ON COLUMN tandem.consumer.checkpoint IS 'everything up to this position was dealt with; -1: nothing was';
COMMENT ON COLUMN tandem.consumer.handed IS 'the last position that the holder of the lease was given';
COMMENT ON COLUMN tandem.consumer.fence IS 'number of the lease: what carries an older one is refused';
GRANT INSERT, DELETE ON tandem.consumer TO tandem_app;
GRANT UPDATE (checkpoint, handed, fence, lease_until, changed_at, types, streams) ON tandem.consumer TO tandem_app;

CREATE TABLE tandem.webhook (
  checkpoint       bigint      NOT NULL CHECK (checkpoint >= -1),
  epoch            bigint      NOT NULL DEFAULT 0,
  created_at       timestamptz NOT NULL DEFAULT now(),
  changed_at       timestamptz NOT NULL DEFAULT now(),
  paused_until     timestamptz,
  last_success_at  timestamptz,
  deleted_at       timestamptz,
  enabled          boolean     NOT NULL DEFAULT true,
  id               uuid        PRIMARY KEY,
  owner            text COLLATE "C" NOT NULL,
  url              text        NOT NULL,
  description      text        NOT NULL,
  disabled_because text,
  types            text[],
  streams          text[]
);
CREATE INDEX webhook_owner ON tandem.webhook (owner, created_at);
COMMENT ON COLUMN tandem.webhook.checkpoint IS 'everything up to this position was delivered, or waits in a lane';
COMMENT ON COLUMN tandem.webhook.epoch IS 'number of the round: one that was overtaken can write nothing more';
COMMENT ON COLUMN tandem.webhook.deleted_at IS 'its workflow removes it';

CREATE TABLE tandem.webhook_lane (
  position   bigint      NOT NULL,
  attempt    int         NOT NULL,
  since      timestamptz NOT NULL,
  next_at    timestamptz NOT NULL,
  webhook_id uuid        NOT NULL REFERENCES tandem.webhook ON DELETE CASCADE,
  stream     text COLLATE "C" NOT NULL,
  PRIMARY KEY (webhook_id, stream)
);
COMMENT ON TABLE tandem.webhook_lane IS 'streams that are behind their endpoint''s checkpoint, each by itself';
COMMENT ON COLUMN tandem.webhook_lane.position IS 'where delivering goes on';
COMMENT ON COLUMN tandem.webhook_lane.since IS 'since when that event is tried';

CREATE TABLE tandem.webhook_extra (
  id         bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  position   bigint,
  attempt    int         NOT NULL DEFAULT 0,
  asked_at   timestamptz NOT NULL DEFAULT now(),
  next_at    timestamptz NOT NULL DEFAULT now(),
  webhook_id uuid        NOT NULL REFERENCES tandem.webhook ON DELETE CASCADE,
  event_id   uuid        NOT NULL,
  stream     text COLLATE "C" NOT NULL,
  kind       text        NOT NULL CHECK (kind IN ('test', 'resend')),
  UNIQUE (webhook_id, kind, event_id)
);
COMMENT ON TABLE tandem.webhook_extra IS 'deliveries beside the order: tests, and what somebody wants to be sent again';

CREATE TABLE tandem.webhook_attempt (
  id         bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  position   bigint,
  at         timestamptz NOT NULL,
  next_at    timestamptz,
  attempt    int         NOT NULL,
  status     int,
  latency_ms int         NOT NULL,
  bytes      int         NOT NULL,
  webhook_id uuid        NOT NULL REFERENCES tandem.webhook ON DELETE CASCADE,
  event_id   uuid        NOT NULL,
  kind       text        NOT NULL,
  type       text        NOT NULL,
  state      text        NOT NULL CHECK (state IN ('delivered', 'retrying', 'failed')),
  problem    text        NOT NULL,
  answer     text        NOT NULL,
  body_hash  bytea       NOT NULL
);
CREATE INDEX webhook_attempt_webhook ON tandem.webhook_attempt (webhook_id, id DESC);
CREATE INDEX webhook_attempt_event ON tandem.webhook_attempt (webhook_id, event_id, id DESC);
CREATE INDEX webhook_attempt_at ON tandem.webhook_attempt USING brin (at);
COMMENT ON COLUMN tandem.webhook_attempt.body_hash IS 'SHA-256 of what was sent; the body itself is made from the event';

GRANT INSERT, DELETE ON tandem.webhook, tandem.webhook_lane, tandem.webhook_extra, tandem.webhook_attempt TO tandem_app;
GRANT UPDATE (checkpoint, epoch, changed_at, paused_until, last_success_at, deleted_at, enabled, disabled_because,
              url, description, types, streams) ON tandem.webhook TO tandem_app;
GRANT UPDATE (position, attempt, since, next_at) ON tandem.webhook_lane TO tandem_app;
GRANT UPDATE (attempt, asked_at, next_at) ON tandem.webhook_extra TO tandem_app;

CREATE TABLE tandem_webhook.secret (
  id         bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  until      timestamptz,
  webhook_id uuid        NOT NULL REFERENCES tandem.webhook ON DELETE CASCADE,
  kept       bytea       NOT NULL,
  asked      text
);
COMMENT ON COLUMN tandem_webhook.secret.asked IS 'the idempotency key that it was asked for with';
CREATE INDEX secret_webhook ON tandem_webhook.secret (webhook_id, id DESC);

-- A new secret; the one before stays live until then, older ones end. Asked for twice under one key it is made
-- once: gives the secret that counts.
CREATE FUNCTION tandem.keep_webhook_secret(of_webhook uuid, fresh bytea, old_until timestamptz, by_key text)
RETURNS bytea
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  known bytea;
BEGIN
  SELECT s.kept INTO known FROM tandem_webhook.secret s
  WHERE s.webhook_id = of_webhook AND s.until IS NULL AND s.asked = by_key;
  IF FOUND THEN RETURN known; END IF;
  DELETE FROM tandem_webhook.secret s
  WHERE s.webhook_id = of_webhook AND (s.until IS NOT NULL OR old_until <= now());
  UPDATE tandem_webhook.secret s SET until = old_until WHERE s.webhook_id = of_webhook;
  INSERT INTO tandem_webhook.secret (webhook_id, kept, asked) VALUES (of_webhook, fresh, by_key);
  RETURN fresh;
END $$;
GRANT EXECUTE ON FUNCTION tandem.keep_webhook_secret TO tandem_app;

-- The live secrets as they are kept, the newest first.
CREATE FUNCTION tandem.webhook_secrets(of_webhook uuid) RETURNS TABLE (kept bytea)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
  SELECT s.kept FROM tandem_webhook.secret s
  WHERE s.webhook_id = of_webhook AND (s.until IS NULL OR s.until > now()) ORDER BY s.id DESC LIMIT 2;
$$;
GRANT EXECUTE ON FUNCTION tandem.webhook_secrets TO tandem_app;

-- Which endpoints have something to do, each with a mark that changes when there is more. An endpoint for which
-- nothing new is meant is brought to the head at once, so that no workflow has to be woken for it.
CREATE FUNCTION tandem.webhooks_behind(at_time timestamptz) RETURNS TABLE (webhook_id uuid, mark text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  newest bigint;
BEGIN
  SELECT h.next_position - 1 INTO newest FROM tandem.log_head h;
  UPDATE tandem.webhook w SET checkpoint = newest
  WHERE w.enabled AND w.checkpoint < newest AND (w.types IS NOT NULL OR w.streams IS NOT NULL)
    AND NOT EXISTS (SELECT FROM tandem.event e
                    WHERE e.position > w.checkpoint AND e.position <= newest
                      AND (w.types IS NULL OR e.type = ANY (w.types))
                      AND (w.streams IS NULL OR e.stream = ANY (w.streams)));
  RETURN QUERY
  SELECT w.id, concat_ws('/', newest, w.changed_at, (SELECT max(x.id) FROM tandem.webhook_extra x
                                                     WHERE x.webhook_id = w.id AND x.next_at <= at_time))
  FROM tandem.webhook w
  WHERE w.deleted_at IS NOT NULL
     OR w.enabled AND (
          EXISTS (SELECT FROM tandem.webhook_extra x WHERE x.webhook_id = w.id AND x.next_at <= at_time)
          OR coalesce(w.paused_until <= at_time, true) AND (
               w.checkpoint < newest
               OR EXISTS (SELECT FROM tandem.webhook_lane l WHERE l.webhook_id = w.id AND l.next_at <= at_time)));
END $$;
GRANT EXECUTE ON FUNCTION tandem.webhooks_behind TO tandem_app;
