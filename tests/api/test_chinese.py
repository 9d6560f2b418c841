"""Refusals in Chinese: what the rules really say, matched with its template and said again."""

import json
import re
import time
from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

import pytest
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from api.chinese import ERROR, NEXT_STEP, Template, spoken, spoken_detail, spoken_entry
from api.problems import Problem, problem_fields, refusal_fields
from dev.field_messages import DATES, PYDANTIC
from domain.decider import COMMANDS
from domain.messages import wrong_fields
from domain.refusals import Refused, wrong_state
from tests.api.asking import MEMBER, PRODUCT, Api, problem
from tests.plays import changing, chartering, closed, executing, looking_back, planned, proposed, started, submit
from tests.spec import AUDITOR, PMO, SPONSOR, Given, agreement, given, kpi, plan


class Inner(BaseModel):
    """An object inside."""

    a: int


class Strict(BaseModel):
    """Fields of every sort that a body or a query has."""

    model_config = ConfigDict(extra="forbid", strict=True)
    needed: int
    short: Annotated[str, Field(min_length=2)]
    empty: Annotated[str, Field(min_length=1)]
    long: Annotated[str, Field(max_length=2)]
    letter: Annotated[str, Field(max_length=1)]
    pattern: Annotated[str, Field(pattern="^a$")]
    string: str
    integer: int
    parsed: Annotated[int, Field(strict=False)]
    broken: Annotated[int, Field(strict=False)]
    huge: Annotated[int, Field(strict=False)]
    least: Annotated[int, Field(ge=3)]
    more: Annotated[int, Field(gt=3)]
    most: Annotated[int, Field(le=3)]
    less: Annotated[int, Field(lt=3)]
    choice: Literal["a", "b", "c"]
    day: date
    instant: datetime
    aware: AwareDatetime
    inner: Inner
    mapping: dict[str, int]
    row: tuple[int, ...]
    listed: list[int]
    truth: bool
    said: Annotated[bool, Field(strict=False)]
    some: Annotated[tuple[int, ...], Field(min_length=1)]
    two: Annotated[tuple[int, ...], Field(min_length=2)]
    one: Annotated[tuple[int, ...], Field(max_length=1)]
    few: Annotated[list[int], Field(max_length=2)]
    uuid: UUID


WRONG = {
    "extra": 1,
    "short": "a",
    "empty": "",
    "long": "aaa",
    "letter": "aa",
    "pattern": "b",
    "string": 1,
    "integer": "x",
    "parsed": "x",
    "broken": 1.5,
    "huge": "9" * 5000,
    "least": 1,
    "more": 1,
    "most": 9,
    "less": 9,
    "choice": "z",
    "aware": "2026-01-01T00:00:00",
    "inner": 1,
    "mapping": 1,
    "row": 1,
    "listed": 1,
    "truth": 1,
    "said": "x",
    "some": [],
    "two": [],
    "one": [1, 2],
    "few": [1, 2, 3],
    "uuid": "x",
}
DAYS = ["x", "2026-13-01", "2026-02-30", "2026/01/01", "20x6-01-01", "2026-0x-01", "2026-01-0x", "2026-01-01x"]
DAYS += ["2026-01-01T09:00:00Z", "2026-01-01?09:00Z", "2026-01-01T0x:00Z", "2026-01-01T09:0xZ", "2026-01-01T25:00Z"]
DAYS += ["2026-01-01T09:61Z"]
LESSON = COMMANDS["CaptureLesson"].example
RECYCLE = {"to": "CHANGE_REVIEW", "reason": "x"}
SOLO = {"until": "2027-01-01", "reason": "x"}
HELD = {"check_in": "K-1", "attendees": [PRODUCT], "outcomes": ["x"]}
AUDIT = {"decision": "D-1", "person": AUDITOR, "place": "PARALLEL", "reason": "x"}


def refusal_of(at: Given, command: str, by: str, **data: object) -> Refused:
    refused = at.when(command, by, **data).refusal
    assert refused, command
    return refused


def refused_vote(at: Given, by: str, value: str = "APPROVE", **data: object) -> Refused:
    refused = at.when_vote(by, value, **data).refusal
    assert refused
    return refused


