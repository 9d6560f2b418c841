"""The project aggregate: a module a concept, each with its events, commands, state and rules."""
