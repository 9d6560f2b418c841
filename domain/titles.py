"""Titles that the rules write are stored in English; here they are in Chinese. People's own words stay as they are."""

import re
from collections.abc import Callable

from domain.words import word

_STAGES = "KICKOFF|KPI_AGREEMENT|EXECUTION|CHANGE_REVIEW|RETROSPECTIVE"
_ROLES = "SPONSOR|PMO|PRODUCT_MANAGER|MEMBER|AUDITOR|ADMINISTRATOR"
_CODE = r"P-[0-9]{1,9}"
_PERSON = r"[a-z][a-z0-9._-]{0,63}"

PATTERNS: tuple[tuple[str, Callable[[re.Match[str]], str]], ...] = (
    (rf"Charter of ({_CODE}), revision ([0-9]+)", lambda m: f"{m[1]} 章程(第 {m[2]} 版)"),
    (rf"KPI agreement of ({_CODE}), revision ([0-9]+)", lambda m: f"{m[1]} KPI 协议(第 {m[2]} 版)"),
    (rf"Plan baseline of ({_CODE}), version ([0-9]+)", lambda m: f"{m[1]} 计划基线(第 {m[2]} 版)"),
    (rf"Completion of ({_CODE})", lambda m: f"{m[1]} 完工"),
    (rf"Acceptance of ({_CODE})", lambda m: f"{m[1]} 验收"),
    (rf"Closing of ({_CODE})", lambda m: f"{m[1]} 结项"),
    (rf"Back to ({_STAGES}): (.+)", lambda m: f"退回{_zh(m[1])}:{m[2]}"),
    (r"Cancel: (.+)", lambda m: f"取消项目:{m[1]}"),
    (rf"Confirm ({_PERSON}) as ({_ROLES})", lambda m: f"确认 {m[1]} 担任{_zh(m[2])}"),
    (r"Check-in (K-[0-9]+)", lambda m: f"例会 {m[1]}"),
    (rf"Evaluate ({_CODE})", lambda m: f"评价 {m[1]}"),
    (rf"({_PERSON}) has left: hand on (.+)", lambda m: f"{m[1]} 已离开,请移交:{_list(m[2])}"),
    (rf"({_PERSON}: )(.+)", lambda m: m[1] + _told(m[2])),
)
"""A whole title as a rule writes it, and its Chinese words."""
WRITTEN = [(re.compile(pattern, re.DOTALL), words) for pattern, words in PATTERNS]


def title_in(title: str, language: str) -> str:
    """The title in the reader's language, as far as a rule wrote it."""
    return _told(title) if language.startswith("zh") else title


def slot_in(name: str, language: str) -> str:
    """The name of a slot in the reader's language, where it is called after a role."""
    code = name.upper().replace("-", "_")
    return _zh(code) if language.startswith("zh") and re.fullmatch(_ROLES, code) else name


def _told(title: str) -> str:
    for pattern, words in WRITTEN:
        if found := pattern.fullmatch(title):
            return words(found)
    return title


def _zh(code: str) -> str:
    return word(code, "zh")


def _list(codes: str) -> str:
    return "、".join(_zh(code.strip()) for code in codes.split(","))
