"""Scenarios of failure: read strictly, struck on time, used up, and repeated exactly from the same seed."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paper_exchange.faults import POST_ONLY_MS, Fault, FaultError, FaultKind, FaultPlan

START_MS = 1_795_000_000_000


def started(*faults: Fault, seed: int = 1) -> FaultPlan:
    plan = FaultPlan(faults, seed=seed)
    plan.start(START_MS)
    return plan


def strikes(plan: FaultPlan, kind: FaultKind, *times_ms: int) -> list[bool]:
    return [plan.active(kind, START_MS + at_ms) is not None for at_ms in times_ms]


@pytest.mark.parametrize("kind", list(FaultKind))
def test_every_kind_can_be_written_in_a_scenario_and_strikes(kind: FaultKind) -> None:
    plan = FaultPlan.from_json(json.dumps([{"kind": kind.value, "for_ms": 1_000}]))
    plan.start(START_MS)
    fault = plan.active(kind, START_MS)
    assert fault is not None
    assert fault.kind is kind
    assert plan.struck[kind] == 1


def test_a_fault_without_duration_or_count_strikes_once() -> None:
    assert strikes(started(Fault(FaultKind.DISCONNECT)), FaultKind.DISCONNECT, 0, 1, 2) == [True, False, False]


def test_a_count_is_used_up() -> None:
    plan = started(Fault(FaultKind.REPLY_DROPPED, count=2))
    assert strikes(plan, FaultKind.REPLY_DROPPED, 0, 50_000, 50_001) == [True, True, False]


def test_a_window_opens_and_closes() -> None:
    plan = started(Fault(FaultKind.SILENT_FREEZE, at_ms=100, for_ms=50))
    assert strikes(plan, FaultKind.SILENT_FREEZE, 99, 100, 149, 150) == [False, True, True, False]


def test_a_window_with_a_count_ends_with_whichever_comes_first() -> None:
    plan = started(Fault(FaultKind.STALE_BOOK, for_ms=100, count=1), Fault(FaultKind.STALE_BOOK, at_ms=500, for_ms=10, count=9))
    assert strikes(plan, FaultKind.STALE_BOOK, 1, 2, 505, 511) == [True, False, True, False]


def test_only_the_token_or_market_it_names_is_struck() -> None:
    plan = started(Fault(FaultKind.SILENT_FREEZE, for_ms=100, token="7", slug="rain"))
    assert plan.active(FaultKind.SILENT_FREEZE, START_MS) is None
    assert plan.active(FaultKind.SILENT_FREEZE, START_MS, token="8", slug="rain") is None
    assert plan.active(FaultKind.SILENT_FREEZE, START_MS, token="7", slug="sun") is None
    assert plan.active(FaultKind.SILENT_FREEZE, START_MS, token="7", slug="rain") is not None


def test_one_kind_does_not_use_up_another() -> None:
    plan = started(Fault(FaultKind.DISCONNECT))
    assert plan.active(FaultKind.STALE_BOOK, START_MS) is None
    assert plan.active("disconnect", START_MS) is not None


def test_a_restart_is_followed_by_two_post_only_minutes() -> None:
    plan = started(Fault(FaultKind.RESTART_425, at_ms=1_000, for_ms=90_000, retry_after_s=5))
    assert strikes(plan, FaultKind.RESTART_425, 999, 1_000, 90_999, 91_000) == [False, True, True, False]
    assert strikes(plan, FaultKind.POST_ONLY_503, 90_999, 91_000, 91_000 + POST_ONLY_MS - 1, 91_000 + POST_ONLY_MS) == [
        False,
        True,
        True,
        False,
    ]


def test_a_restart_limited_to_a_few_refusals_still_keeps_its_post_only_minutes() -> None:
    plan = started(Fault(FaultKind.RESTART_425, for_ms=1_000, count=1))
    assert strikes(plan, FaultKind.RESTART_425, 0, 1) == [True, False]
    assert strikes(plan, FaultKind.POST_ONLY_503, 1_000, 2_000, 3_000) == [True, True, True]


def test_a_fault_added_later_begins_at_that_moment() -> None:
    plan = started()
    plan.tick(START_MS + 5_000)
    plan.add(Fault(FaultKind.SILENT_FREEZE, for_ms=100))
    plan.add(Fault(FaultKind.DISCONNECT, for_ms=100), now_ms=START_MS + 6_000)
    assert strikes(plan, FaultKind.SILENT_FREEZE, 5_099, 5_100) == [True, False]
    assert strikes(plan, FaultKind.DISCONNECT, 5_999, 6_099) == [False, True]


def test_whether_a_lost_order_was_filled_is_said_or_tossed() -> None:
    def answers(filled: bool | None) -> set[bool | None]:
        plan = started(Fault(FaultKind.COULD_NOT_RUN_500, for_ms=1_000, filled=filled))
        struck = [plan.active(FaultKind.COULD_NOT_RUN_500, START_MS) for _ in range(50)]
        return {fault.filled for fault in struck if fault is not None}

    assert answers(True) == {True}
    assert answers(False) == {False}
    assert answers(None) == {True, False}


@given(seed=st.integers(0, 10**6), permille=st.integers(1, 999))
def test_the_same_seed_strikes_the_same_occasions(seed: int, permille: int) -> None:
    def run() -> list[Fault | None]:
        plan = started(Fault(FaultKind.REPLY_DROPPED, for_ms=10_000, probability=permille / 1_000), seed=seed)
        return [plan.active(FaultKind.REPLY_DROPPED, START_MS + at_ms) for at_ms in range(30)]

    assert run() == run()


def test_a_probability_strikes_about_that_often_and_uses_no_count_when_it_misses() -> None:
    plan = started(Fault(FaultKind.REPLY_DROPPED, for_ms=10_000, probability=0.25, count=100))
    hits = sum(strikes(plan, FaultKind.REPLY_DROPPED, *range(1_000)))
    assert hits == 100
    assert strikes(started(Fault(FaultKind.DISCONNECT, for_ms=10, probability=0.0)), FaultKind.DISCONNECT, *range(9)) == [False] * 9


def test_what_may_still_strike_can_be_listed() -> None:
    spent, later, over = Fault(FaultKind.DISCONNECT), Fault(FaultKind.STALE_BOOK, at_ms=500), Fault(FaultKind.SILENT_FREEZE, for_ms=5)
    plan = started(spent, later, over)
    plan.active(FaultKind.DISCONNECT, START_MS)
    assert plan.armed(START_MS + 10) == [later]


def test_a_scenario_may_carry_its_seed() -> None:
    text = '{"seed": 9, "faults": [{"kind": "reply_dropped", "for_ms": 1000, "probability": 0.5}]}'
    plan, same = FaultPlan.from_json(text), started(Fault(FaultKind.REPLY_DROPPED, for_ms=1_000, probability=0.5), seed=9)
    plan.start(START_MS)
    assert strikes(plan, FaultKind.REPLY_DROPPED, *range(40)) == strikes(same, FaultKind.REPLY_DROPPED, *range(40))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[{]", r"scenario: not JSON at line 1, column 3"),
        ("7", r"scenario.faults=7: write a list of faults"),
        ('{"fault": []}', r"scenario.fault: unknown field; use seed and faults"),
        ('{"seed": "x"}', r"scenario.seed='x': write a whole number"),
        ('["freeze"]', r"faults\[0\]='freeze': write an object such as"),
        ("[{}]", r"faults\[0\].kind is missing: use one of settlement_failed"),
        ('[{"kind": "fire"}]', r"faults\[0\].kind='fire': unknown kind; use one of settlement_failed"),
        ('[{"kind": []}]', r"faults\[0\].kind=\[\]: unknown kind"),
        ('[{"kind": "disconnect"}, {"kind": "disconnect", "at": 5}]', r"faults\[1\].at=5: unknown field; use one of kind, at_ms"),
        ('[{"kind": "disconnect", "at_ms": -5}]', r"faults\[0\].at_ms=-5: write a whole number of 0 or more"),
        ('[{"kind": "disconnect", "count": true}]', r"faults\[0\].count=True: write a whole number"),
        ('[{"kind": "disconnect", "for_ms": 1.5}]', r"faults\[0\].for_ms=1.5: write a whole number"),
        ('[{"kind": "order_latency", "delay_ms": null}]', r"faults\[0\].delay_ms=None: write a whole number"),
        ('[{"kind": "disconnect", "probability": 7}]', r"faults\[0\].probability=7: write a number from 0 to 1"),
        ('[{"kind": "disconnect", "token": 7}]', r"faults\[0\].token=7: write text in quotes"),
        ('[{"kind": "reply_dropped", "filled": "yes"}]', r"faults\[0\].filled='yes': write true, false or null"),
        ('[{"kind": "restart_425"}]', r"faults\[0\].for_ms is missing: say how many milliseconds"),
    ],
)
def test_a_scenario_that_cannot_be_understood_names_the_field_the_value_and_the_fix(text: str, complaint: str) -> None:
    with pytest.raises(FaultError, match=complaint):
        FaultPlan.from_json(text)


def test_null_leaves_a_field_out() -> None:
    fault = Fault.from_dict({"kind": "disconnect", "at_ms": None, "token": None, "filled": None, "retry_after_s": None})
    assert fault == Fault(FaultKind.DISCONNECT)
