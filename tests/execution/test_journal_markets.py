"""Which markets a journal knows: what a new process must look after, the latest traded first."""

from pathlib import Path

import pytest
from msgspec.structs import replace
from tests.execution.bench_account import a_journal, intent_of
from tests.execution.test_journal import SetClock, signed

from kabobagool.domain.outcome import Killed
from kabobagool.execution.journal import Journal, JournalError, JournalledIntent
from kabobagool.execution.journal_store import RETENTION_MS

RAIN, SNOW, WIND = "0x" + "a1" * 32, "0x" + "b2" * 32, "0x" + "c3" * 32


def traded(market: str, number: int, *, created_ms: int) -> JournalledIntent:
    return replace(intent_of(f"pair-{number}", signed(number, created_ms=created_ms)), market=market, created_ms=created_ms)


async def recorded(journal: Journal, intent: JournalledIntent) -> None:
    await journal.claim(intent.market)
    await journal.record(intent)


async def test_every_market_that_was_traded_is_named_once_the_latest_first_also_after_a_restart(tmp_path: Path) -> None:
    async with a_journal(tmp_path / "j") as journal:
        assert await journal.markets() == []
        for number, (market, created_ms) in enumerate([(RAIN, 1_000), (SNOW, 2_000), (WIND, 3_000), (RAIN, 4_000)]):
            await recorded(journal, traded(market, number, created_ms=created_ms))
        assert await journal.markets() == [RAIN, WIND, SNOW]
    async with a_journal(tmp_path / "j") as journal:
        assert await journal.markets() == [RAIN, WIND, SNOW]


async def test_a_market_is_forgotten_with_its_last_resolved_intent_and_never_while_an_order_is_open(tmp_path: Path) -> None:
    clock = SetClock()
    journal = await Journal.open(tmp_path / "j", clock=clock)
    await recorded(journal, traded(RAIN, 1, created_ms=clock.ms))
    await recorded(journal, traded(SNOW, 2, created_ms=clock.ms))
    await journal.mark(signed(1).order_hash, Killed("no match"))
    clock.ms += RETENTION_MS + 1
    await journal.prune()
    assert await journal.markets() == [SNOW]
    await journal.close()


async def test_a_closed_journal_says_so_instead_of_naming_no_market(tmp_path: Path) -> None:
    async with a_journal(tmp_path / "j") as journal:
        await recorded(journal, traded(RAIN, 1, created_ms=1_000))
    with pytest.raises(JournalError, match="closed"):
        await journal.markets()
