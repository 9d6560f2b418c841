"""Errors as RFC 9457 problem details. The one table from grounds to status is here."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
from starlette.requests import HTTPConnection
from starlette.responses import Response

from api import scim_errors
from api.chinese import NEXT_STEP, spoken, spoken_detail, spoken_entries
from api.language import language_of
from domain.refusals import Grounds, Refused

MEDIA_TYPE = "application/problem+json"
STATUS: dict[Grounds, int] = {
    Grounds.MALFORMED: 422,
    Grounds.NOT_ALLOWED: 403,
    Grounds.NOT_FOUND: 404,
    Grounds.STATE: 409,
    Grounds.STALE: 409,
    Grounds.RULE: 422,
}
"""Stale content is a conflict; only a stale If-Match is a failed precondition."""
PRECONDITION = "StaleVersion"

TITLES: dict[Grounds, tuple[str, str]] = {
    Grounds.MALFORMED: ("The command cannot be read", "命令无法读取"),
    Grounds.NOT_ALLOWED: ("Not allowed", "无此权限"),
    Grounds.NOT_FOUND: ("Not found", "不存在"),
    Grounds.STATE: ("Not in this state", "当前状态不允许"),
    Grounds.STALE: ("Something has changed meanwhile", "内容已变化"),
    Grounds.RULE: ("A rule says no", "规则不允许"),
}


@dataclass(frozen=True)
class Kind:
    """A problem that is not a rule's: status, titles, and what a reader of its page is told."""

    status: int
    en: str
    zh: str
    about: str
    headers: Mapping[str, str] = field(default_factory=dict)


