-- Who may sign in, and with what. Only hashes of secrets are kept; nothing here is a business fact.
SET LOCAL ROLE tandem_owner;

CREATE TABLE tandem.account (
  created_at    timestamptz NOT NULL DEFAULT now(),
  disabled_at   timestamptz,
  person        text COLLATE "C" PRIMARY KEY,
  password_hash text,
  CONSTRAINT account_shape CHECK (person ~ '^[a-z][a-z0-9._-]{0,63}$')
);
COMMENT ON COLUMN tandem.account.password_hash IS 'argon2id; null: signs in by link or through a provider';

-- Sessions of browsers.
CREATE TABLE tandem.session (
  opened_at    timestamptz NOT NULL DEFAULT now(),
  seen_at      timestamptz NOT NULL DEFAULT now(),
  expires_at   timestamptz NOT NULL,
  confirmed_at timestamptz NOT NULL DEFAULT now(),
  ended_at     timestamptz,
  id           uuid        NOT NULL UNIQUE DEFAULT gen_random_uuid(),
  hash         bytea       PRIMARY KEY CHECK (octet_length(hash) = 32),
  person       text COLLATE "C" NOT NULL,
  way          text        NOT NULL,
  device       text        NOT NULL DEFAULT ''
);
CREATE INDEX session_person ON tandem.session (person, opened_at DESC);
COMMENT ON COLUMN tandem.session.confirmed_at IS 'when the person last proved to be there: for decisions that ask it';

-- Tokens of people and of programs.
CREATE TABLE tandem.token (
  made_at    timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz NOT NULL,
  used_at    timestamptz,
  ended_at   timestamptz,
  id         uuid        NOT NULL UNIQUE DEFAULT gen_random_uuid(),
  hash       bytea       PRIMARY KEY CHECK (octet_length(hash) = 32),
  principal  text COLLATE "C" NOT NULL,
  kind       text        NOT NULL CHECK (kind IN ('personal', 'service')),
  name       text        NOT NULL,
  hint       text        NOT NULL,
  scopes     text[]      NOT NULL,
  made_by    text        NOT NULL
);
CREATE INDEX token_principal ON tandem.token (principal, made_at DESC);
COMMENT ON COLUMN tandem.token.hint IS 'prefix and last four characters, to tell tokens apart';

-- Links that sign in once, or start an installation.
CREATE TABLE tandem.link (
  made_at    timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz NOT NULL,
  used_at    timestamptz,
  hash       bytea       PRIMARY KEY CHECK (octet_length(hash) = 32),
  purpose    text        NOT NULL,
  person     text,
  made_by    text        NOT NULL
);

-- Failed attempts by whom or from where they came; the name need not exist.
CREATE TABLE tandem.attempt (
  failures   int         NOT NULL DEFAULT 0,
  last_at    timestamptz NOT NULL DEFAULT now(),
  locked_until timestamptz,
  hash       bytea       PRIMARY KEY CHECK (octet_length(hash) = 32)
) WITH (fillfactor = 70);

REVOKE ALL ON tandem.account, tandem.session, tandem.token, tandem.link, tandem.attempt FROM tandem_auditor;
GRANT INSERT ON tandem.account, tandem.session, tandem.token, tandem.link, tandem.attempt TO tandem_app;
GRANT UPDATE (password_hash, disabled_at) ON tandem.account TO tandem_app;
GRANT UPDATE (seen_at, confirmed_at, ended_at) ON tandem.session TO tandem_app;
GRANT UPDATE (used_at, ended_at) ON tandem.token TO tandem_app;
GRANT UPDATE (used_at) ON tandem.link TO tandem_app;
GRANT UPDATE (failures, last_at, locked_until) ON tandem.attempt TO tandem_app;
GRANT DELETE ON tandem.session, tandem.link, tandem.attempt TO tandem_app;
