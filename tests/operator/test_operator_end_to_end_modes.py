"""A mode that the operator was not installed for: it says so and what to choose, and there is no bot that would crash over it."""

from tests.operator.operator_rig import World, arb_market, conditions, phase, world_with

LIVE = {"mode": "Live", "credentials": {"secretName": "wallet", "walletAddress": "0x" + "11" * 20}}
PLAY_WALLET = "0x" + "9e" * 20

at = world_with("rain", "snow", "hail")


def paper_installation(at: World) -> dict[str, str]:
    """The operator's variables where this exchange is the paper exchange."""
    return {"PAPER_WALLET": PLAY_WALLET, "PAPER_WALLET_SECRET": "play", "WS_URL": at.paper.urls["market_socket"]}


async def test_a_paper_installation_runs_paper_and_dry_run_and_refuses_live_with_what_to_do(at: World) -> None:
    await at.running(**paper_installation(at))
    await at.apply(arb_market("rain", mode="Paper"), arb_market("snow"), arb_market("hail", **LIVE))
    refused = await at.until_market("hail", lambda body: phase(body) == "Failed", "is refused")
    for name in ("rain", "snow"):
        await at.until_market(name, lambda body: phase(body) == "Starting", "starts")
    said = conditions(refused)
    assert (said["Ready"], said["Degraded"], refused["status"]["reason"]) == ("False/ModeUnavailable", "False/NoBot", "ModeUnavailable")
    bots = await at.objects("deployments")
    assert {name: body["metadata"]["labels"]["kabobagool.io/mode"] for name, body in bots.items()} == {"rain": "paper", "snow": "dry-run"}
    await at.until_told("hail", "ModeUnavailable", "choose Paper or DryRun")
    await at.patch("arb", "hail", spec={"mode": "Paper", "credentials": None})
    await at.until_market("hail", lambda body: phase(body) == "Starting", "starts once its mode is one that there is")


async def test_without_a_paper_exchange_paper_is_refused_and_a_paper_bot_from_before_is_sent_home(at: World) -> None:
    operator = await at.running(**paper_installation(at))
    await at.apply(arb_market("rain", mode="Paper"))
    await at.pod_is("rain")
    assert await operator.stop() == 0
    await at.running()
    refused = await at.until_market("rain", lambda body: phase(body) == "Failed", "is refused")
    assert conditions(refused)["Ready"] == "False/ModeUnavailable"
    assert await at.objects("deployments") == {}
    await at.until_told("rain", "ModeUnavailable", "choose DryRun or Live")


async def test_a_live_bot_of_an_unknown_wallet_runs_and_both_ways_to_name_the_wallet_are_said(at: World) -> None:
    await at.running()
    await at.apply(arb_market("rain", mode="Live", credentials={"secretName": "wallet"}))
    await at.pod_is("rain")
    market = await at.until_market(
        "rain", lambda body: phase(body) == "Degraded" and conditions(body)["Ready"] == "True/Running", "runs and is not heard"
    )
    said = conditions(market)
    assert (said["Ready"], said["Degraded"], said["Trading"]) == ("True/Running", "True/WalletUnknown", "Unknown/WalletUnknown")
    (message,) = {found["message"] for found in market["status"]["conditions"] if found["type"] == "Degraded"}
    assert "`spec.credentials.walletAddress`" in message
    assert "`KABOBAGOOL_LIVE_WALLET`" in message
    await at.patch("arb", "rain", spec={"credentials": {"walletAddress": "0x" + "11" * 20}})
    await at.until_market("rain", lambda body: conditions(body)["Degraded"] != "True/WalletUnknown", "is known")
