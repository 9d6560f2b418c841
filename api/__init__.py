"""How programs ask: JSON over HTTP. docs/reference/openapi.json is the contract."""
