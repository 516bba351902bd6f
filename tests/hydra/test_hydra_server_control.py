"""Halting over HTTP: who may, what it says to those who may not, and that no other page can do it for them."""

import logging

import pytest
from tests.hydra.page_examples import ScriptedDesk, condition_id
from tests.hydra.page_rig import TOKEN, serving
from tests.support.virtual_clock import VirtualClock

from kabobagool.hydra.page_guard import REMEMBERED_ADDRESSES, WINDOW_S, WRONG_TRIES, TokenGuard

ALL = {"scope": "wallet", "why": "news at noon"}


async def test_the_right_token_halts_everything_and_says_who_and_why() -> None:
    async with serving(ScriptedDesk(2)) as served:
        assert await served.post("/halt", ALL) == (200, {"done": "halt", "scope": "wallet"})
        (halt,) = served.desk.halted.values()
    assert (halt.scope, halt.who, halt.why) == ("wallet", "page 127.0.0.1", "news at noon")


async def test_one_market_is_halted_and_resumed_alone() -> None:
    market = condition_id(1)
    async with serving(ScriptedDesk(2)) as served:
        assert (await served.post("/halt", {"scope": market, "why": "  odd \n books "}))[0] == 200
        assert (list(served.desk.halted), served.desk.halted[market].why) == ([market], "odd books")
        assert await served.post("/resume", {"scope": market}) == (200, {"done": "resume", "scope": market})
    assert (served.desk.halted, served.desk.resumed) == ({}, [(market, "page 127.0.0.1")])


@pytest.mark.parametrize("path", ["/halt", "/resume"])
@pytest.mark.parametrize("token", [None, "wrong", TOKEN[:-1], TOKEN + "x", "ключ", ""])
async def test_without_the_right_token_nothing_happens(path: str, token: str | None) -> None:
    async with serving(ScriptedDesk(1)) as served:
        status, answer = await served.post(path, ALL, token=token)
        assert status == 401
        assert "printed at start (or CONTROL_TOKEN)" in answer["error"]
        assert (served.desk.halted, served.desk.resumed) == ({}, [])


async def test_a_refusal_is_logged_without_what_was_tried(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        async with serving(ScriptedDesk(1)) as served:
            await served.post("/halt", ALL, token="nearly-right")
    (record,) = caplog.records
    assert (record.getMessage(), record.__dict__["from"]) == ("refused to halt", "127.0.0.1")
    assert "nearly-right" not in str(record.__dict__)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://127.0.0.1:1"}, 403),
        ({"Origin": "http://["}, 403),
        ({"Sec_Fetch_Site": "cross-site"}, 403),
        ({"Sec_Fetch_Site": "same-site"}, 403),
        ({"Content_Type": "text/plain"}, 415),
        ({"Content_Type": "application/x-www-form-urlencoded"}, 415),
        ({"Content_Type": "text/plain; application/json"}, 415),
        ({"Host": "evil.example"}, 403),
    ],
)
async def test_another_page_cannot_halt_even_if_it_knew_the_token(headers: dict[str, str], status: int) -> None:
    async with serving(ScriptedDesk(1)) as served:
        found, answer = await served.post("/halt", ALL, **headers)
        assert (found, bool(answer["error"])) == (status, True)
        assert served.desk.halted == {}


async def test_the_page_itself_and_a_terminal_may() -> None:
    async with serving(ScriptedDesk(1)) as served:
        own = {"Origin": served.url, "Sec_Fetch_Site": "same-origin", "Content_Type": "application/json; charset=utf-8"}
        assert (await served.post("/halt", ALL, **own))[0] == 200
        assert (await served.post("/resume", ALL))[0] == 200


@pytest.mark.parametrize("path", ["/halt", "/resume"])
async def test_asking_nicely_by_get_does_nothing(path: str) -> None:
    async with serving(ScriptedDesk(1)) as served:
        assert (await served.get(path))[0] == 405


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        (b"", 400, "body: "),
        (b"[1]", 400, "body: "),
        (b'{"scope": 5}', 400, "body: Expected `str`, got `int` - at `$.scope`"),
        ({"why": "x"}, 400, "missing required field `scope`"),
        ({"scope": "", "why": "x"}, 400, "scope='': a condition id, or wallet for all markets"),
        ({"scope": "wallet"}, 400, "why has 0 characters"),
        ({"scope": "wallet", "why": " \t\n"}, 400, "why has 0 characters"),
        ({"scope": "wallet", "why": "x" * 201}, 400, "why has 201 characters: say why in 1 to 200"),
        ({"scope": "0xnobody", "why": "x"}, 404, "scope='0xnobody': no such market here"),
    ],
)
async def test_a_halt_that_cannot_be_done_names_the_field_and_the_fix(body: object, status: int, says: str) -> None:
    async with serving(ScriptedDesk(1)) as served:
        found, answer = await served.post("/halt", body)
        assert (found, served.desk.halted) == (status, {})
        assert says in answer["error"]


async def test_a_body_that_is_too_large_is_not_read() -> None:
    async with serving(ScriptedDesk(1)) as served:
        status, _ = await served.post("/halt", b'{"scope": "wallet", "why": "' + b"x" * 100_000)
    assert status == 413


async def test_guesses_are_slowed_down_and_the_wait_is_told() -> None:
    clock = VirtualClock()
    async with serving(ScriptedDesk(1), clock=clock) as served:
        for _ in range(WRONG_TRIES):
            assert (await served.post("/halt", ALL, token="guess"))[0] == 401
        status, answer = await served.post("/halt", ALL)
        assert (status, answer["error"]) == (429, "too many wrong tokens: wait 61 s")
        clock.now_us += int(WINDOW_S * 1_000_000)
        assert (await served.post("/halt", ALL))[0] == 200


def test_somebody_elses_guesses_do_not_keep_the_trader_from_halting() -> None:
    guard = TokenGuard(TOKEN, VirtualClock())
    for _ in range(50):
        guard.objection("Bearer guess", address="10.0.0.9")
    assert guard.objection(f"Bearer {TOKEN}", address="10.0.0.1") is None
    refused = guard.objection(f"Bearer {TOKEN}", address="10.0.0.9")
    assert refused is not None
    assert refused.status == 429


def test_a_right_token_forgets_the_wrong_ones_before() -> None:
    guard = TokenGuard(TOKEN, VirtualClock())
    for _ in range(20):
        assert guard.objection("Bearer typo", address="10.0.0.1") is not None
        assert guard.objection(f"Bearer {TOKEN}", address="10.0.0.1") is None


def test_any_number_of_addresses_costs_a_bounded_memory() -> None:
    guard = TokenGuard(TOKEN, VirtualClock())
    for number in range(10 * REMEMBERED_ADDRESSES):
        guard.objection("Bearer guess", address=f"2001:db8::{number:x}")
    assert len(guard._wrong) == REMEMBERED_ADDRESSES
