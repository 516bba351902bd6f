"""Sums below a dollar that nobody can buy: one book is wrong, or the two are from different moments. They are counted, never acted on."""

from pathlib import Path

from tests.faults.fault_books import CALM_ASKS, CALM_BIDS, scenes
from tests.support.bot_rig import Rig, trading
from tests.support.paper import ScriptedBooks

from kabobagool.domain.edge import Reason


async def watched(rig: Rig, reason: Reason) -> None:
    """The phantom is seen for a minute and rejected for this reason."""
    await rig.until(lambda: rig.rejected.get(reason, 0) > 20, f"seen and rejected; {rig.rejected}")
    await rig.venue_seconds(20)
    assert set(rig.rejected) <= {reason, Reason.LEGS_APART_IN_TIME}, "between two connections the legs may also be apart"
    truth = rig.bot.engine.strategy.truth
    assert (rig.posts, truth.acted_on) == (0, 0)
    assert truth.seen == sum(truth.rejected.values())


async def test_an_edge_in_one_book_alone_is_a_broken_mirror_and_never_an_order(tmp_path: Path) -> None:
    yes = scenes(from_s=0, until_s=1200, bids=CALM_BIDS, asks=CALM_ASKS)
    no = scenes(from_s=0, until_s=1200, bids=[("0.40", 400)], asks=[("0.42", 400)])
    async with trading(tmp_path, ScriptedBooks(yes, no), speed=20) as rig:
        await watched(rig, Reason.MIRROR_BROKEN)


async def test_legs_from_different_moments_are_never_traded_although_they_mirror_each_other(tmp_path: Path) -> None:
    yes = [(at_ms, [("0.58", 400)], [("0.50", 400), ("0.70", 1 + at_ms % 7)]) for at_ms in range(0, 1_200_000, 1000)]
    no = [(at_ms, [("0.50", 400)], [("0.42", 400), ("0.70", 1 + at_ms % 7)]) for at_ms in range(500, 1_200_000, 1000)]
    async with trading(tmp_path, ScriptedBooks(yes, no), speed=20) as rig:
        await watched(rig, Reason.LEGS_APART_IN_TIME)


async def test_a_pair_that_is_cheap_before_fees_only_is_never_bought(tmp_path: Path) -> None:
    books = ScriptedBooks(scenes(from_s=0, until_s=1200, bids=[("0.53", 400)], asks=[("0.50", 400)]))
    async with trading(tmp_path, books, speed=20) as rig:
        await watched(rig, Reason.FEES_EAT_THE_EDGE)