RETRY = {"Retry-After": "1"}
KINDS: dict[str, Kind] = {
    "Unauthenticated": Kind(401, "Who are you?", "请先登录", "The credentials are missing or not accepted."),
    "ForeignPage": Kind(
        403,
        "Another page asked for this",
        "请求来自其他网站",
        "A browser says that a page of another site made the request. Nothing was done: do it from Tandem's own page.",
    ),
    "NothingSigned": Kind(
        409,
        "Nothing is signed here",
        "本系统未启用签名",
        "The installation has no key for envelopes: send the command itself, or ask the operator to set one up.",
    ),
    "PresenceNeeded": Kind(
        403,
        "Prove that you are there",
        "请先确认本人在场",
        "Give the old password, or sign in anew in the browser (/confirm-presence) and do this within five minutes.",
    ),
    "WrongPassword": Kind(403, "Not the password", "密码不正确", "The old password is another one."),
    "WeakPassword": Kind(422, "The password is too weak", "密码过于简单", "Take a few words that have no connection."),
    "TooManyAttempts": Kind(
        429, "Too many attempts", "尝试次数过多", "Wait as long as Retry-After says.", {"Retry-After": "30"}
    ),
    "NoCredential": Kind(404, "No such credential", "凭证不存在", "It is none of yours, or has ended already."),
    "PersonErased": Kind(
        409, "The person was erased", "此人的信息已被删除", "Nothing of this person is kept any more, or ever again."
    ),
    "ForOfficers": Kind(
        403,
        "For PMO officers",
        "仅限 PMO",
        "Ask somebody who is PMO of the organisation, with a credential that administers. While nobody is, the PMO "
        "of any project will do.",
    ),
    "ForAuditors": Kind(
        403,
        "For auditors of the organisation",
        "仅限组织审计员",
        "The whole log is for the organisation's auditors. A project's own pack is for whoever sees the project.",
    ),
    "NoList": Kind(
        422,
        "The list cannot be read",
        "名单无法读取",
        "A list is UTF-8, comma-separated, its first line `person,team,role`, with at most 5,000 lines.",
    ),
    "LinesRefused": Kind(
        422, "Lines of the list are wrong", "名单中有错误的行", "Nothing was taken. A dry run names every fault."
    ),
    "SignedInBefore": Kind(
        409,
        "The person has signed in before",
        "此人已登录过",
        "Nobody gets a link to somebody else's account. Who cannot sign in any more gets one from the operator: "
        "`tandem sign-in`.",
    ),
    "TooManyTokens": Kind(409, "Too many tokens", "令牌数量已达上限", "Fifty tokens live already: end one first."),
    "NotFound": Kind(404, "Not found", "不存在", "There is nothing at this address."),
    "NoProject": Kind(404, "No such project", "项目不存在", "There is no project with this id."),
    "NoSuchVersion": Kind(404, "No such version", "版本不存在", "The project had no such version, or not yet."),
    "NoDecision": Kind(404, "No such decision", "决定不存在", "The project has no such decision, or had none then."),
    "TooLongAgo": Kind(
        422,
        "Too long ago to look at all projects",
        "时间太久,无法汇总全部项目",
        "More than 2,000 projects have changed since. Look at single projects as of then, or at a later instant.",
    ),
    "NoCheckpoint": Kind(404, "No such checkpoint", "检查点不存在", "Nothing is sealed yet, or nothing of this size."),
    "NotSealedYet": Kind(
        409, "Not sealed yet", "尚未封存", "The log is sealed a few seconds behind. Ask again.", {"Retry-After": "2"}
    ),
    "SealBroken": Kind(
        503,
        "The log is not the one that was sealed",
        "日志与封存内容不一致",
        "What is stored contradicts its checkpoints, so there is no proof. Operators and auditors must look.",
        {"Retry-After": "60"},
    ),
    "UnknownWitness": Kind(403, "An unknown witness", "未知的见证方", "The line is by no witness that is known here."),
    "BadCosignature": Kind(
        422, "Not a signature of this checkpoint", "见证签名无效", "The line does not verify under the witness's key."
    ),
    "NoMessage": Kind(404, "No such message", "消息不存在", "The message is not in your inbox."),
    "NoEvent": Kind(404, "No such event", "事件不存在", "There is no event with this id."),
    "NoConsumer": Kind(404, "No such consumer", "消费者不存在", "You have no consumer of this name."),
    "NoWebhook": Kind(404, "No such webhook", "回调不存在", "You have no webhook with this id."),
    "NoDelivery": Kind(404, "No such delivery", "投递记录不存在", "The webhook's log has no such attempt, or no more."),
    "LeaseHeld": Kind(
        409, "Somebody else is reading", "他人正在读取", "Events are given to one reader at a time. Try again later."
    ),
    "LeaseLost": Kind(
        409,
        "The lease is another's by now",
        "租约已失效",
        "Another reader has taken over, or the consumer was reset. Forget this batch and ask for the next one.",
    ),
    "StaleAck": Kind(409, "Acknowledged before", "已确认过", "The checkpoint is further on. A reset sets it back."),
    "WebhookDisabled": Kind(
        409, "The webhook is disabled", "回调已停用", "Nothing is sent to it. Enable it first: PATCH {enabled: true}."
    ),
    "TooManyFeeds": Kind(
        409,
        "Too many of them",
        "数量已达上限",
        "One principal may have 50 consumers and 50 webhooks. Delete one first.",
    ),
    "ScopeMissing": Kind(
        403, "This credential is not good for that", "凭证权限不足", "Use a credential with the scope that is needed."
    ),
    "AddressRefused": Kind(
        422,
        "Nothing is sent to this address",
        "地址不被允许",
        "Webhooks lead to https addresses in the public internet, unless an operator allows private ones.",
    ),
    "KeyReused": Kind(
        422, "The key was used for something else", "幂等键已被占用", "Send another Idempotency-Key, or the same body."
    ),
    "StillBlind": Kind(
        409,
        "You are evaluating blind",
        "盲评进行中",
        "The log holds what the other side has said of a project that you evaluate. Export it when both sides are in.",
    ),
    "MethodNotAllowed": Kind(405, "Method not allowed", "方法不允许", "This address does not take this method."),
    "TooManyRequests": Kind(
        429, "Too many requests", "请求过于频繁", "Ask again after the seconds that Retry-After names.", RETRY
    ),
    "TooLarge": Kind(413, "The body is too large", "请求体过大", "A body has at most 256 KiB."),
    "UnsupportedMediaType": Kind(
        415, "Send JSON", "请发送 JSON", "A body is application/json, UTF-8, without a content encoding."
    ),
    "Invalid": Kind(
        422, "The request cannot be read", "请求无法读取", "Parameters or headers are wrong: see `errors`."
    ),
    "TooManyRows": Kind(
        422,
        "Too many rows for this form",
        "行数过多,无法生成此格式",
        "Narrow the filter, or ask for CSV or NDJSON, which have no bound.",
    ),
    "TooManyListeners": Kind(
        503, "Too many listeners", "监听连接过多", "Every place for a live feed is taken; poll instead.", RETRY
    ),
    "StoreUnavailable": Kind(
        503,
        "The database is away",
        "数据库暂不可用",
        "Nothing is half done. Send the same request again, with the same Idempotency-Key where there is one.",
        RETRY,
    ),
    "Contended": Kind(
        503,
        "Others were first, again and again",
        "并发过高",
        "Nothing was written. Send the same command again.",
        RETRY,
    ),
    "ProjectArchived": Kind(
        409,
        "The project is archived",
        "项目已归档",
        "What its events hold is in a pack. An operator can bring it back: `tandem archive restore`.",
    ),
    "VaultLocked": Kind(
        503,
        "The vault is locked",
        "保险库未解锁",
        "This installation has no key for texts that speak of people, so it takes none. An operator must set "
        "TANDEM_VAULT_KEY_FILE. Nothing was written.",
        {"Retry-After": "60"},
    ),
    "StreamRewound": Kind(
        503,
        "The database is older than what was seen",
        "数据库版本倒退",
        "The database was restored from an older copy. Operators must look before anything is written.",
        {"Retry-After": "60"},
    ),
    "Broken": Kind(500, "Something is broken here", "服务内部错误", "A fault of ours; it is logged under request_id."),
}
_CODE = re.compile(r"[A-Z][A-Za-z0-9]{1,60}")


