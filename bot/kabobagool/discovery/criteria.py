"""What a trader wants watched, read once from the settings.

Every stage of discovery takes these; nothing in it reads the settings itself.
"""

import re
from dataclasses import dataclass
from fnmatch import translate
from functools import lru_cache

from kabobagool.domain.money import MICROS_PER_PRICE, Micros, Price
from kabobagool.settings import Settings, SettingsError

SHORTLIST_FACTOR = 5
"""How many candidates are screened for each market wanted: books and exchange reject more of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Criteria:
    """Dollars in millionths, times in milliseconds from now to the scheduled end. Without `spawn_pair_cost` books are not looked at."""

    patterns: tuple[str, ...] = ("*",)
    min_volume: Micros = 0
    min_duration_ms: int = 0
    max_duration_ms: int = 720 * 3_600_000
    max_markets: int = 20
    spawn_pair_cost: Price | None = None

    @property
    def shortlist_size(self) -> int:
        """How many candidates are looked at more closely."""
        return self.max_markets * SHORTLIST_FACTOR

    def wants(self, slug: str) -> bool:
        """Whether one of the globs fits the whole slug."""
        return _matcher(self.patterns).match(slug) is not None


def criteria_of(settings: Settings) -> Criteria:
    """The criteria these settings describe. SettingsError when no duration can satisfy them."""
    if settings.min_duration_ms > settings.max_duration_ms:
        raise SettingsError(
            f"MIN_DURATION_HOURS={settings.min_duration_hours}: is above MAX_DURATION_HOURS {settings.max_duration_hours}, "
            "so no market can qualify; make it smaller (default 0.0833)"
        )
    return Criteria(
        patterns=settings.market_pattern_list,
        min_volume=settings.min_volume_micros,
        min_duration_ms=settings.min_duration_ms,
        max_duration_ms=settings.max_duration_ms,
        max_markets=settings.max_markets,
        spawn_pair_cost=settings.spawn_pair_cost_micros // MICROS_PER_PRICE if settings.enable_book_screen else None,
    )


@lru_cache(maxsize=8)
def _matcher(patterns: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(translate(pattern) for pattern in patterns))
