"""Who is asking. Who may do what is a rule and lives in `domain`."""
