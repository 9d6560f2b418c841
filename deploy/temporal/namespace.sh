#!/bin/sh
# The namespace and its search attributes. May be repeated; what exists is left as it is.
#   TEMPORAL_ADDRESS      host:port
#   TEMPORAL_NAMESPACE    name of the namespace
#   RETENTION             how long closed runs are kept, for instance 168h
#   SEARCH_ATTRIBUTES     Name=Type, separated by spaces
set -eu

attempt() {
  # A new namespace is known everywhere only after some seconds: try again for a minute.
  tries=0
  until said=$("$@" 2>&1); do
    case "$said" in
      *"different type"*) echo "$said" >&2; return 1 ;;
      *"already exists"*) return 0 ;;
    esac
    tries=$((tries + 1))
    if [ "$tries" -ge 30 ]; then
      echo "$said" >&2
      return 1
    fi
    sleep 2
  done
}

attempt temporal operator cluster health
if ! temporal operator namespace describe --namespace "$TEMPORAL_NAMESPACE" >/dev/null 2>&1; then
  attempt temporal operator namespace create --namespace "$TEMPORAL_NAMESPACE" --retention "$RETENTION"
fi
for attribute in $SEARCH_ATTRIBUTES; do
  attempt temporal operator search-attribute create --namespace "$TEMPORAL_NAMESPACE" \
    --name "${attribute%%=*}" --type "${attribute#*=}"
done
echo "namespace $TEMPORAL_NAMESPACE is ready"
