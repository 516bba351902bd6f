"""How old the catalogue's answers are: the venue's content network repeats them for minutes.

The crawl tells every reply's headers, `kabobagool discover` shows the answer. Age is the cache's own word; without it the Date of the reply
is compared with our clock.
"""

from collections.abc import Mapping
from email.utils import parsedate_to_datetime

_LONGEST_AGE_S = 10 * 365 * 86_400


class CacheAge:
    """The oldest of the replies seen. `oldest_s` is None as long as no reply said anything about its age."""

    def __init__(self) -> None:
        self.oldest_s: int | None = None

    def saw(self, headers: Mapping[str, str], *, wall_ms: int) -> None:
        """Take note of one reply, received at `wall_ms` (epoch milliseconds). Header names are lower case."""
        age_s = reply_age_s(headers, wall_ms=wall_ms)
        if age_s is not None:
            self.oldest_s = max(age_s, self.oldest_s or 0)


def reply_age_s(headers: Mapping[str, str], *, wall_ms: int) -> int | None:
    """Whole seconds since the origin made this reply, None when the headers do not say."""
    said = headers.get("age", "").strip()
    if said.isascii() and said.isdigit():
        return min(int(said[:18]), _LONGEST_AGE_S)
    try:
        made_s = int(parsedate_to_datetime(headers.get("date", "")).timestamp())
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(wall_ms // 1000 - made_s, 0), _LONGEST_AGE_S)
