-- How each person wants to be told beyond the inbox, and what would have been sent where nothing could be.
-- Addresses are not here: they are in the person's profile in the vault, sealed, and go with the person's key.
SET LOCAL ROLE tandem_owner;

CREATE TABLE tandem.preference (
  changed_at  timestamptz NOT NULL DEFAULT now(),
  quiet_from  time,
  quiet_until time,
  mail        boolean     NOT NULL DEFAULT false,
  person      text COLLATE "C" PRIMARY KEY CHECK (person <> ''),
  language    text        NOT NULL DEFAULT 'en' CHECK (language IN ('en', 'zh')),
  time_zone   text        NOT NULL DEFAULT 'UTC' CHECK (time_zone <> ''),
  CONSTRAINT quiet_hours CHECK ((quiet_from IS NULL) = (quiet_until IS NULL) AND quiet_from <> quiet_until)
);
COMMENT ON COLUMN tandem.preference.mail IS 'there is an address in the vault, and mail is wanted';
COMMENT ON COLUMN tandem.preference.quiet_from IS 'in the person''s own time zone; later than quiet_until: over midnight';

CREATE TABLE tandem.outbox (
  id         bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at         timestamptz NOT NULL DEFAULT now(),
  event_id   uuid        NOT NULL,
  recipient  text COLLATE "C" NOT NULL,
  channel    text        NOT NULL,
  message_id text        NOT NULL UNIQUE,
  language   text        NOT NULL,
  subject    text        NOT NULL,
  body_text  text        NOT NULL,
  body_html  text        NOT NULL
);
COMMENT ON TABLE tandem.outbox IS 'messages as they would be sent: no server is set, or none took them';

GRANT INSERT ON tandem.preference, tandem.outbox TO tandem_app;
GRANT UPDATE (changed_at, quiet_from, quiet_until, mail, language, time_zone) ON tandem.preference TO tandem_app;
