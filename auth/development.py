"""For a laptop: whoever says a name has it. Never in production."""

from collections.abc import Mapping

from pydantic import TypeAdapter, ValidationError

from auth.identity import Identity, Unauthenticated, bearer_token
from domain.values import Person

_person = TypeAdapter(Person)
PREFIX = "dev:"


class DevelopmentAuthenticator:
    """Accepts `Authorization: Bearer dev:<person>`."""

    async def authenticate(self, headers: Mapping[str, str]) -> Identity:
        """Raises Unauthenticated."""
        token = bearer_token(headers)
        if not token.startswith(PREFIX):
            raise Unauthenticated("This installation takes Authorization: Bearer dev:<person>.")
        try:
            return Identity(_person.validate_python(token.removeprefix(PREFIX)))
        except ValidationError:
            raise Unauthenticated("A person's name is like `li.wei`: lower case, digits, dots and dashes.") from None
