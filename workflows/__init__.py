"""Time: deterministic, and knowing no rule. What a workflow branches on, a step has returned."""
