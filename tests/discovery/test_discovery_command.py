"""`kabobagool discover` as a user meets it: a process against a running venue, and what it prints."""

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from tests.discovery.catalogue_examples import HOUR_MS, NOW_MS, entry
from tests.support.paper import PaperServer, Scene, ScriptedBooks, paper_exchange_server

from kabobagool.cli.discover import closing_lines, facts, printable, progress_line, show, time_left
from kabobagool.discovery.crawl import Progress, Stop
from kabobagool.discovery.criteria import Criteria
from kabobagool.discovery.discover import Found, Round
from kabobagool.discovery.reasons import MEANINGS, Reason, Rejection
from kabobagool.domain.market import FeeSchedule, Market
from kabobagool.venue.gamma import read_market

MICRO = 1_000_000
TIGHT: list[Scene] = [(0, [("0.50", 100)], [("0.51", 100)])]
EVIL = "Will \x1b[31mit\x1b[0m [bold]win[/bold]\r\n?"
MARKETS = [
    ScriptedBooks(yes=TIGHT, slug="good", question=EVIL, volume_24h=5_000 * MICRO),
    ScriptedBooks(yes=TIGHT, slug="low", volume_24h=5 * MICRO),
    ScriptedBooks(yes=TIGHT, slug="next", volume_24h=4_000 * MICRO),
]


def environment(paper: PaperServer, folder: Path, **own: str) -> dict[str, str]:
    urls = {"HOST": paper.urls["clob"], "GAMMA_HOST": paper.urls["gamma"], "MARKET_SOCKET_URL": paper.urls["market_socket"]}
    return {"PATH": os.environ["PATH"], "HOME": str(folder)} | urls | own


async def ended(arguments: list[str], env: dict[str, str]) -> tuple[int | None, str, str]:
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "kabobagool.cli.main", "discover", *arguments, env=env, stdout=pipe, stderr=pipe
    )
    out, err = await asyncio.wait_for(process.communicate(), 30)
    return process.returncode, out.decode(), err.decode()


async def test_it_prints_what_qualifies_counts_what_does_not_and_says_how_old_that_is(tmp_path: Path) -> None:
    async with paper_exchange_server(*MARKETS) as paper:
        code, out, err = await ended(["--max-markets", "1"], environment(paper, tmp_path))
    assert (code, err) == (0, "")
    assert "good" in out
    assert "$5,000" in out
    assert "1.01" in out
    assert MEANINGS[Reason.VOLUME_TOO_LOW] in out
    assert "1 of 3 markets qualify; 1 pages read, stopped at end_of_catalogue" in out
    assert "s old" in out
    assert "\x1b" not in out


async def test_all_lists_every_other_market_with_its_reason(tmp_path: Path) -> None:
    async with paper_exchange_server(*MARKETS) as paper:
        code, out, _ = await ended(["--all", "--max-markets", "1"], environment(paper, tmp_path))
    assert code == 0
    listed = {words[0]: words[1] for line in out.splitlines() if len(words := line.split()) == 2}
    assert (listed["low"], listed["next"]) == ("volume_too_low", "over_max_markets")


async def test_json_holds_the_same_words_and_what_a_machine_needs_to_go_on(tmp_path: Path) -> None:
    async with paper_exchange_server(*MARKETS) as paper:
        code, out, _ = await ended(["--json", "--all"], environment(paper, tmp_path, MAX_MARKETS="1"))
        market = paper.market
    told = json.loads(out)
    assert code == 0
    assert told["rejected"] == {"volume_too_low": 1, "over_max_markets": 1}
    assert {row["slug"]: row["reason"] for row in told["rejected_markets"]} == {"low": "volume_too_low", "next": "over_max_markets"}
    assert (told["seen"], told["pages"], told["stopped"], told["book_screen"]) == (3, 1, "end_of_catalogue", True)
    (good,) = told["qualifying"]
    assert (good["slug"], good["condition_id"], good["tokens"]) == ("good", market.condition_id, list(market.tokens))
    assert (good["pair_cost"], good["fee_rate"], good["tick_size"], good["volume_24h"]) == ("1.01", "0.07", "0.01", "5000")


async def test_the_environment_and_its_options_choose_the_markets(tmp_path: Path) -> None:
    async with paper_exchange_server(*MARKETS) as paper:
        _, out, _ = await ended(["--json", "--market-patterns", "n*,lo?"], environment(paper, tmp_path, MIN_VOLUME="1"))
    assert [found["slug"] for found in json.loads(out)["qualifying"]] == ["next", "low"]


async def test_a_wrong_limit_ends_with_status_2_and_the_fix(tmp_path: Path) -> None:
    async with paper_exchange_server(*MARKETS) as paper:
        code, _, err = await ended(["--min-duration-hours", "9", "--max-duration-hours", "1"], environment(paper, tmp_path))
    assert code == 2
    assert "MIN_DURATION_HOURS=9" in err
    assert "Traceback" not in err


