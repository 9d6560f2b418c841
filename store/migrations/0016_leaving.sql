-- How an identity provider knows the people and groups that it keeps here by SCIM. Not what it says of people: their names
-- and addresses are in the vault, sealed, and go with their keys.
SET LOCAL ROLE tandem_owner;

CREATE TABLE tandem.scim_resource (
  created_at  timestamptz NOT NULL DEFAULT now(),
  changed_at  timestamptz NOT NULL DEFAULT now(),
  removed_at  timestamptz,
  kind        text NOT NULL CHECK (kind IN ('User', 'Group')),
  name        text COLLATE "C" NOT NULL CHECK (name <> ''),
  title       text COLLATE "C",
  external_id text COLLATE "C",
  PRIMARY KEY (kind, name)
);
CREATE INDEX scim_resource_external ON tandem.scim_resource (kind, external_id) WHERE external_id IS NOT NULL;
CREATE UNIQUE INDEX scim_resource_title ON tandem.scim_resource (kind, lower(title))
  WHERE title IS NOT NULL AND removed_at IS NULL;
COMMENT ON COLUMN tandem.scim_resource.name IS 'the person or the team: the id that the provider is given';
COMMENT ON COLUMN tandem.scim_resource.title IS 'a group''s name as people read it; null for a person';
COMMENT ON COLUMN tandem.scim_resource.removed_at IS 'the provider has deleted it; null while it is there';

GRANT INSERT ON tandem.scim_resource TO tandem_app;
GRANT UPDATE (changed_at, removed_at, title, external_id) ON tandem.scim_resource TO tandem_app;
