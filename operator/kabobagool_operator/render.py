"""What the operator would make of an ArbMarket in a file, without a cluster: for `kabobagool-operator render`.

The same steps as a look of the operator, up to the objects it would apply.
"""

import random

import yaml

from kabobagool.clock import SystemClock
from kabobagool.venue.clob import ClobReader
from kabobagool.venue.errors import VenueError
from kabobagool.venue.gamma import resolve_market
from kabobagool.venue.reader import Reader
from kabobagool.venue.transport import make_transport
from kabobagool_operator.arbmarket import ArbMarket
from kabobagool_operator.arbmarket_errors import ArbMarketError
from kabobagool_operator.arbmarket_spec import MarketReference
from kabobagool_operator.arbmarket_status import MarketFacts
from kabobagool_operator.blueprints import Blueprints
from kabobagool_operator.bot_profiles import Profiles
from kabobagool_operator.policy import Policy
from kabobagool_operator.resolution import facts_of

NO_UID = "the-uid-of-the-arbmarket"
"""Stands where the cluster's own will."""


class RenderError(ValueError):
    """Nothing can be made of it; the text says what to change."""


async def rendered(text: str, policy: Policy) -> str:
    """ConfigMap and Deployment of the ArbMarket in a YAML text. RenderError."""
    market = _market(text, policy)
    blueprint = Blueprints(policy, Profiles(policy.profiles_dir)).of(market, await _facts(market.spec.market, policy))
    if blueprint.desired is None:
        raise RenderError(blueprint.problem or "nothing can be made of it")
    return str(yaml.safe_dump_all([blueprint.desired.config_map, blueprint.desired.deployment], sort_keys=False))


def _market(text: str, policy: Policy) -> ArbMarket:
    try:
        body = yaml.safe_load(text)
    except yaml.YAMLError as e:
        raise RenderError(f"this is no YAML: {e}") from None
    if not isinstance(body, dict) or not isinstance(body.get("metadata", {}), dict):
        raise RenderError("this is no ArbMarket: it begins with `apiVersion: kabobagool.io/v1alpha1` and `kind: ArbMarket`")
    metadata = {"namespace": policy.namespace, "uid": NO_UID, **body.get("metadata", {})}
    try:
        return ArbMarket.parse({**body, "metadata": metadata})
    except ArbMarketError as e:
        raise RenderError(str(e)) from None


async def _facts(reference: MarketReference, policy: Policy) -> MarketFacts:
    clock, transport = SystemClock(), make_transport(browser_impersonation=False)
    reader = Reader(transport, clock=clock, rng=random.SystemRandom())
    clob = ClobReader(reader, policy.clob_url, clock=clock)
    tokens = [reference.tokens.yes, reference.tokens.no] if reference.tokens else None
    try:
        found = await resolve_market(
            reader, clob, policy.gamma_url, slug=reference.slug, condition_id=reference.condition_id, tokens=tokens
        )
    except VenueError as e:
        raise RenderError(str(e)) from None
    finally:
        await transport.close()
    return facts_of(found)
