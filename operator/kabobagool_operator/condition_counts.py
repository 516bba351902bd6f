"""How many ArbMarkets say what of themselves: the conditions of the whole fleet, counted for the metrics so that alerts can ask by reason.

`main.py` hands it to the metrics, which call it at every scrape. Conditions are kept nowhere but in the text of the objects, and are read
from there each time: some milliseconds for thousands of markets twice a minute cost less than keeping them.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from kabobagool_operator.caches import Seen


class _Condition(msgspec.Struct, frozen=True):
    type: str = ""
    status: str = ""
    reason: str = ""


class _Status(msgspec.Struct, frozen=True):
    conditions: tuple[_Condition, ...] = ()


class _Said(msgspec.Struct, frozen=True):
    status: _Status = _Status()


DECODER: Final = msgspec.json.Decoder(_Said)


def condition_counts(markets: Iterable[Seen]) -> Mapping[tuple[str, str, str], int]:
    """How many of these ArbMarkets have a condition of this type, status and reason. A status of another form is not counted."""
    return Counter((said.type, said.status, said.reason) for seen in markets for said in _conditions(seen))


def _conditions(seen: Seen) -> tuple[_Condition, ...]:
    try:
        return DECODER.decode(seen.text).status.conditions
    except msgspec.ValidationError:
        return ()
