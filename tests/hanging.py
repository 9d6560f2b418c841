"""Where everything waits once a test has lasted too long: the stack of the event loop alone would not say it."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest


def waiting(failed: pytest.ExceptionInfo[BaseException]) -> str:
    """Every task of the loop that was running when it failed, each with the line it waits in and what called it."""
    loops = [entry.frame.f_locals["self"] for entry in failed.traceback if entry.name == "run_forever"]
    return "\n\n".join(_lines(task) for loop in loops for task in asyncio.all_tasks(loop))


def _lines(task: "asyncio.Task[Any]") -> str:
    return "\n  ".join([task.get_name(), *_frames(task.get_coro())])


def _frames(awaited: Any) -> Iterator[str]:
    while awaited is not None:
        frame = _one_of(awaited, "cr_frame", "ag_frame", "gi_frame")
        yield repr(awaited) if frame is None else f"{frame.f_code.co_filename}:{frame.f_lineno} {frame.f_code.co_name}"
        awaited = _one_of(awaited, "cr_await", "ag_await", "gi_yieldfrom")


def _one_of(awaited: Any, *names: str) -> Any:
    return next((found for name in names if (found := getattr(awaited, name, None)) is not None), None)
