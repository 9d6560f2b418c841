#!/bin/sh
# Temporal's tables, created or brought up to date; nothing happens where they are current.
# Host, port, user, password and plugin come from the environment (SQL_HOST, SQL_PORT, …).
set -eu

versions=/etc/temporal/schema/postgresql/v12

for store in temporal visibility; do
  case "$store" in
    temporal) database=temporal ;;
    visibility) database=temporal_visibility ;;
  esac
  temporal-sql-tool --database "$database" setup-schema --version 0.0
  temporal-sql-tool --database "$database" update-schema --schema-dir "$versions/$store/versioned"
done