class Problem(Exception):
    """Raised to answer with one of KINDS."""

    def __init__(
        self,
        code: str,
        detail: str | None = None,
        *,
        errors: Sequence[Mapping[str, str]] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail or code)
        self.code = code
        self.detail = detail
        self.errors = errors
        self.headers = headers or {}


def invalid(pointer: str, message: str, code: str = "invalid") -> Problem:
    """A parameter or header that cannot be read, e.g. at `/header/If-Match`."""
    return Problem("Invalid", message, errors=[{"pointer": pointer, "code": code, "message": message}])


ABBREVIATIONS = re.compile(r"\b(kpi|pmo|raci)\b", re.IGNORECASE)


def words(code: str) -> str:
    """`WrongStage` → `Wrong stage`; `RaciIncomplete` → `RACI incomplete`."""
    said = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", code).capitalize()
    return ABBREVIATIONS.sub(lambda found: found[0].upper(), said)


def refusal_status(refusal: Refused) -> int:
    """The HTTP status of a refusal."""
    return 412 if refusal.code == PRECONDITION else STATUS[refusal.grounds]


def refusal_fields(refusal: Refused, language: str) -> dict[str, Any]:
    """A refusal as problem details, without the request's id."""
    chinese = f"{TITLES[refusal.grounds][1]}({refusal.code})"
    return _fields(
        refusal.code,
        refusal_status(refusal),
        chinese if language == "zh" else words(refusal.code),
        detail=spoken_detail(refusal.detail, language, refusal.code, refusal.errors),
        rule=refusal.rule,
        errors=spoken_entries(refusal.errors, language, refusal.code),
        next_step=spoken(refusal.next_step, language, NEXT_STEP, refusal.code),
    )


def problem_fields(problem: Problem, language: str) -> dict[str, Any]:
    """Any other problem as problem details, without the request's id."""
    kind = KINDS[problem.code]
    title = kind.zh if language == "zh" else kind.en
    detail = spoken_detail(problem.detail or kind.about, language, problem.code, problem.errors)
    errors = spoken_entries(problem.errors, language, problem.code)
    return _fields(problem.code, kind.status, title, detail=detail, errors=errors)


def _fields(code: str, status: int, title: str, **rest: Any) -> dict[str, Any]:
    fields = {"type": f"/problems/{code}", "title": title, "status": status, "code": code}
    return fields | {name: value for name, value in rest.items() if value}


def answer(request: HTTPConnection, fields: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> Response:
    """The response for problem details; adds `request_id`."""
    if request.scope["path"].startswith(scim_errors.ROOT + "/"):
        return scim_errors.from_problem(fields, headers or {})
    whole = {**fields, "request_id": request.scope.get("state", {}).get("request_id", "")}
    told = {"Cache-Control": "no-store", "Content-Language": language_of(request), **(headers or {})}
    return Response(orjson.dumps(whole), fields["status"], told, MEDIA_TYPE)


def problem_answer(request: HTTPConnection, problem: Problem) -> Response:
    """The response for a Problem."""
    headers = {**KINDS[problem.code].headers, **problem.headers}
    return answer(request, problem_fields(problem, language_of(request)), headers)


def refusal_answer(request: HTTPConnection, refusal: Refused) -> Response:
    """The response for a refusal."""
    return answer(request, refusal_fields(refusal, language_of(request)))


def about(code: str) -> str | None:
    """The page behind `type`, in Markdown; None where it is no problem's name."""
    if kind := KINDS.get(code):
        return f"# {code}\n\n{kind.en} (HTTP {kind.status}).\n\n{kind.about}\n"
    if not _CODE.fullmatch(code):
        return None
    return (
        f"# {code}\n\n{words(code)}.\n\n"
        "The rules of governance refused the command; nothing was changed. `detail` says why in this case,\n"
        "`rule` names the sentence in docs/governance.md, `next_step` what can be done now. The refusal is kept\n"
        "for auditors.\n"
    )