def real() -> dict[str, Refused]:
    """What was really refused → its Chinese sentence."""
    charters, drafts = given(chartering()), given(started())
    return {
        "此操作须由项目的 PMO、产品经理、发起人进行,tao.yun 不在其列。": refusal_of(
            drafts, "HoldProject", MEMBER, reason="x"
        ),
        "此操作属于执行阶段,而 TD-1 处于启动阶段。": refusal_of(drafts, "ProposePlan", PMO, content=plan()),
        "尚无章程。": refusal_of(drafts, "ProposeCharter", PMO, revision=1),
        "此操作只由生命周期自行进行。": refusal_of(drafts, "PassTime", PMO, now="2026-03-02T01:00:00Z"),
        "tao.yun 已担任成员。": refusal_of(drafts, "AssignRole", PMO, person=MEMBER, role="MEMBER", reason="x"),
        "pei.min 不能在本项目中既任审计员又任 PMO,现在和将来都不行。": refusal_of(
            drafts, "AssignRole", SPONSOR, person=PMO, role="AUDITOR", reason="x"
        ),
        "单人兼任例外的截止日须在今天与 2026-05-31 之间。": refusal_of(drafts, "GrantSoloException", SPONSOR, **SOLO),
        "TD-1 已暂停:Audit, then more": refusal_of(
            given(started().do("HoldProject", PMO, reason="Audit, then more")), "CaptureLesson", MEMBER, **LESSON
        ),
        "“否决”须说明理由。": refused_vote(charters, PMO, "REJECT", reason=None),
        "您此前对 D-1 已表示“同意”。": refused_vote(given(chartering().vote(PMO)), PMO),
        "您不能在 D-4 的“产品经理”席位上签署:pan.mei 是此处所决内容的作者。": refused_vote(
            given(changing(author=PRODUCT)), PRODUCT
        ),
        "D-1 由 PMO、产品经理、发起人签署,您不在其中。": refused_vote(charters, MEMBER),
        "章程已在签署中:D-1。": refusal_of(charters, "ProposeCharter", PRODUCT, revision=1),
        "章程目前是第 1 版,不是第 2 版。": refusal_of(charters, "ProposeCharter", PRODUCT, revision=2),
        "只有提出 D-1 的 pan.mei 才能撤回它。": refusal_of(
            charters, "WithdrawDecision", PMO, decision="D-1", reason="x"
        ),
        "本项目中没有决策 D-9。": refusal_of(charters, "NudgeApprovers", PRODUCT, decision="D-9"),
        "权重之和为 7501 个基点,不是 10000。": refusal_of(
            given(proposed()), "ProposeAgreement", PMO, content=kpi(agreement(), "on-time", weight_bp=1)
        ),
        "产品经理一方无人出席 K-1。": refusal_of(given(executing()), "HoldCheckIn", PMO, **HELD | {"attendees": [PMO]}),
        "PMO 一方无人出席 K-1。": refusal_of(given(executing()), "HoldCheckIn", PRODUCT, **HELD),
        "变更评审不在项目目前所处的执行阶段之前。": refusal_of(given(planned()), "ProposeRecycle", PMO, **RECYCLE),
        "C-1 评估中:须有双方基于同一计划版本的影响评估。": refusal_of(
            given(submit(planned())), "OpenChangeDecision", PMO, change="C-1"
        ),
        "计划已成基线:只能通过已批准的变更修改。": refusal_of(given(planned()), "ProposePlan", PMO, content=plan()),
        "Z1:双方须提交评价,较大的差异须记录如何处理。 Z9:请由他人确认一条经验教训,或说明为何没有。": refusal_of(
            given(looking_back()), "ProposeClosing", PMO, **COMMANDS["ProposeClosing"].example
        ),
        "TD-1 已关闭(已完成),不再进行任何事项。": refusal_of(given(closed()), "CaptureLesson", MEMBER, **LESSON),
        "an.jing 是审计员,在此不签署任何内容。": refusal_of(charters, "AddCoSigner", PRODUCT, **AUDIT),
        "您在 D-1 的“发起人”席位上没有位置。": refusal_of(
            charters, "TransferSlot", PMO, decision="D-1", slot="sponsor", to=MEMBER, reason="x"
        ),
    }


def test_real_refusals_read_in_chinese() -> None:
    for words, refusal in real().items():
        told = refusal_fields(refusal, "zh")
        assert told["detail"] == words, refusal.detail
        for sentence in (told["detail"], told["next_step"]):
            assert sentence.lang == "zh"
            assert not re.search(r"[A-Za-z]+ [a-z]+ [a-z]+", sentence.replace("Audit, then more", "")), sentence


def test_english_stays_as_the_rules_wrote_it() -> None:
    for refusal in real().values():
        told = refusal_fields(refusal, "en")
        assert (told["detail"], told["next_step"]) == (refusal.detail, refusal.next_step)
        assert told["detail"].lang == "en"
        assert told.get("errors", []) == list(refusal.errors)


def test_problems_read_in_chinese() -> None:
    assert problem_fields(Problem("TooLarge"), "zh")["detail"] == "请求体最大 256 KiB。"
    scope = Problem("ScopeMissing", "A credential with the scope audit is needed for that.")
    assert problem_fields(scope, "zh")["detail"] == "此操作须使用带有 audit 权限的凭证。"
    unfit = spoken("This cannot be stored: an event takes 9 bytes, more than 8.", "zh", "Malformed")
    assert unfit == "无法存储:事件有 9 字节,超过 8。"


def test_what_nobody_has_words_for_stays_english_and_says_so() -> None:
    told = refusal_fields(wrong_state("AlreadyHeld", "Something else.", next_step="Whatever."), "zh")
    assert (told["detail"], told["detail"].lang) == ("Something else.", "en")
    assert told["next_step"].lang == "en"
    entry = {"pointer": "/x", "code": "value_error", "message": "Value error, whatever"}
    assert (spoken_entry(entry, "zh"), spoken_entry(entry, "zh").lang) == ("Value error, whatever", "en")


