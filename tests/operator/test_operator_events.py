"""Events: news are told once, a storm stays small, a failure stays without consequence."""

import logging
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.operator.api_server_rig import BadDayServer, Client, RequestTally, refusal
from tests.operator.bot_objects import market
from tests.support.virtual_clock import START_MS, VirtualClock

from kabobagool.clock import SystemClock
from kabobagool_operator.arbmarket import ArbMarket, Metadata
from kabobagool_operator.arbmarket_status import Condition as Written
from kabobagool_operator.cluster import Cluster
from kabobagool_operator.cluster_config import load_configuration
from kabobagool_operator.conditions import Condition, Reason, Truth, Type, transitions, written
from kabobagool_operator.events import BURST, FOR_WARNINGS, LONGEST_NOTE, SAME_WITHIN_S, Events, notice_of
from kabobagool_operator.kinds import ARB_MARKET, EVENT
from kabobagool_operator.plan_types import Notice
from kabobagool_operator.rest import Rest
from kabobagool_operator.write_rate import WriteRate

NOON = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)
LEFT = Notice(reason="PositionLeft", message="3 YES are left.", warning=True)


@pytest.fixture
async def server() -> AsyncIterator[BadDayServer]:
    server = BadDayServer()
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def client(server: BadDayServer) -> AsyncIterator[Client]:
    client = Client(server.url, rate=WriteRate(clock=SystemClock(), per_second=10_000, burst=10_000))
    yield client
    await client.rest.close()


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def events(client: Client, clock: VirtualClock) -> Events:
    return Events(client.cluster, clock=clock, identity="operator-0")


def rain(uid: str = "1") -> Metadata:
    return market(uid=uid).metadata


def plain(number: int) -> Notice:
    return Notice(reason="Starting", message=f"number {number}")


async def test_an_event_says_what_happened_to_which_market_and_who_says_so(server: BadDayServer, events: Events) -> None:
    await events.post(rain(), [LEFT])
    (asked,) = server.asked
    assert asked.path == "/apis/events.k8s.io/v1/namespaces/bots/events"
    body = asked.body
    assert (body["reason"], body["note"], body["type"], body["reportingInstance"]) == (
        "PositionLeft",
        LEFT.message,
        "Warning",
        "operator-0",
    )
    assert body["regarding"] == {
        "apiVersion": "kabobagool.io/v1alpha1",
        "kind": "ArbMarket",
        "namespace": "bots",
        "name": "rain",
        "uid": "1",
    }
    at = datetime.fromisoformat(body["eventTime"])
    assert round(at.timestamp() * 1000) == START_MS + 5000


async def test_the_same_is_told_again_only_after_a_while_and_of_each_market(
    server: BadDayServer, events: Events, clock: VirtualClock
) -> None:
    await events.post(rain(), [LEFT, LEFT])
    await clock.advance(SAME_WITHIN_S - 1)
    await events.post(rain(), [LEFT])
    assert len(server.asked) == 1
    await events.post(rain("2"), [LEFT])
    await events.post(rain(), [Notice(reason=LEFT.reason, message="2 YES are left.", warning=True)])
    assert len(server.asked) == 3
    await clock.advance(1)
    await events.post(rain(), [LEFT])
    assert len(server.asked) == 4


async def test_a_storm_is_cut_off_and_warnings_still_come_through(
    server: BadDayServer, events: Events, clock: VirtualClock, caplog: pytest.LogCaptureFixture
) -> None:
    await events.post(rain(), [plain(number) for number in range(BURST * 3)])
    assert len(server.asked) == BURST - FOR_WARNINGS
    assert [record.message for record in caplog.records] == ["too many Events at once, some are left out"]
    await events.post(rain(), [LEFT])
    assert server.asked[-1].body["reason"] == LEFT.reason
    await clock.advance(1)
    before = len(server.asked)
    await events.post(rain(), [plain(number) for number in range(BURST * 3, BURST * 4)])
    assert before < len(server.asked) < before + BURST - FOR_WARNINGS


async def test_what_was_left_out_of_a_storm_may_be_told_after_it(server: BadDayServer, events: Events, clock: VirtualClock) -> None:
    await events.post(rain(), [plain(number) for number in range(BURST)])
    last = plain(BURST - 1)
    assert server.asked[-1].body["note"] != last.message
    await clock.advance(60)
    await events.post(rain(), [last])
    assert server.asked[-1].body["note"] == last.message


