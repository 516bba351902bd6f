"""Markets that are over: retired with what they paid, to the micro-dollar, and never with a payout that nobody has decided."""

from operator import mul
from pathlib import Path
from typing import Any

import pytest
from tests.discovery.catalogue_examples import condition_id, entry
from tests.faults.fault_books import always_cheap
from tests.support.fleet_rig import cheap_markets, fleet
from tests.venue.venue_servers import Answer, reading, scripted_server

from kabobagool.domain.money import MICRO, format_micros, parse_micros
from kabobagool.hydra.market_supervisor import RESOLVED
from kabobagool.hydra.payouts import payout_of
from paper_exchange.exchange import ExchangeSettings
from paper_exchange.server.broadcast import Broadcaster

SOON = ExchangeSettings(mine_ms=300, confirm_ms=800, resolution_delay_ms=2_000)
DEPOSIT = 1_000_000_000
UP_TO_THE_END = {"END_MARGIN_S": "0"}
YES_WINS, NO_WINS, HALF = (1_000_000, 0), (0, 1_000_000), (500_000, 500_000)


async def test_markets_that_resolve_are_retired_with_the_payouts_and_profits_of_the_exchanges_ledger(tmp_path: Path) -> None:
    payouts = dict(zip(("one-0", "one-1", "one-2"), (YES_WINS, NO_WINS, HALF), strict=True))
    books = [always_cheap(slug=slug, ends_after_ms=300_000, payout=payout) for slug, payout in payouts.items()]
    async with fleet(tmp_path, books, settings=SOON, variables=UP_TO_THE_END) as rig:
        await rig.until_pair(*payouts)
        worth = {slug: sum(map(mul, rig.held(slug), payout)) // MICRO for slug, payout in payouts.items()}
        await rig.until(lambda: set(rig.left()) == set(payouts), "all retired")
        left, account = rig.left(), rig.paper.exchange.account(rig.address)
        assert {slug: one.payout for slug, one in left.items()} == {slug: format_micros(amount) for slug, amount in worth.items()}
        assert sum(worth.values()) == account.redeemed
        assert sum(parse_micros(one.profit) for one in left.values()) == account.dollars - DEPOSIT, "what the wallet has more than before"
        assert {one.reason for one in left.values()} == {RESOLVED}
        stakes = rig.session.at_gate.numbers.stakes
        assert stakes is not None
        assert (stakes.at_stake, stakes.orphans, stakes.lost_today) == (0, 0, DEPOSIT - account.dollars), "the gate counts it, too"
        assert (await rig.supervisor.fleet.snapshot()).totals.paid_out == format_micros(account.redeemed)
        assert await rig.stopped()
        assert rig.supervisor.fleet.positions_left() == [], "what was paid out is not left"


async def test_a_market_whose_end_the_socket_never_tells_is_retired_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Broadcaster, "_market_resolved", lambda self, event: None)
    books = [*cheap_markets(1, ends_after_ms=300_000, payout=YES_WINS), cheap_markets(2)[1]]
    async with fleet(tmp_path, books, settings=SOON, variables=UP_TO_THE_END) as rig:
        await rig.until_pair("one-0", "one-1")
        await rig.until(lambda: "one-0" in rig.left(), "retired")
        assert rig.left()["one-0"].payout == format_micros(rig.paper.exchange.account(rig.address).redeemed)
        assert rig.phase("one-1") == "running"
        listening = rig.paper.venue.market_sockets.listening
        await rig.until(lambda: not listening(rig.listed("one-0").tokens), "the venue was told")


async def test_a_market_that_ended_and_was_not_decided_yet_keeps_its_position_and_waits(tmp_path: Path) -> None:
    late = ExchangeSettings(mine_ms=300, confirm_ms=800, resolution_delay_ms=60_000)
    books = cheap_markets(1, ends_after_ms=300_000, payout=YES_WINS)
    async with fleet(tmp_path, books, settings=late, variables=UP_TO_THE_END) as rig:
        await rig.until_pair("one-0")
        end_ms = rig.listed("one-0").end_ms
        await rig.until(lambda: rig.paper.clock.now_ms() > end_ms + 20_000, "twenty seconds after its end")
        assert rig.phase("one-0") == "running"
        assert not rig.left()
        await rig.until(lambda: "one-0" in rig.left(), "decided in the end")
        assert rig.left()["one-0"].payout == format_micros(rig.paper.exchange.account(rig.address).redeemed)


DECIDED: dict[str, Any] = {"closed": True, "umaResolutionStatus": "resolved", "outcomePrices": '["1", "0"]'}


@pytest.mark.parametrize(
    ("fields", "payout"),
    [
        (DECIDED, YES_WINS),
        (DECIDED | {"outcomePrices": '["0", "1"]'}, NO_WINS),
        (DECIDED | {"outcomePrices": '["0.5", "0.5"]'}, HALF),
        (DECIDED | {"umaResolutionStatus": ""}, YES_WINS),
        (DECIDED | {"closed": False}, None),
        (DECIDED | {"umaResolutionStatus": "proposed"}, None),
        (DECIDED | {"umaResolutionStatus": "disputed"}, None),
        (DECIDED | {"outcomePrices": '["0.9995", "0.0005"]'}, None),
        (DECIDED | {"outcomePrices": '["1", "1"]'}, None),
        (DECIDED | {"outcomePrices": '["0", "0"]'}, None),
        (DECIDED | {"outcomePrices": '["0.5", "0.6"]'}, None),
        (DECIDED | {"outcomePrices": "rubbish"}, None),
        (DECIDED | {"outcomePrices": None}, None),
    ],
)
async def test_only_a_decided_market_has_a_payout(fields: dict[str, Any], payout: tuple[int, int] | None) -> None:
    page = Answer(200, {"markets": [entry(1, **fields)]})
    async with scripted_server({"/markets/keyset": page}) as server, reading() as reader:
        assert await payout_of(reader, server.url, condition_id(1)) == payout
