"""Facts: appending, reading, following and migrating the one truth in PostgreSQL."""