async def test_a_catalogue_that_is_not_there_ends_with_its_name_and_without_a_traceback(tmp_path: Path) -> None:
    async with paper_exchange_server(*MARKETS) as paper:
        env = environment(paper, tmp_path, GAMMA_HOST="http://127.0.0.1:9", REQUEST_TIMEOUT_S="0.5")
        code, _, err = await ended([], env)
    assert code == 1
    assert "127.0.0.1/markets/keyset" in err
    assert "Traceback" not in err


def found(**fields: Any) -> Found:
    listed = read_market(entry(1))
    facts_of: dict[str, Any] = {
        "condition_id": listed.condition_id,
        "slug": listed.slug,
        "question": EVIL,
        "outcomes": listed.outcomes,
        "tokens": listed.tokens,
        "tick_size": 100,
        "min_order_shares": 5 * MICRO,
        "fee": FeeSchedule(30_000),
        "end_ms": NOW_MS + 26 * HOUR_MS,
    }
    return Found(Market(**(facts_of | fields)), listed, None)


def made(*markets: Found, **own: Any) -> Round:
    told: dict[str, Any] = {
        "found": markets,
        "rejected": {Reason.CLOSED: 2, Reason.TAKER_DELAY: 5},
        "verdicts": {},
        "progress": Progress(pages=3, seen=250, candidates=7),
        "stopped": Stop.ENOUGH_CANDIDATES,
        "cache_age_s": None,
    }
    return Round(**(told | own))


def shown(result: Round, criteria: Criteria, rejections: list[Rejection] | None = None, *, terminal: bool = True) -> str:
    console = Console(force_terminal=terminal, width=120, record=True, highlight=False, color_system=None, quiet=False)
    with console.capture() as captured:
        show(console, result, criteria, rejections, now_ms=NOW_MS)
    return captured.get()


def test_a_title_with_control_characters_and_markup_is_shown_as_plain_text() -> None:
    out = shown(made(found()), Criteria(spawn_pair_cost=10_200))
    assert "[bold]win[/bold]" in out
    assert "\x1b[31m" not in out
    assert str(printable("a\x1b[2J\r\nb\u202ec")) == "a [2J  b c"
    assert len(printable("x" * 500)) == 200


def test_the_reason_that_hit_most_comes_first() -> None:
    out = shown(made(found()), Criteria())
    assert out.index("taker_delay") < out.index("closed")


def test_when_nothing_qualifies_the_main_reason_is_said_in_words() -> None:
    out = shown(made(), Criteria())
    assert "no market qualifies" in out
    assert f"most were left out because: {MEANINGS[Reason.TAKER_DELAY]}" in out


def test_rejections_without_a_name_are_listed_too() -> None:
    out = shown(made(), Criteria(), [Rejection("", "", Reason.UNREADABLE), Rejection("0xab", "", Reason.NOT_LISTED)])
    assert "(no name)" in out
    assert "0xab" in out


def test_the_age_of_the_catalogue_is_said_and_a_warning_when_it_is_old() -> None:
    young, old = (closing_lines(made(cache_age_s=age_s), Criteria()) for age_s in (12, 290))
    assert "catalogue 12 s old" in young
    assert "catalogue 290 s old: volumes and flags may have changed since" in old
    assert "catalogue of unknown age" in closing_lines(made(), Criteria())


def test_what_was_not_done_is_said() -> None:
    lines = closing_lines(made(progress=Progress(sorted=False)), Criteria(spawn_pair_cost=None))
    assert "books were not looked at (ENABLE_BOOK_SCREEN=false)" in lines
    assert any("did not sort by volume" in line for line in lines)


def test_machines_are_told_null_where_nobody_looked() -> None:
    told: dict[str, Any] = facts(made(found(fee=None, end_ms=None)), Criteria(), None)
    assert (told["qualifying"][0]["pair_cost"], told["qualifying"][0]["fee_rate"], told["cache_age_s"]) == (None, None, None)
    assert "rejected_markets" not in told


def test_time_left_is_written_in_its_two_largest_units() -> None:
    minute = HOUR_MS // 60
    assert [time_left(NOW_MS + ms, NOW_MS) for ms in (76 * HOUR_MS, 2 * HOUR_MS + 5 * minute, 7 * minute, -5)] == [
        "3 d 4 h",
        "2 h 5 min",
        "7 min",
        "0 min",
    ]
    assert time_left(None, NOW_MS) == "-"


def test_progress_is_one_line() -> None:
    assert progress_line(Progress(pages=12, seen=1_200, candidates=40)) == "12 pages, 1,200 markets, 40 candidates"
