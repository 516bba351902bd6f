"""Moments in epoch milliseconds, and the last one that is believed.

Whoever reads a moment that somebody else wrote (the venue, another process, a file) holds it to this: one that is written in another unit
is thousands of years away, no book of it would ever grow old, and no calendar can show it.
"""

from typing import Annotated, Final

import msgspec

LAST_MILLISECOND: Final = 10**14
"""In the year 5138."""

Milliseconds = Annotated[int, msgspec.Meta(ge=0, lt=LAST_MILLISECOND)]
"""A moment, or a span; the range holds where one is read."""
