-- Notices in time: chat beside mail, digests, calendars of due dates, addresses that are confirmed first.
-- Secrets are hashed; addresses, texts and codes are sealed with the key of the person whose they are.
SET LOCAL ROLE tandem_owner;

ALTER TABLE tandem.preference
  ADD COLUMN digest_at     time    NOT NULL DEFAULT '09:00',
  ADD COLUMN chat          boolean NOT NULL DEFAULT false,
  ADD COLUMN first_channel text    NOT NULL DEFAULT 'mail' CHECK (first_channel IN ('mail', 'chat')),
  ADD COLUMN digest        text    NOT NULL DEFAULT 'none' CHECK (digest IN ('none', 'daily', 'weekly'));
COMMENT ON COLUMN tandem.preference.first_channel IS 'the other one is tried where this one gives up';
COMMENT ON COLUMN tandem.preference.digest_at IS 'in the person''s own time zone';
GRANT UPDATE (digest_at, chat, first_channel, digest) ON tandem.preference TO tandem_app;

ALTER TABLE tandem.delivery ADD COLUMN since timestamptz NOT NULL DEFAULT now();
COMMENT ON COLUMN tandem.delivery.state IS 'waiting, delivered, kept (in the outbox), failed, held (for the digest)';
CREATE INDEX delivery_recipient ON tandem.delivery (recipient, since DESC);
CREATE INDEX message_project ON tandem.message (project_id, id DESC);

-- Notices that wait for the next digest; their texts are in tandem.message.
CREATE TABLE tandem.digest_item (
  held_at  timestamptz NOT NULL DEFAULT now(),
  event_id uuid        NOT NULL,
  day      date,
  person   text COLLATE "C" NOT NULL,
  PRIMARY KEY (event_id, person)
);
COMMENT ON COLUMN tandem.digest_item.day IS 'the digest that tells of it; null: none yet';
CREATE INDEX digest_item_waiting ON tandem.digest_item (person) WHERE day IS NULL;
CREATE INDEX digest_item_day ON tandem.digest_item (person, day);

-- One digest a person and day, whatever is killed: its row says which notices are in it.
CREATE TABLE tandem.digest (
  made_at timestamptz NOT NULL DEFAULT now(),
  day     date        NOT NULL,
  person  text COLLATE "C" NOT NULL,
  PRIMARY KEY (person, day)
);

-- Calendars of due dates: whoever has the secret reads them.
CREATE TABLE tandem.calendar_feed (
  made_at  timestamptz NOT NULL DEFAULT now(),
  used_at  timestamptz,
  ended_at timestamptz,
  hash     bytea       PRIMARY KEY CHECK (octet_length(hash) = 32),
  person   text COLLATE "C" NOT NULL
);
CREATE UNIQUE INDEX calendar_feed_person ON tandem.calendar_feed (person) WHERE ended_at IS NULL;

-- What is to be told about addresses: the worker starts it on its way.
CREATE TABLE tandem.address_note (
  made_at    timestamptz NOT NULL DEFAULT now(),
  started_at timestamptz,
  id         uuid        PRIMARY KEY DEFAULT gen_random_uuid(),
  person     text COLLATE "C" NOT NULL,
  kind       text        NOT NULL CHECK (kind IN ('AddressToConfirm', 'AddressToChange'))
);
CREATE INDEX address_note_owed ON tandem.address_note (made_at) WHERE started_at IS NULL;
CREATE INDEX address_note_person ON tandem.address_note (person, made_at);

REVOKE ALL ON tandem.calendar_feed, tandem.address_note FROM tandem_auditor;
GRANT INSERT ON tandem.digest_item, tandem.digest, tandem.calendar_feed, tandem.address_note TO tandem_app;
GRANT UPDATE (day) ON tandem.digest_item TO tandem_app;
GRANT UPDATE (used_at, ended_at) ON tandem.calendar_feed TO tandem_app;
GRANT UPDATE (started_at) ON tandem.address_note TO tandem_app;
GRANT UPDATE (subject, body_text, body_html) ON tandem.outbox TO tandem_app;
