"""The live events: one look for all readers, nothing kept for slow ones, and never an old number told as a new one."""

import asyncio
import json
from contextlib import aclosing
from typing import Any

import pytest
from tests.hydra.page_examples import ScriptedDesk, condition_id
from tests.hydra.page_rig import parsed

from kabobagool.hydra import page_stream
from kabobagool.hydra.page_stream import MOST_READERS, PageStream
from kabobagool.hydra.page_view import page_view

Event = tuple[str, dict[str, Any]]


async def next_event(events: Any) -> Event:
    return parsed(await anext(events))[0]


async def test_a_reader_is_told_the_whole_fleet_first_and_then_what_changed() -> None:
    desk = ScriptedDesk(3)
    stream = PageStream(desk, page_view)
    async with aclosing(stream.follow()) as events:
        name, whole = await next_event(events)
        assert (name, len(whole["markets"]), whole["fleet"]["mode"]) == ("whole", 3, "dry_run")
        desk.change(1, ask_yes="0.4")
        await stream.tick()
        name, news = await next_event(events)
    assert (name, news["markets"]) == ("changes", {condition_id(1): {"ask_yes": "0.4"}})


async def test_the_history_before_the_page_was_opened_comes_with_the_first_event() -> None:
    desk = ScriptedDesk(1)
    stream = PageStream(desk, page_view)
    for cost in ("0.99", "1.01", None):
        desk.change(0, pair_cost_after_fees=cost)
        await stream.tick()
    async with aclosing(stream.follow()) as events:
        _, whole = await next_event(events)
        desk.change(0, pair_cost_after_fees="0.98")
        await stream.tick()
        _, news = await next_event(events)
    assert whole["history"][condition_id(0)][-4:] == [-1, 990_000, 1_010_000, -1]
    assert news["prices"] == {condition_id(0): 980_000}


async def test_the_fleet_is_looked_at_once_a_tick_for_all_readers_and_not_at_all_for_none() -> None:
    desk = ScriptedDesk(2)
    stream = PageStream(desk, page_view)
    await stream.tick()
    assert desk.asked == 0
    followers = [stream.follow() for _ in range(5)]
    firsts = await asyncio.gather(*(anext(events) for events in followers))
    assert desk.asked == 1
    assert len({id(event) for event in firsts}) == 1
    await stream.tick()
    await asyncio.gather(*(anext(events) for events in followers))
    assert desk.asked == 2
    for events in followers:
        await events.aclose()
    await stream.tick()
    assert (desk.asked, stream.readers) == (2, 0)


async def test_a_reader_that_missed_little_catches_up_and_one_that_missed_much_begins_anew() -> None:
    desk = ScriptedDesk(2)
    stream = PageStream(desk, page_view)
    async with aclosing(stream.follow()) as events:
        await anext(events)
        for _ in range(3):
            await stream.tick()
        assert [name for name, _ in parsed(await anext(events))] == ["changes"] * 3
        for _ in range(50):
            await stream.tick()
        assert [name for name, _ in parsed(await anext(events))] == ["whole"]
        assert len(stream._events) <= page_stream.KEPT_EVENTS


async def test_a_page_that_comes_back_after_a_while_is_told_of_now() -> None:
    desk = ScriptedDesk(1)
    stream = PageStream(desk, page_view)
    async with aclosing(stream.follow()) as events:
        await anext(events)
    desk.change(0, ask_yes="0.11")
    await stream.tick()
    async with aclosing(stream.follow()) as events:
        _, whole = await next_event(events)
    assert whole["markets"][condition_id(0)]["ask_yes"] == "0.11"


@pytest.mark.parametrize("failure", [RuntimeError("s3cret"), TimeoutError()])
async def test_a_fleet_that_does_not_answer_is_trouble_and_never_an_old_number(
    failure: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    desk = ScriptedDesk(1)
    stream = PageStream(desk, page_view)
    async with aclosing(stream.follow()) as events:
        await anext(events)
        desk.failure = failure
        for _ in range(3):
            await stream.tick()
            assert await next_event(events) == ("trouble", {"error": "the fleet does not say how it is: see the log"})
        async with aclosing(stream.follow()) as late:
            assert (await next_event(late))[0] == "trouble"
        desk.failure = None
        await stream.tick()
        assert parsed(await anext(events))[-1][0] == "whole"
    assert sum("could not be told" in record.message for record in caplog.records) == 1


async def test_a_fleet_that_hangs_is_not_waited_for_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = ScriptedDesk(1)
    monkeypatch.setattr(page_stream, "LOOK_TIMEOUT_S", 0.01)
    monkeypatch.setattr(desk, "snapshot", lambda: asyncio.sleep(3600))
    async with aclosing(PageStream(desk, page_view).follow()) as events:
        assert (await next_event(events))[0] == "trouble"


async def test_one_reader_too_many_is_told_why_and_let_go() -> None:
    stream = PageStream(ScriptedDesk(1), page_view)
    followers = [stream.follow() for _ in range(MOST_READERS)]
    for events in followers:
        await anext(events)
    refused = [event async for event in stream.follow()]
    ((name, content),) = parsed(b"".join(refused))
    assert (name, content["error"]) == ("refused", f"{MOST_READERS} pages are open already, and no more are served: close one of them")
    await followers.pop().aclose()
    async with aclosing(stream.follow()) as events:
        assert (await next_event(events))[0] == "whole"
    for events in followers:
        await events.aclose()


async def test_closing_ends_every_stream() -> None:
    stream = PageStream(ScriptedDesk(1), page_view)

    async def read_all() -> int:
        return len([event async for event in stream.follow()])

    readers = [asyncio.create_task(read_all()) for _ in range(3)]
    while stream.readers < 3:
        await asyncio.sleep(0)
    stream.close()
    assert await asyncio.gather(*readers) == [1, 1, 1]


async def test_a_failing_price_is_logged_once_and_does_not_end_the_stream(caplog: pytest.LogCaptureFixture) -> None:
    desk = ScriptedDesk(1)
    asked = 0

    def prices() -> dict[str, int | None]:
        nonlocal asked
        asked += 1
        raise LookupError

    desk.prices = prices  # type: ignore[method-assign]
    running = asyncio.create_task(PageStream(desk, page_view, interval_s=0).run())
    while asked < 5:
        await asyncio.sleep(0)
    assert not running.done()
    running.cancel()
    assert sum("up to date" in record.message for record in caplog.records) == 1


async def test_events_are_one_line_of_data_whatever_a_title_holds() -> None:
    desk = ScriptedDesk(1)
    desk.change(0, question="two\nlines\r\n\r\ndata: {}\u2028 of it")
    async with aclosing(PageStream(desk, page_view).follow()) as events:
        raw = await anext(events)
    assert raw.count(b"\n") == 3
    assert json.loads(raw.split(b"data: ", 1)[1])["markets"][condition_id(0)]["question"] == desk.rows[condition_id(0)].bot.question
