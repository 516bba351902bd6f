"""The venue's per-signer token bucket, in venue time.

Order handlers ask it before anything else happens to an order; its answer also fills the Poly-RateLimit headers.
"""

from dataclasses import dataclass, field

_MICROTOKENS = 1_000_000


@dataclass(frozen=True, slots=True)
class Tier:
    """A volume tier: orders per second and burst."""

    name: str = "Standard"
    rate_per_s: int = 40
    burst: int = 60


@dataclass(slots=True)
class _Bucket:
    level: int
    updated_ms: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether the request may pass, what is left, and when a request of this cost could pass (venue ms, seconds to wait)."""

    allowed: bool
    remaining: int
    reset_ms: int
    retry_after_s: int
    tier: str

    def headers(self) -> dict[str, str]:
        """The headers the venue attaches to order and cancel replies."""
        values = {
            "Poly-RateLimit-Remaining": str(self.remaining),
            "Poly-RateLimit-Reset": str(-(-self.reset_ms // 1000)),
            "Poly-RateLimit-Tier": self.tier,
        }
        return values if self.allowed else values | {"Retry-After": str(self.retry_after_s)}


@dataclass(slots=True)
class SignerLimiter:
    """One bucket for each signer address; a request takes all its tokens or none."""

    tier: Tier = field(default_factory=Tier)
    _buckets: dict[str, _Bucket] = field(default_factory=dict)

    def take(self, signer: str, *, cost: int, now_ms: int) -> Verdict:
        """Take `cost` tokens of the signer at venue time `now_ms`."""
        capacity = self.tier.burst * _MICROTOKENS
        bucket = self._buckets.setdefault(signer, _Bucket(capacity, now_ms))
        refill = max(0, now_ms - bucket.updated_ms) * self.tier.rate_per_s * _MICROTOKENS // 1000
        bucket.level, bucket.updated_ms = min(capacity, bucket.level + refill), max(now_ms, bucket.updated_ms)
        allowed = bucket.level >= cost * _MICROTOKENS
        if allowed:
            bucket.level -= cost * _MICROTOKENS
        return self._verdict(bucket, allowed=allowed, cost=cost)

    def _verdict(self, bucket: _Bucket, *, allowed: bool, cost: int) -> Verdict:
        wanted = min(cost, self.tier.burst) * _MICROTOKENS
        missing = max(0, wanted - bucket.level)
        wait_ms = -(-missing * 1000 // (self.tier.rate_per_s * _MICROTOKENS))
        return Verdict(
            allowed=allowed,
            remaining=bucket.level // _MICROTOKENS,
            reset_ms=bucket.updated_ms + wait_ms,
            retry_after_s=max(1, -(-wait_ms // 1000)),
            tier=self.tier.name,
        )
