-- Messages to people, and what became of each on every channel.
SET LOCAL ROLE tandem_owner;

CREATE TABLE tandem.message (
  id         bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at         timestamptz NOT NULL DEFAULT now(),
  read_at    timestamptz,
  due_at     timestamptz,
  event_id   uuid        NOT NULL,
  recipient  text COLLATE "C" NOT NULL,
  project_id text COLLATE "C" NOT NULL,
  code       text        NOT NULL,
  kind       text        NOT NULL,
  ref        text        NOT NULL,
  text_en    text        NOT NULL,
  text_zh    text        NOT NULL,
  UNIQUE (event_id, recipient)
);
COMMENT ON COLUMN tandem.message.event_id IS 'the event that gave rise to it; with the recipient its identity';
CREATE INDEX message_recipient ON tandem.message (recipient, id DESC);
CREATE INDEX message_unread ON tandem.message (recipient) WHERE read_at IS NULL;

CREATE TABLE tandem.delivery (
  at        timestamptz NOT NULL DEFAULT now(),
  attempts  int         NOT NULL DEFAULT 0 CHECK (attempts >= 0),
  event_id  uuid        NOT NULL,
  recipient text COLLATE "C" NOT NULL,
  channel   text        NOT NULL,
  state     text        NOT NULL CHECK (state <> ''),
  detail    text        NOT NULL DEFAULT '',
  UNIQUE (event_id, recipient, channel)
);
CREATE INDEX delivery_state ON tandem.delivery (state, at);

GRANT INSERT ON tandem.message, tandem.delivery TO tandem_app;
GRANT UPDATE (read_at) ON tandem.message TO tandem_app;
GRANT UPDATE (state, attempts, detail, at) ON tandem.delivery TO tandem_app;
