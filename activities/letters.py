"""A notice as it reads when it is sent: rendered, in the reader's language, with an id that a repeat has too."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Letter:
    """Everything but the address, which stays in the vault until the moment of sending."""

    event_id: str
    recipient: str
    channel: str
    message_id: str
    thread_id: str
    """What all letters of one project answer to: mail programs show them together."""
    language: str
    subject: str
    text: str
    html: str
