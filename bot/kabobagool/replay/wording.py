"""How numbers, times and reasons are said in the report: once, so that page and terminal use the same words.

`page.py`, `charts.py` and `cli/replay.py` ask.
"""

from collections.abc import Mapping
from datetime import UTC, datetime

from kabobagool.domain.edge import Reason
from kabobagool.domain.money import CENT_MICROS, Micros, format_dollars, parse_micros
from kabobagool.replay.episodes import ACTED_ON, UNDECIDED

MILLISECONDS_A_MINUTE = 60_000
REASON_WORDS: Mapping[str, str] = {
    ACTED_ON: "acted on",
    UNDECIDED: "undecided at the tape's end",
    Reason.LEGS_APART_IN_TIME: "books not of the same moment",
    Reason.LEG_TOO_OLD: "a book is too old",
    Reason.MIRROR_BROKEN: "the books contradict each other",
    Reason.NO_SNAPSHOT: "a book is not known",
    Reason.TICK_SIZE_CHANGED: "the tick size just changed",
    Reason.FEES_EAT_THE_EDGE: "fees eat the edge",
    Reason.PAIR_COST_TOO_HIGH: "dearer than MAX_PAIR_COST allows",
    Reason.AVERAGE_COST_TOO_HIGH: "average pair would be too dear",
    Reason.TOO_THIN: "too few shares on one leg",
    Reason.POSITION_CAP: "MAX_POSITION_USD is reached",
    Reason.ORDER_IN_FLIGHT: "an order was on its way",
    Reason.VIEW_ALREADY_TRADED: "books were traded on already",
    Reason.VIEW_MOVED: "gone before an order could leave",
    Reason.GATE_REFUSED: "the order rate was used up",
    Reason.COOLDOWN: "waiting after a failed order",
    Reason.ORPHAN_OPEN: "a naked leg comes first",
    Reason.MARKET_ENDING: "too close to the end of the market",
    Reason.MARKET_RESOLVED: "the market is resolved",
    Reason.TAKER_DELAY: "the venue delays takers here",
    Reason.FEE_UNKNOWN: "the fee is not known",
    Reason.NOT_ACCEPTING_ORDERS: "the market accepts no orders",
    Reason.STOPPING: "the tape was at its end",
}


def reason_words(reason: str) -> str:
    """A verdict for people."""
    return REASON_WORDS.get(reason, reason.replace("_", " "))


def micros_of(text: str) -> Micros:
    """An amount of a report as a number: reports write losses with a sign."""
    return -parse_micros(text[1:]) if text.startswith("-") else parse_micros(text)


def dollars(text: str) -> str:
    """An amount of a report in dollars and whole cents, rounded down."""
    return format_dollars(micros_of(text) // CENT_MICROS * CENT_MICROS)


def span(milliseconds: int) -> str:
    """A length of time in its two largest units: `350 ms`, `4.2 s`, `12 min 5 s`, `3 h 20 min`."""
    if milliseconds < 1_000:
        return f"{milliseconds} ms"
    if milliseconds < MILLISECONDS_A_MINUTE:
        tenths = milliseconds // 100
        return f"{tenths // 10}.{tenths % 10} s" if tenths % 10 else f"{tenths // 10} s"
    minutes, rest = divmod(milliseconds, MILLISECONDS_A_MINUTE)
    hours, minutes_left = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes_left} min" if minutes_left else f"{hours} h"
    return f"{minutes} min {rest // 1_000} s" if rest >= 1_000 else f"{minutes} min"


def moment(milliseconds: int) -> str:
    """A venue time as date and time of day, UTC."""
    return datetime.fromtimestamp(milliseconds // 1_000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def clock_time(milliseconds: int, *, seconds: bool) -> str:
    """A venue time as time of day, UTC."""
    return datetime.fromtimestamp(milliseconds // 1_000, UTC).strftime("%H:%M:%S" if seconds else "%H:%M")


def count_of(number: int, one: str, many: str = "") -> str:
    """`1 episode`, `2,300 episodes`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"
