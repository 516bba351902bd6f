"""The demo, as a stranger runs it: a whole fleet in processes of its own, and a report that can say no."""

import json
import re
import subprocess
import sys
from typing import Any

import pytest

from kabobagool.cli.demo_report import Witness, market_differences, payout_differences, summary_lines

COMMAND = [sys.executable, "-m", "kabobagool.cli.main", "demo", "--minutes", "4", "--speed", "10", "--synthetic", "2", "--inject", "4"]


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict[str, Any]]:
    out = tmp_path_factory.mktemp("demo") / "report.json"
    done = subprocess.run([*COMMAND, "--out", str(out)], capture_output=True, text=True, timeout=200, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout, json.loads(out.read_text())


def test_every_recorded_market_trades_side_by_side_in_one_process(shown):
    _, report = shown
    slugs = [market["slug"] for market in report["markets"]]
    assert sum(slug.startswith("btc-updown-15m-") for slug in slugs) == 18
    assert sum(slug.startswith("synthetic-") for slug in slugs) == 2
    assert all(market["ticks"] for market in report["markets"])


def test_the_fleet_and_the_exchange_agree_in_every_market_and_on_the_payouts(shown):
    _, report = shown
    assert report["ledger_equals_venue"], report["differences"]
    assert all(market["ledger_equals_venue"] for market in report["markets"])
    assert report["edges"]["acted_on"] > 0
    assert report["fills"] > 0
    reasons = {market["reason"] for market in report["retired"]}
    assert "resolved" in reasons
    assert reasons <= {"resolved", "closed"}, "a round of discovery may see before the bot that a market's trading is over"
    assert all(market["payout"] is not None for market in report["retired"] if market["spent"] != "0")
    assert len(report["retired"]) == len(report["markets"])


def test_every_edge_that_was_seen_is_acted_on_or_refused_by_name(shown):
    _, report = shown
    for market in report["markets"]:
        edges = market["edges"]
        assert edges["seen"] == edges["acted_on"] + sum(edges["rejected"].values()), market["slug"]


def test_it_says_where_the_page_is_and_which_part_was_made_up(shown):
    text, _ = shown
    assert re.search(r"page: http://127\.0\.0\.1:\d+/ +token", text)
    assert "synthetic" in text
    assert "agree to the micro-dollar in every market" in text


def bot(**position: str) -> dict[str, Any]:
    return {"market": "rain", "position": {"shares_yes": "50", "shares_no": "50", "spent": "48.5", "fees": "0.5"} | position}


LEDGER = {"markets": {"rain": {"shares": [50_000_000, 50_000_000], "net_dollars": 48_000_000, "fees": 500_000}}}


@pytest.mark.parametrize("field", ["shares_yes", "shares_no", "spent", "fees"])
def test_a_micro_dollar_of_difference_is_found_and_named(field):
    assert market_differences(bot(), LEDGER) == []
    wrong = {"shares_yes": "50.000001", "shares_no": "49.999999", "spent": "48.500001", "fees": "0.499999"}[field]
    (line,) = market_differences(bot(**{field: wrong}), LEDGER)
    assert line.startswith("rain: ")
    assert wrong in line


def test_a_market_the_exchange_knows_nothing_of_must_be_empty():
    empty = bot(shares_yes="0", shares_no="0", spent="0", fees="0")
    assert market_differences(empty, {"markets": {}}) == []
    assert len(market_differences(bot(), {"markets": {}})) == 4


def test_payouts_that_differ_or_never_came_are_said():
    def after(paid_out: str, redeemed: int, markets: list[dict[str, Any]] | None = None) -> Witness:
        return Witness(status={"markets": markets or [], "totals": {"paid_out": paid_out}}, ledger={"redeemed": redeemed}, counters={})

    assert payout_differences(after("50", 50_000_000)) == []
    assert "the exchange paid 49.999999" in payout_differences(after("50", 49_999_999))[0]
    assert "rain" in payout_differences(after("50", 50_000_000, [{"bot": {"market": "rain"}}]))[0]


def test_a_disagreement_cannot_be_overlooked_in_the_summary(shown):
    _, report = shown
    lines = summary_lines(report | {"ledger_equals_venue": False, "differences": ["rain: fees: the bot says 1, the exchange 2"]})
    assert any("DISAGREE: rain: fees" in line for line in lines)
