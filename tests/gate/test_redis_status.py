"""What bots say of themselves is read by anybody on the server, and silence is seen."""

from tests.gate.gate_rig import ManualClock
from tests.gate.redis_rig import gate_on, new_wallet
from tests.gate.redis_servers import every_server, shared_server

from kabobagool.gate.redis_status import KEPT_MS, RENEWED_MS, SCHEMA_VERSION, BotStatus, StatusBoard


def a_status(market: str = "0xa", **said: object) -> BotStatus:
    return BotStatus(market=market, holder="bot", mode="dry_run", phase="watching", **said)  # type: ignore[arg-type]


def a_board(kind: str) -> tuple[StatusBoard, ManualClock]:
    clock = ManualClock()
    return StatusBoard(gate_on(shared_server(kind), wallet=new_wallet(), holder="bot").link, clock=clock), clock


@every_server
async def test_every_bot_is_read_by_anybody_and_an_empty_fleet_is_empty(kind: str) -> None:
    board, clock = a_board(kind)
    assert await board.read() == ()
    second = a_status("0xb", yes_shares=5_000_000, pair_cost=970_000, reasons=("feed_stale",), last_fill_ms=7)
    for status in (second, a_status()):
        await board.report(status)
    found = await board.read()
    assert [report.status for report in found] == [a_status(), second]
    assert {report.reported_ms for report in found} == {clock.now_ms()}


@every_server
async def test_a_report_is_written_when_it_says_something_new_or_is_about_to_disappear(kind: str) -> None:
    board, clock = a_board(kind)
    link = board._link
    await board.report(a_status())
    for _ in range(5):
        await board.report(a_status())
    assert link.calls == 1
    await board.report(a_status(yes_shares=1))
    assert link.calls == 2
    await clock.sleep(RENEWED_MS / 1000)
    await board.report(a_status(yes_shares=1))
    assert link.calls == 3
    assert RENEWED_MS * 2 < KEPT_MS


@every_server
async def test_a_bot_that_says_nothing_more_disappears_with_its_place_in_the_index(kind: str) -> None:
    board, _ = a_board(kind)
    await board.report(a_status())
    await board.report(a_status("0xb"))
    admin, keys = shared_server(kind).admin, board._link.keys
    assert 0 < admin.pttl(keys.of("status", "0xa")) <= KEPT_MS
    admin.delete(keys.of("status", "0xa"))
    assert [report.status.market for report in await board.read()] == ["0xb"]
    assert admin.zrange(keys.of("statuses"), 0, -1) == ["0xb"]


@every_server
async def test_a_bot_that_ends_takes_its_report_away_at_once_and_no_other(kind: str) -> None:
    board, _ = a_board(kind)
    await board.report(a_status())
    await board.report(a_status("0xb"))
    await board.forget("0xa", "bot")
    assert [report.status.market for report in await board.read()] == ["0xb"]
    admin, keys = shared_server(kind).admin, board._link.keys
    assert admin.keys(keys.of("status", "0xa").replace("{", "[{]").replace("}", "[}]")) == []
    assert admin.zrange(keys.of("statuses"), 0, -1) == ["0xb"]
    await board.report(a_status())
    assert len(await board.read()) == 2, "the same words are news from a bot that begins anew"


@every_server
async def test_a_bot_that_was_replaced_leaves_the_report_of_its_successor_alone(kind: str) -> None:
    board, _ = a_board(kind)
    await board.forget("0xa", "bot")
    await board.report(a_status())
    await board.forget("0xa", "the one before")
    assert [report.status.holder for report in await board.read()] == ["bot"]


@every_server
async def test_one_bot_of_another_version_does_not_hide_the_others(kind: str) -> None:
    board, _ = a_board(kind)
    for status in (a_status("0xa", version=SCHEMA_VERSION + 1), a_status("0xb"), a_status("0xc")):
        await board.report(status)
    shared_server(kind).admin.set(board._link.keys.of("status", "0xc"), '["not a report"]')
    assert [report.status.market for report in await board.read()] == ["0xb"]
