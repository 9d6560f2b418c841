"""How a notice travels: one module a channel; `CHANNELS` names those in use."""
