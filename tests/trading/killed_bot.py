"""`kabobagool run`, but it dies as in a power cut at one step between signing its orders and noting what became of them.

`python -m tests.trading.killed_bot STEP`, configured by the environment like the command; started by `test_trading_kill_steps.py`.
"""

import os
import signal
import sys
from collections.abc import Callable
from enum import StrEnum
from itertools import count
from typing import Any, NoReturn

from kabobagool.cli.main import main
from kabobagool.execution.fast import FastExecution
from kabobagool.gate.interface import Granted
from kabobagool.gate.redis_gate import RedisGate
from kabobagool.gate.redis_wallet import GRANTED, RedisWallet
from kabobagool.trading.shared_journal import SharedJournal

Here = Callable[[tuple[Any, ...], Any], bool]
"""Whether this call, by its arguments and (when it has returned) its result, is the one."""


class Step(StrEnum):
    """Where it dies."""

    SIGNED = "both orders signed, the gate not asked"
    ANSWER_LOST = "the gate asked, its answer not heard"
    GRANTED = "granted, nothing on the disk"
    JOURNALLED = "on the disk, nothing sent"
    BEFORE_POST = "about to send the first order"
    FIRST_REPLY_LOST = "the first order sent, its reply not heard"
    BEFORE_MARK = "the first reply heard, nothing noted"
    BETWEEN_ORDERS = "the first reply noted, the second order not sent"
    SECOND_REPLY_LOST = "the second order sent, its reply not heard"


def die() -> NoReturn:
    """Nothing is flushed, closed or told."""
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("dead")


def before(owner: type, name: str, here: Here) -> None:
    """Die instead of the call of a method."""
    original = getattr(owner, name)

    async def call(*args: Any, **named: Any) -> Any:
        if here(args, None):
            die()
        return await original(*args, **named)

    setattr(owner, name, call)


def after(owner: type, name: str, here: Here) -> None:
    """Die when a method has done its work and nobody has heard of it."""
    original = getattr(owner, name)

    async def call(*args: Any, **named: Any) -> Any:
        result = await original(*args, **named)
        if here(args, result):
            die()
        return result

    setattr(owner, name, call)


def number(wanted: int) -> Here:
    """The first call, the second, ..."""
    calls = count(1)
    return lambda args, result: next(calls) == wanted


def asks_for_slots(args: tuple[Any, ...], reply: Any) -> bool:
    """The server granted."""
    return "acquire" in args and reply.word == GRANTED


def is_granted(args: tuple[Any, ...], answer: Any) -> bool:
    """The engine's orders, which the gate also wrote down."""
    return isinstance(answer, Granted)


PLANS: dict[Step, Callable[[], None]] = {
    Step.SIGNED: lambda: after(FastExecution, "prepare", number(2)),
    Step.ANSWER_LOST: lambda: after(RedisWallet, "ask", asks_for_slots),
    Step.GRANTED: lambda: after(RedisGate, "acquire", is_granted),
    Step.JOURNALLED: lambda: after(SharedJournal, "record", number(1)),
    Step.BEFORE_POST: lambda: before(FastExecution, "submit", number(1)),
    Step.FIRST_REPLY_LOST: lambda: after(FastExecution, "submit", number(1)),
    Step.BEFORE_MARK: lambda: before(SharedJournal, "mark", number(1)),
    Step.BETWEEN_ORDERS: lambda: before(FastExecution, "submit", number(2)),
    Step.SECOND_REPLY_LOST: lambda: after(FastExecution, "submit", number(2)),
}


if __name__ == "__main__":
    PLANS[Step(sys.argv[1])]()
    sys.argv = ["kabobagool", "run", "--json"]
    main()
