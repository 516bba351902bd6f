"""What the page is told of a changing fleet adds up to the fleet."""

import json
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.hydra.page_examples import ScriptedDesk, busy_desk, condition_id

from kabobagool.hydra.page_view import PageView, changes, page_view

HAPPENINGS = st.sampled_from(["step", "retire", "halt", "trouble", "nothing"])


async def viewed(desk: ScriptedDesk) -> PageView:
    return page_view(await desk.snapshot())


def told(content: object) -> Any:
    return json.loads(msgspec.json.encode(content))


def as_the_page_applies_them(known: dict[str, Any], news: dict[str, Any]) -> dict[str, Any]:
    """The rule that the page's own `Fleet.change` follows."""
    markets = {market: row for market, row in known["markets"].items() if market not in news["gone"]}
    for market, fields in news["markets"].items():
        markets[market] = {**markets.get(market, {}), **fields}
    return {"fleet": known["fleet"] | news["fleet"], "markets": markets, "retired": news.get("retired", known["retired"])}


async def happen(desk: ScriptedDesk, what: str) -> None:
    first = next(iter(desk.rows), None)
    match what:
        case "step":
            desk.step()
        case "retire" if first:
            desk.retire(int(first, 16))
        case "halt":
            await desk.halt(scope="wallet", who="a test", why="to see it")
        case "trouble" if first:
            desk.change(int(first, 16), row={"phase": "waiting", "restarts": 1, "trouble": "it fell over", "restart_in_s": 2.5})
        case _:
            pass


@settings(max_examples=40)
@given(st.lists(HAPPENINGS, max_size=8))
async def test_the_changes_laid_over_what_was_known_are_what_is(happenings: list[str]) -> None:
    desk = ScriptedDesk(4)
    before = await viewed(desk)
    known = told(before)
    for what in happenings:
        await happen(desk, what)
        after = await viewed(desk)
        known = as_the_page_applies_them(known, told(changes(before, after)))
        before = after
        assert known == told(after)


async def test_a_second_in_which_nothing_happened_costs_only_the_time() -> None:
    desk = ScriptedDesk(500)
    before = await viewed(desk)
    desk.now_ms += 1000
    for number in range(500):  # nothing was heard: every age is a second more
        desk.change(number, at_ms=desk.rows[condition_id(number)].bot.at_ms + 1000, feed_age_s=1.2)
    assert changes(before, await viewed(desk)) == {"fleet": {"at_ms": desk.now_ms}, "markets": {}, "gone": []}


async def test_a_row_says_when_it_was_last_heard_of_and_nothing_when_never() -> None:
    desk = ScriptedDesk(2)
    desk.change(0, feed_age_s=1.25)
    desk.change(1, feed_age_s=None)
    rows = (await viewed(desk)).markets
    assert rows[condition_id(0)]["heard_ms"] == desk.rows[condition_id(0)].bot.at_ms - 1200
    assert rows[condition_id(1)]["heard_ms"] is None


async def test_only_the_fields_that_differ_are_told() -> None:
    desk = ScriptedDesk(3)
    before = await viewed(desk)
    desk.change(1, ask_yes="0.51")
    assert changes(before, await viewed(desk))["markets"] == {condition_id(1): {"ask_yes": "0.51"}}


async def test_the_view_has_everything_that_the_snapshot_has() -> None:
    desk = busy_desk()
    snapshot = told(await desk.snapshot())
    view = told(await viewed(desk))
    assert {**view["fleet"], "markets": snapshot["markets"], "retired": view["retired"]} == snapshot
    for row in snapshot["markets"]:
        flat = view["markets"][row["bot"]["condition_id"]]
        own = {name: value for name, value in row.items() if name != "bot"} | row["bot"]
        del own["at_ms"], own["feed_age_s"], own["frames"]
        assert own.items() <= flat.items()
