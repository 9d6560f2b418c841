"""A key for the envelopes that tests send as signals."""

from base64 import b64encode

from activities.envelopes import EnvelopeCheck, EnvelopeSigner

SEED = b64encode(bytes(range(32))).decode()
SIGNER = EnvelopeSigner.read(SEED)
CHECK = EnvelopeCheck([SIGNER.public])
SETTINGS = {"TANDEM_ENVELOPE_KEY": SEED, "TANDEM_ENVELOPE_PUBLIC_KEYS": SIGNER.public}
"""What server and worker are told of it."""
