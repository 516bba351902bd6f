"""ArbMarkets that nobody can mean, each with what the operator says of it. The API server is asked about the same ones."""

from tests.operator.arbmarket_bodies import Body, body, smallest

from kabobagool_operator.arbmarket import NAME_TOO_LONG
from kabobagool_operator.arbmarket_spec import LIVE_NEEDS_A_KEY, ONE_WAY, PAPER_TAKES_NO_KEY, SOMETHING_LEFT, TWO_TOKENS

CONDITION = "0x" + "Ab" * 32

REFUSED: list[tuple[Body, str]] = [
    (body({}), "spec.market is not set: add it, there is no default"),
    (body({"market": {}}), f"spec.market: {ONE_WAY}"),
    (body({"market": {"slug": "rain", "conditionId": CONDITION}}), f"spec.market: {ONE_WAY}"),
    (body({"market": {"tokens": {"yes": "7", "no": "7"}}}), f"spec.market.tokens: {TWO_TOKENS}"),
    (
        body({"market": {"tokens": {"yes": "7", "no": str(2**256)}}}),
        f"spec.market.tokens.no={2**256}: is not a token id: a long decimal number (`clobTokenIds` of the market); the slug is easier",
    ),
    (
        body({"market": {"slug": "Will it rain?"}}),
        "spec.market.slug=Will it rain?: is not a slug: lower-case letters, digits and hyphens, the last part of the market's page address",
    ),
    (smallest(mode="Live"), f"spec: {LIVE_NEEDS_A_KEY}"),
    (smallest(mode="live"), "spec.mode=live: is not known, choose one of 'DryRun', 'Paper', 'Live'"),
    (smallest(mode="Paper", credentials={"secretName": "wallet"}), f"spec: {PAPER_TAKES_NO_KEY}"),
    (smallest(suspend="false"), "spec.suspend=false: is neither true nor false: write one of them, without quotes"),
    (smallest(drainTimeoutSeconds=4), "spec.drainTimeoutSeconds=4: is too little, it must be at least 5"),
    (smallest(drainTimeoutSeconds=3601), "spec.drainTimeoutSeconds=3601: is too much, it may be at most 3600"),
    (smallest(drainTimeoutSeconds="60"), "spec.drainTimeoutSeconds=60: is not a whole number: write digits, without quotes"),
    (smallest(strategy={"batchSize": 50}), "spec.strategy.batchSize=50: is not text: put it in quotes"),
    (smallest(strategy={"batchSize": "4.99"}), "spec.strategy.batchSize=4.99: is too little, it must be at least 5 shares"),
    (
        smallest(strategy={"maxPairCost": "1.2"}),
        "spec.strategy.maxPairCost=1.2: a pair pays 1.00, so the most it may cost is below 1",
    ),
    (
        smallest(strategy={"maxPositionUsd": "1e3"}),
        "spec.strategy.maxPositionUsd=1e3: is not an amount: digits with at most 6 decimals, such as 0.975",
    ),
    (smallest(strategy={"maxPairCost": "0.5", "edgeBuffer": "0.5"}), f"spec.strategy: {SOMETHING_LEFT}"),
    (smallest(strategy={"maxPairCosts": "0.9"}), "spec.strategy.maxPairCosts is not a field of an ArbMarket: was maxPairCost meant?"),
    (smallest(dryRun=True), "spec.dryRun is not a field of an ArbMarket: remove it"),
    (
        smallest(bot={"resources": {"limits": {"memory": "256MB"}}}),
        "spec.bot.resources.limits.memory=256MB: is not a quantity: write it in quotes, like 100m, 0.5 or 256Mi",
    ),
    (smallest(bot={"tolerations": [{"effect": "NoWork"}]}), "spec.bot.tolerations[0].effect=NoWork: is not known, "),
    (smallest(bot=[]), "spec.bot: is not a map of fields: write one field a line below it, indented"),
    (smallest(profile="a" * 64), "is longer than 63 characters; shorten it"),
    (body({"market": {"slug": "rain"}}, name="r" * 64), f"metadata: {NAME_TOO_LONG}"),
    (smallest() | {"apiVersion": "kabobagool.io/v2"}, "apiVersion=kabobagool.io/v2: is not known, choose one of 'kabobagool.io/v1alpha1'"),
]
