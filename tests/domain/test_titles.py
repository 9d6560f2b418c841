"""Titles that the rules write, in Chinese."""

import pytest

from domain.titles import slot_in, title_in


@pytest.mark.parametrize(
    ("title", "chinese"),
    [
        ("Charter of P-00001, revision 2", "P-00001 章程(第 2 版)"),
        ("KPI agreement of P-00001, revision 1", "P-00001 KPI 协议(第 1 版)"),
        ("Plan baseline of P-00001, version 3", "P-00001 计划基线(第 3 版)"),
        ("Back to KICKOFF: 范围不清", "退回启动:范围不清"),
        ("Cancel: The market\nhas gone", "取消项目:The market\nhas gone"),
        ("Confirm chen.yu as PMO", "确认 chen.yu 担任PMO"),
        ("li.wei: Closing of P-00007", "li.wei: P-00007 结项"),
        ("li.wei has left: hand on PMO, SPONSOR", "li.wei 已离开,请移交:PMO、发起人"),
    ],
)
def test_what_a_rule_wrote_reads_in_chinese(title: str, chinese: str) -> None:
    assert title_in(title, "zh") == chinese
    assert title_in(title, "en") == title


@pytest.mark.parametrize("title", ["Add card payment", "C-1: Charter of P-1", "Charter of the city, revision 2"])
def test_peoples_own_words_stay(title: str) -> None:
    assert title_in(title, "zh") == title


def test_slots_that_are_called_after_a_role_read_as_the_role() -> None:
    assert slot_in("product-manager", "zh") == "产品经理"
    assert slot_in("co-signer-1", "zh") == "co-signer-1"
    assert slot_in("product-manager", "en") == "product-manager"
