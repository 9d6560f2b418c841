"""Who belongs to the organisation: people, teams and the roles that reach beyond one project. One stream."""
