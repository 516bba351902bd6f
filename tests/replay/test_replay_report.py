"""The report: complete for machines, and for people a page that is safe to open whatever a market calls itself."""

import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.replay.made_tapes import NOON_MS, TapeMaker, both_books, made_market, played

from kabobagool.cli.replay import write_report
from kabobagool.domain.market import FeeSchedule
from kabobagool.replay.histogram import DURATION_BOUNDS, Histogram
from kabobagool.replay.markup import Markup, element
from kabobagool.replay.page import report_page
from kabobagool.replay.pair_trace import MOST_POINTS, PairTrace
from kabobagool.replay.report import EdgeReport
from kabobagool.replay.wording import REASON_WORDS, dollars, span

HOSTILE = "</title><script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">\u202e\x00'\"&"
BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
VOID = {"meta"}


def eventful_tape(path: Path) -> Path:
    """Two markets with real and phantom edges, a gap, a lost connection and a frame that is no message."""
    rain = made_market(1, fee=FeeSchedule(rate_micros=20_000), slug="rain", question=HOSTILE)
    snow = made_market(2, slug=HOSTILE)
    maker = TapeMaker(path).opened().joined(rain).joined(snow)
    for step in range(40):
        for market in (rain, snow):
            cheap = step % 7 == 3
            books = both_books(market, 4_700 if cheap else 5_100, 4_800, shares=30 + step, at=step * 1_000)
            maker.frame(books[:1] if step % 9 == 4 else books, at=step * 1_000)
    maker.frame(b"no message", at=41_000).lost(42_000).flush()
    return maker.opened(60_000).joined(snow, 60_000).pair(snow, 4_600, 4_800, at=61_000).closed(70_000).done()