async def test_an_event_that_is_refused_is_logged_and_forgotten(
    server: BadDayServer, events: Events, caplog: pytest.LogCaptureFixture
) -> None:
    server.answers = [refusal(403, 'events is forbidden: User "x" cannot create resource "events"')]
    await events.post(rain(), [LEFT, plain(1)])
    assert len(server.asked) == 2
    assert {(record.levelno, record.message) for record in caplog.records} == {(logging.WARNING, "an Event could not be posted")}
    assert "cannot create" in caplog.records[0].__dict__["error"]


async def test_what_is_remembered_is_bounded(events: Events, clock: VirtualClock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kabobagool_operator.events.REMEMBERED", 3)
    await events.post(rain(), [plain(number) for number in range(10)])
    assert len(events._posted) <= 3


@given(st.text())
def test_a_note_is_never_longer_than_the_api_server_takes(words: str) -> None:
    events = Events(None, clock=VirtualClock(), identity="x")  # type: ignore[arg-type]
    note = events._body(rain(), Notice(reason="X", message=words * 300))["note"]
    assert len(note.encode()) <= LONGEST_NOTE
    assert note.removesuffix("…") in words * 300


def changed(before: tuple[Condition, ...], after: tuple[Condition, ...]) -> list[Notice]:
    was = written(before, (), generation=1, now=NOON)
    return [notice_of(condition) for condition in transitions(was, written(after, was, generation=1, now=NOON))]


def said(type_: Type, status: Truth, reason: Reason, message: str = "") -> Condition:
    return Condition(type=type_, status=status, reason=reason, message=message)


def test_only_what_changed_is_worth_an_event() -> None:
    ready, fresh = said(Type.READY, Truth.TRUE, Reason.RUNNING), said(Type.MARKET_DATA_FRESH, Truth.TRUE, Reason.FRESH)
    stale = said(Type.MARKET_DATA_FRESH, Truth.FALSE, Reason.STALE, "The older leg is 70 s old.")
    assert changed((ready, fresh), (ready, fresh)) == []
    assert changed((ready, fresh), (ready, stale)) == [
        Notice(reason="Stale", message="MarketDataFresh is False: The older leg is 70 s old.", warning=True)
    ]


@pytest.mark.parametrize(
    ("type_", "status", "reason", "warning"),
    [
        (Type.READY, Truth.FALSE, Reason.CRASH_LOOP, True),
        (Type.READY, Truth.FALSE, Reason.STARTING, False),
        (Type.READY, Truth.TRUE, Reason.RUNNING, False),
        (Type.READY, Truth.FALSE, Reason.DUPLICATE, True),
        (Type.RESOLVED, Truth.FALSE, Reason.NOT_FOUND, True),
        (Type.RESOLVED, Truth.FALSE, Reason.CLOSED, False),
        (Type.DEGRADED, Truth.TRUE, Reason.NAKED_LEG, True),
        (Type.DEGRADED, Truth.FALSE, Reason.HEALTHY, False),
        (Type.PAUSED, Truth.TRUE, Reason.WALLET_HALTED, False),
        (Type.TRADING, Truth.FALSE, Reason.DRY_RUN, False),
    ],
)
def test_a_warning_is_what_somebody_should_look_at(type_: Type, status: Truth, reason: Reason, warning: bool) -> None:
    (notice,) = changed((), (said(type_, status, reason),))
    assert (notice.reason, notice.warning) == (reason.value, warning)


def test_every_condition_that_can_be_written_can_be_an_event() -> None:
    for type_ in Type:
        for reason in Reason:
            notice = notice_of(
                Written(type=type_, status="False", reason=reason, message="words", last_transition_time=NOON, observed_generation=1)
            )
            assert notice.message == f"{type_.value} is False: words"


async def test_a_real_api_server_takes_them_and_a_person_sees_them(
    control_plane: Any, installed_crds: None, kubectl: Any, namespace: str
) -> None:
    rest = Rest(
        await load_configuration(kubeconfig=control_plane.kubeconfig),
        rate=WriteRate(clock=SystemClock(), per_second=500, burst=500),
        observer=RequestTally(),
        fence=lambda: 1,
    )
    try:
        cluster, name = Cluster(rest), "a" * 63
        asked = ArbMarket.parse(await cluster.apply(ARB_MARKET, namespace, name, {"spec": {"market": {"slug": "rain"}}}))
        events = Events(cluster, clock=SystemClock(), identity="operator-7d9f-x2x4p")
        await events.post(asked.metadata, [LEFT, Notice(reason="Starting", message="é" * 2000)])
        assert sorted(event["reason"] for event in await cluster.list(EVENT, namespace)) == ["PositionLeft", "Starting"]
        shown = kubectl("describe", "arb", name)
        assert re.search(rf"Warning +PositionLeft +.* kabobagool-operator.* {LEFT.message}", shown), shown
    finally:
        await rest.close()
