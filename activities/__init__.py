"""Steps: what touches the world. Each may run twice and is recorded once."""
