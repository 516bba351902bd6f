"""What each market's bot should be now, or why nothing can be made of what is asked for.

`observe.py` asks at every look. Most markets of a fleet are configured alike, and to check a configuration takes longer than all the rest
of a look, so that is done once for those that differ in nothing but the market.
"""

from typing import Final

import msgspec

from kabobagool.settings import SettingsError
from kabobagool_operator.arbmarket import ArbMarket
from kabobagool_operator.arbmarket_status import MarketFacts
from kabobagool_operator.bot_config import bot_environment
from kabobagool_operator.bot_profiles import BotProfile, Profiles
from kabobagool_operator.deployment import Desired, desired
from kabobagool_operator.policy import Policy

REMEMBERED: Final = 1000


class Blueprint(msgspec.Struct, frozen=True):
    """One of the two: what to apply, or which variable is wrong, its value and the fix."""

    desired: Desired | None = None
    problem: str | None = None


class _Checked(msgspec.Struct, frozen=True):
    profile: BotProfile
    environment: dict[str, str]


class Blueprints:
    """Makes them from the policy and the profiles there are."""

    def __init__(self, policy: Policy, profiles: Profiles) -> None:
        self._policy = policy
        self._profiles = profiles
        self._checked: dict[str, _Checked] = {}

    def of(self, market: ArbMarket, facts: MarketFacts) -> Blueprint:
        """The bot of a market that was found."""
        try:
            environment = self._environment(market, facts)
        except SettingsError as e:
            return Blueprint(problem="; ".join(e.problems))
        return Blueprint(desired=desired(market, facts, environment, self._policy))

    def _environment(self, market: ArbMarket, facts: MarketFacts) -> dict[str, str]:
        profile = self._profiles.profile(market.spec.profile)
        alike = market.spec.model_dump_json(exclude={"market"})
        known = self._checked.get(alike)
        if known is None or known.profile is not profile:
            known = _Checked(profile, bot_environment(market, facts, self._policy, profile))
            self._remember(alike, known)
        return {**known.environment, "CONDITION_ID": facts.condition_id}

    def _remember(self, alike: str, checked: _Checked) -> None:
        if len(self._checked) >= REMEMBERED:
            self._checked.clear()
        self._checked[alike] = checked
