"""The coded words of the domain as people read them: stages, roles, kinds, states, choices, in English and Chinese."""

ZH = {
    # stages
    "KICKOFF": "启动",
    "KPI_AGREEMENT": "KPI 协议",
    "EXECUTION": "执行",
    "CHANGE_REVIEW": "变更评审",
    "RETROSPECTIVE": "复盘",
    # roles and sides
    "SPONSOR": "发起人",
    "PMO": "PMO",
    "PRODUCT_MANAGER": "产品经理",
    "MEMBER": "成员",
    "AUDITOR": "审计员",
    "ADMINISTRATOR": "管理员",
    "SYSTEM": "系统",
    # kinds of decisions
    "CHARTER": "章程",
    "AGREEMENT": "KPI 协议",
    "BASELINE": "计划基线",
    "CHANGE": "变更",
    "COMPLETION": "完工",
    "ACCEPTANCE": "验收",
    "CLOSING": "结项",
    "RECYCLE": "退回前一阶段",
    "CANCELLATION": "取消项目",
    # what people say
    "APPROVE": "同意",
    "REJECT": "否决",
    "ABSTAIN": "弃权",
    "RECUSE": "回避",
    "REQUEST_INFO": "提问",
    # what becomes of decisions, changes, gates
    "OPEN": "进行中",
    "BLOCKED": "受阻",
    "ON_HOLD": "已暂停",
    "APPROVED": "已通过",
    "EFFECTIVE": "已生效",
    "REJECTED": "已否决",
    "RETURNED": "已退回",
    "WITHDRAWN": "已撤回",
    "EXPIRED": "已过期",
    "LAPSED": "未确认",
    "SUPERSEDED": "已被取代",
    "REVOKED": "已撤销",
    "SUBMITTED": "已提交",
    "ASSESSING": "评估中",
    "READY": "可表决",
    "DECIDING": "表决中",
    "STALE": "须重新评估",
    "APPLIED": "已实施",
    "DEFERRED": "已推迟",
    "DUPLICATE": "重复",
    "NORMAL": "常规",
    "DROPPED": "不再处理",
    "CLOSED": "已关闭",
    "GO": "通过",
    "KILL": "终止",
    "completed": "已完成",
    "cancelled": "已取消",
    # whom a project is visible to
    "TEAM": "团队",
    "CONFIDENTIAL": "保密",
    "named at the start": "立项时指定",
    # who signs
    "co-signer added": "加签",
    "co-signer removed": "减签",
    "slot transferred": "转办",
    # why somebody's data is erased or held
    "asked by the person": "本人请求",
    "purpose ended": "目的已完成",
    "ordered by an authority": "主管机关要求",
    "dispute": "争议",
    "audit": "审计",
    # why somebody is deactivated, and who stands behind an organisation role
    "left the organisation": "离开组织",
    "long absence": "长期离岗",
    "account at risk": "账户存在风险",
    "told by the provider": "身份提供方通知",
    "second person awaited": "待第二人确认",
    "the only administrator": "唯一管理员",
    "mapping of the provider": "身份提供方映射",
}
KEPT_IN_CAPITALS = {"KPI", "PMO"}


def word(code: str, language: str) -> str:
    """`KPI_AGREEMENT` → `KPI agreement` or `KPI 协议`; what is not known stays as it is."""
    if language.startswith("zh"):
        return ZH.get(code, code)
    if code not in ZH:
        return code
    return " ".join(part if part in KEPT_IN_CAPITALS else part.lower() for part in code.split("_"))
