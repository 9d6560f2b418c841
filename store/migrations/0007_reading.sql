-- To be filled.
SET LOCAL ROLE tandem_owner;
