"""What a workflow is started with."""

from activities.messages import Opening

__all__ = ["Opening"]
