-- Signing in through an OpenID provider, and what is typed before somebody has to prove to be there.
SET LOCAL ROLE tandem_owner;

-- Whom a provider may show to be there is not known before it says when: such a session has proved nothing yet.
ALTER TABLE tandem.session ALTER COLUMN confirmed_at DROP NOT NULL;

-- Journeys to the provider that are under way. Read once, by taking them away.
CREATE TABLE tandem.handshake (
  made_at    timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz NOT NULL,
  session    uuid,
  hash       bytea PRIMARY KEY CHECK (octet_length(hash) = 32),
  onwards    text  NOT NULL CHECK (length(onwards) <= 500)
);
COMMENT ON COLUMN tandem.handshake.hash IS 'of the secret in the browser''s cookie, from which everything else follows';
COMMENT ON COLUMN tandem.handshake.session IS 'whose person is to prove to be there; null: somebody signs in';

-- Who somebody at the provider is here: bound at the first time, whatever the provider calls them later.
CREATE TABLE tandem.subject (
  bound_at timestamptz NOT NULL DEFAULT now(),
  issuer   text COLLATE "C" NOT NULL,
  subject  text COLLATE "C" NOT NULL CHECK (length(subject) <= 255),
  person   text COLLATE "C" NOT NULL CHECK (person ~ '^[a-z][a-z0-9._-]{0,63}$'),
  PRIMARY KEY (issuer, subject),
  UNIQUE (issuer, person)
);

-- What somebody had typed when they were asked to prove to be there; sealed with a secret that only the browser has.
CREATE TABLE tandem.draft (
  expires_at timestamptz NOT NULL,
  hash       bytea PRIMARY KEY CHECK (octet_length(hash) = 32),
  sealed     bytea NOT NULL CHECK (octet_length(sealed) <= 400000)
);

REVOKE ALL ON tandem.handshake, tandem.subject, tandem.draft FROM tandem_auditor;
GRANT INSERT, DELETE ON tandem.handshake, tandem.draft TO tandem_app;
GRANT INSERT ON tandem.subject TO tandem_app;