class Balanced(HTMLParser):
    """Every element that is opened is closed, and all of them are remembered."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def parsed(page: str) -> Balanced:
    parser = Balanced()
    parser.feed(page)
    assert parser.open == []
    return parser


def test_the_report_for_machines_holds_all_that_was_asked_for(tmp_path):
    machine, _ = write_report(played(eventful_tape(tmp_path / "a.tape")), tmp_path / "out")
    report = json.loads(machine.read_text())
    assert report.keys() == {
        *("tape", "settings", "decisions", "decision_lines", "totals", "durations", "shares", "markets", "run"),
    }
    assert re.fullmatch("[0-9a-f]{64}", report["decisions"])
    assert report["totals"]["edges"]["seen"] > report["totals"]["edges"]["acted_on"] > 0
    assert {"below_one", "whole", "pays_fees", "buyable", "acted_on"} == report["totals"]["funnel"].keys()
    assert report["tape"]["gaps"] == [{"from_ms": NOON_MS + 42_000, "until_ms": NOON_MS + 60_000}]
    assert report["tape"]["started_ms"] == NOON_MS
    assert "DRY_RUN_LATENCY_MS" in report["settings"]
    rain = report["markets"][0]
    assert rain["slug"] == "rain"
    assert rain["episodes"][0].keys() >= {"began_ms", "duration_ms", "lowest_pair", "shares", "real", "verdict"}
    assert re.fullmatch(r"-?\d+(\.\d{1,6})?", rain["position"]["locked_profit"])


def test_a_page_can_be_made_again_from_the_report(tmp_path):
    machine, page = write_report(played(eventful_tape(tmp_path / "a.tape")), tmp_path / "out")
    again = msgspec.json.decode(machine.read_bytes(), type=EdgeReport)
    assert report_page(again) == page.read_text()


def test_the_page_runs_nothing_and_loads_nothing(tmp_path):
    page = report_page(played(eventful_tape(tmp_path / "a.tape")))
    found = parsed(page)
    names = {tag for tag, _ in found.seen}
    assert names.isdisjoint({"script", "img", "link", "iframe", "object", "a", "form", "image", "use"})
    assert not [name for _, attributes in found.seen for name in attributes if name.startswith("on") or name in {"href", "src", "style"}]
    assert "http://" not in page.replace("http://venue.test", "")
    assert "url(" not in page
    assert "\u202e" not in page


@pytest.mark.skipif(BROWSER is None, reason="no chromium on this machine")
def test_a_browser_shows_a_hostile_title_as_text(tmp_path):
    _, page = write_report(played(eventful_tape(tmp_path / "a.tape")), tmp_path / "out")
    assert BROWSER is not None
    shown = subprocess.run(
        [BROWSER, "--headless=new", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path}/profile", "--dump-dom", page.as_uri()],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    ).stdout
    assert "<title>Edge truth: a.tape</title>" in shown
    assert "<small>&lt;/title&gt;&lt;script&gt;document.title='owned'&lt;/script&gt;" in shown
    assert "<script" not in shown
    assert shown.count("<svg") >= 6


@given(st.text(), st.text())
def test_no_text_ever_becomes_markup(child, attribute):
    made = element("td", child, title=attribute)
    parser = parsed(made)
    assert [tag for tag, _ in parser.seen] == ["td"]
    assert parser.seen[0][1].keys() == {"title"}


def test_markup_is_taken_as_it_is():
    assert element("p", "a < b ", element("b", "c"), Markup("&nbsp;"), class_="x", stroke_width=1.25) == (
        '<p class="x" stroke-width="1.2">a &lt; b <b>c</b>&nbsp;</p>'
    )


@pytest.mark.parametrize("content", ["nothing", "calm", "one frame"])
def test_a_tape_with_little_on_it_still_makes_a_page(tmp_path, content):
    market = made_market()
    maker = TapeMaker(tmp_path / "a.tape").opened()
    if content != "nothing":
        maker.joined(market).pair(market, 5_100, 5_000, at=10)
    if content == "calm":
        maker.pair(market, 5_200, 5_000, at=1_000)
    page = report_page(played(maker.done()))
    parsed(page)
    assert "the asks of no market ever summed below $1" in page
    assert "its recorder died" in page


def test_what_is_missing_from_the_tape_is_said_on_the_page(tmp_path):
    path = eventful_tape(tmp_path / "a.tape")
    path.write_bytes(path.read_bytes()[:-3])
    page = report_page(played(path))
    assert "cut off in the middle of a block" in page
    whole = report_page(played(eventful_tape(tmp_path / "b.tape")))
    assert "1 gap between recordings, 18 s in all: nothing is known of them" in whole
    assert "1 connection was lost while recording" in whole
    assert "1 frame could not be read" in whole


def test_a_page_of_many_markets_and_episodes_stays_small(tmp_path):
    markets = [made_market(number) for number in range(1, 31)]
    maker = TapeMaker(tmp_path / "a.tape").opened()
    for market in markets:
        maker.joined(market)
    for step in range(3_000):
        maker.pair(markets[step % 30], 4_700 if step // 30 % 2 else 5_100, 5_000, shares=1, at=step * 50)
    report = played(maker.done())
    assert report.totals.funnel.below_one == 30 * 50
    assert len(report_page(report)) < 1_500_000


@given(st.lists(st.tuples(st.integers(0, 5_000), st.integers(8_000, 12_000)), min_size=1, max_size=1_500))
def test_a_trace_never_loses_its_lowest_price_and_stays_short(steps):
    trace, at_ms = PairTrace(), NOON_MS
    for pause_ms, price in steps:
        at_ms += pause_ms
        trace.push(at_ms, price)
    assert len(trace.points) <= MOST_POINTS
    assert min(point.lowest for point in trace.points) == min(price for _, price in steps)
    assert max(point.highest for point in trace.points) == max(price for _, price in steps)
    assert [point.at_ms for point in trace.points] == sorted({point.at_ms for point in trace.points})


@given(st.lists(st.integers(0, 10**8)))
def test_every_value_is_in_exactly_one_bar(values):
    histogram = Histogram(DURATION_BOUNDS)
    for value in values:
        histogram.add(value)
    assert sum(histogram.counts) == len(values)
    for number, bound in enumerate(DURATION_BOUNDS):
        assert sum(histogram.counts[: number + 1]) == sum(value < bound for value in values)


@pytest.mark.parametrize(
    ("milliseconds", "said"),
    [
        (0, "0 ms"),
        (999, "999 ms"),
        (1_000, "1 s"),
        (4_250, "4.2 s"),
        (60_000, "1 min"),
        (725_000, "12 min 5 s"),
        (12_000_000, "3 h 20 min"),
    ],
)
def test_spans_are_said_in_their_two_largest_units(milliseconds, said):
    assert span(milliseconds) == said


def test_losses_are_never_rounded_to_look_smaller():
    assert dollars("-0.001") == "-$0.01"
    assert dollars("1.999") == "$1.99"


def test_the_words_for_reasons_are_about_reasons_that_exist():
    from kabobagool.domain.edge import Reason

    assert REASON_WORDS.keys() - {reason.value for reason in Reason} == {"acted_on", "undecided"}
