"""What the tests of signing in share."""

from tests.auth.providing import process, provider

__all__ = ["process", "provider"]
