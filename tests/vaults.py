"""The vault of tests: in the store's own database, under a key that everybody knows."""

from base64 import b64encode

from activities.vault import Vault
from store.postgres import PostgresStore
from store.vault import PostgresVault

MASTER = bytes(range(32))
MASTER_TEXT = b64encode(MASTER).decode()


def keys_of(store: PostgresStore) -> PostgresVault:
    """Where the keys of persons are."""
    return PostgresVault("", store.pool, MASTER)


def vault_of(store: PostgresStore) -> Vault:
    """What seals and opens."""
    return Vault(keys_of(store))
