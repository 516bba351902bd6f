"""What an order's outcome asks of the engine, as data: how long to stay away, whether to pause the wallet, whether to stop for good.

One table for every refusal the venue knows, so that "what happens on a 425?" has one place to look. The engine applies the answer.
"""

from typing import assert_never

import msgspec

from kabobagool.domain.outcome import Delayed, Filled, Killed, OrderOutcome, Rejected, Rejection, Unknown


class Trouble(msgspec.Struct, frozen=True, kw_only=True):
    """`pause_s` silences the whole wallet at the gate, `stay_away_s` this market; `fatal` means no order before a person looked."""

    stay_away_s: float = 0.0
    pause_s: float = 0.0
    fatal: bool = False
    no_money: bool = False
    look_up: bool = False


RESTART_PAUSE_S = 2.0
POST_ONLY_PAUSE_S = 20.0
DISABLED_PAUSE_S = 30.0
RATE_PAUSE_S = 1.0
CLOSED_STAY_AWAY_S = 60.0

NO_TROUBLE = Trouble()
LOOK_UP = Trouble(look_up=True)
FATAL = Trouble(fatal=True)

BY_REJECTION: dict[Rejection, Trouble] = {
    Rejection.BALANCE: Trouble(no_money=True),
    Rejection.AMOUNTS: FATAL,
    Rejection.MIN_SIZE: FATAL,
    Rejection.CONFIGURATION: FATAL,
    Rejection.GEOBLOCKED: FATAL,
    Rejection.TICK_SIZE: NO_TROUBLE,
    Rejection.RATE_LIMITED: Trouble(pause_s=RATE_PAUSE_S),
    Rejection.RESTARTING: Trouble(pause_s=RESTART_PAUSE_S),
    Rejection.POST_ONLY: Trouble(pause_s=POST_ONLY_PAUSE_S),
    Rejection.TRADING_DISABLED: Trouble(pause_s=DISABLED_PAUSE_S),
    Rejection.MARKET_CLOSED: Trouble(stay_away_s=CLOSED_STAY_AWAY_S),
    Rejection.OTHER: NO_TROUBLE,
}


def trouble_of(outcome: OrderOutcome) -> Trouble:
    """What this outcome asks for. A pause the venue named is honoured over our own."""
    match outcome:
        case Filled() | Killed():
            return NO_TROUBLE
        case Delayed() | Unknown():
            return LOOK_UP
        case Rejected():
            trouble = BY_REJECTION[outcome.reason]
            if trouble.pause_s and outcome.retry_after_s > 0:
                return msgspec.structs.replace(trouble, pause_s=outcome.retry_after_s)
            return trouble
        case _:
            assert_never(outcome)