def test_entries_of_errors_read_in_chinese() -> None:
    blank = {"pointer": "/x", "code": "value_error", "message": "Value error, must not be blank"}
    assert spoken_entry(blank, "zh") == "不得为空白"
    assert spoken_entry(blank, "en") == blank["message"]
    line = {"pointer": "/lines/3", "code": "NoSuchTeam", "message": "Line 3: There is no team x."}
    assert spoken_entry(line, "zh", "LinesRefused") == "第 3 行:没有团队 x。"


def read(told: dict[str, object], *, strict: bool | None) -> None:
    """As JSON where nothing is said of strictness, else as a query."""
    if strict is None:
        Strict.model_validate_json(json.dumps(told))
    Strict.model_validate(told, strict=strict)


def said_by_pydantic() -> set[str]:
    """Every message that it has for what is wrong here."""
    found = set()
    for day in [*DAYS, 1]:
        for strict in (None, False, True):
            with pytest.raises(ValidationError) as wrong:
                read({**WRONG, "day": day, "instant": day}, strict=strict)
            found |= {entry["message"] for entry in wrong_fields(wrong.value)}
    with pytest.raises(ValidationError) as wrong:
        Strict.model_validate_json("{")
    return found | {str(wrong.value.errors()[0]["msg"])}


def test_what_the_validator_says_reads_in_chinese() -> None:
    said = {one for one in said_by_pydantic() if "instance of UUID" not in one}
    english = {one for one in said if spoken(one, "zh", ERROR).lang != "zh"}
    assert not english
    unused = [
        template
        for template in PYDANTIC
        if template not in said and not any(Template(template, "").read(one) for one in said)
    ]
    assert not unused
    assert [reason for reason in DATES if not any(one.endswith(reason) for one in said)] == []
    assert spoken("Input should be 'a', 'b' or 'c'", "zh", ERROR) == "须为下列之一:'a'、'b'、'c'"
    assert spoken("Tuple should have at most 1 item after validation, not 2", "zh", ERROR) == "列表最多 1 项,现有 2 项"


@pytest.mark.parametrize(
    ("code", "detail", "words"),
    [
        ("NotInDirectory", "The directory does not know pmo.", "目录中没有 pmo。"),
        ("AlreadyErased", "dispute was erased.", "dispute 的信息已被删除。"),
        ("HeldByLaw", "li.wei is under a legal hold (dispute).", "li.wei 处于法律保留中(争议)。"),
        ("OnHold", "P-1 is on hold: PMO, TEAM", "P-1 已暂停:PMO, TEAM"),
        (
            "EffectPending",
            "D-1 is approved and takes effect soon: Cancel: CLOSED",
            "D-1 已通过,即将生效:取消项目:CLOSED",
        ),
        ("OnHold", "P-1 is on hold: ‹project› is on hold: x", "P-1 已暂停:‹project› is on hold: x"),
    ],
)
def test_only_words_of_the_rules_are_translated(code: str, detail: str, words: str) -> None:
    assert spoken_detail(detail, "zh", code) == words


def test_the_shortest_values_are_found() -> None:
    read = Template("‹a› is ‹b› (‹c›).", "").read
    assert read("x is y is z (q) (r).") == {"a": "x", "b": "y is z", "c": "q) (r"}
    assert read("x is y.") is None
    assert Template("‹a› is ‹b› already.", "").read("K-1 is already.") is None
    assert Template("a‹b›ab", "").read("ab") is None


def test_matching_takes_time_in_proportion_to_the_text() -> None:
    hostile = "a is (: in the slot of , who " * 20_000
    began = time.process_time()
    for code in ("SeparationOfDuties", "NotEligible", "OnHold", "AlreadyHeld", NEXT_STEP):
        spoken(hostile, "zh", code, NEXT_STEP)
    assert time.process_time() - began < 2


async def test_an_answer_is_in_the_language_that_was_asked_for(api: Api) -> None:
    project = await api.start()
    chinese = {"Accept-Language": "zh-CN,zh;q=0.9"}
    path = f"/v1/projects/{project}/propose-charter"
    answer = await api.post(path, {"revision": 1}, headers=chinese)
    found = problem(answer, 409, "NoDraft")
    assert (found["detail"], found["next_step"]) == ("尚无章程。", "请先起草:draft-charter。")
    assert answer.headers["content-language"] == "zh"
    found = problem(await api.post(path, {"revision": 1}), 409, "NoDraft")
    assert (found["detail"], found["next_step"]) == ("There is no charter yet.", "Draft it first: draft-charter.")
    missing = await api.get(f"/v1/projects/{project}/nonesuch", headers=chinese)
    assert problem(missing, 404)["detail"] == "此地址没有任何内容。"
    wrong = await api.get("/v1/projects?cursor=x", headers=chinese)
    assert problem(wrong, 422, "Invalid")["errors"][0]["message"] == "请原样填写上一页的 `next`。"
