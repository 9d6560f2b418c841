"""Settings fit to be shown."""

import re
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from pydantic_settings import BaseSettings

_PASSWORD = re.compile(r"(://[^:@/]*):[^@]*@|([?&][a-z_]*(?:password|secret|token)=)[^&\s]*", re.IGNORECASE)
MASK = "********"


def masked(settings: BaseSettings) -> dict[str, Any]:
    """Name and value of each setting. Of a secret address host and name are shown, a password never is."""
    return {name: _shown(value) for name, value in settings}


def _shown(value: Any) -> Any:
    if isinstance(value, SecretStr):
        plain = value.get_secret_value()
        return _PASSWORD.sub(_hide, plain) if "://" in plain else MASK
    return str(value) if isinstance(value, Path) else value


def _hide(found: re.Match[str]) -> str:
    return f"{found[1]}:{MASK}@" if found[1] else f"{found[2]}{MASK}"
