"""The ArbMarket: one market, as a person asked for it in the cluster and as the operator tells about it.

`reconcile.py` parses what the API server gave, `market_source.py` makes ArbMarkets of what discovery found. The API server refuses
what is wrong by the CRD in `crds/`; what another version of the CRD let through is refused here, in the same words.
"""

from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, Field, ValidationError

from kabobagool_operator.arbmarket_errors import ArbMarketError, problems
from kabobagool_operator.arbmarket_fields import Fact, Moment, Wish
from kabobagool_operator.arbmarket_spec import Spec
from kabobagool_operator.arbmarket_status import Status

NAME_LIMIT: Final = 63
NAME_TOO_LONG: Final = "the name is longer than 63 characters, the most for a label, and all that belongs to the market is labelled with it"


class Metadata(Fact):
    """What the cluster knows of every object, as far as it matters here. It can be read of an ArbMarket whose spec cannot."""

    name: str
    namespace: str = ""
    uid: str = ""
    generation: int = 0
    resource_version: str = ""
    creation_timestamp: Moment | None = None
    deletion_timestamp: Moment | None = None
    labels: dict[str, str] = Field(default_factory=dict)
    annotations: dict[str, str] = Field(default_factory=dict)
    finalizers: tuple[str, ...] = ()

    @property
    def deleting(self) -> bool:
        """Whether somebody deleted it; it stays until its finalizers are gone."""
        return self.deletion_timestamp is not None


def _fits_a_label(metadata: Metadata) -> Metadata:
    if len(metadata.name) > NAME_LIMIT:
        raise ValueError(NAME_TOO_LONG)
    return metadata


class ArbMarket(Wish):
    """One ArbMarket. A status that cannot be read counts as none: the operator is its only writer and writes it anew."""

    api_version: Literal["kabobagool.io/v1alpha1"] = "kabobagool.io/v1alpha1"
    kind: Literal["ArbMarket"] = "ArbMarket"
    metadata: Annotated[Metadata, AfterValidator(_fits_a_label)]
    spec: Spec
    status: Status = Status()

    @classmethod
    def parse(cls, body: dict[str, Any]) -> "ArbMarket":
        """Read an ArbMarket from JSON objects. Raises ArbMarketError with all that is wrong at once."""
        try:
            market = cls.model_validate({**body, "status": {}}, by_alias=True, by_name=False)
        except ValidationError as e:
            raise ArbMarketError(*problems(e)) from None
        return market.model_copy(update={"status": readable_status(body)})


def readable_status(body: dict[str, Any]) -> Status:
    """The status in an ArbMarket's body, an empty one when it is missing or not as we write it."""
    try:
        return Status.model_validate(body.get("status") or {}, by_alias=True, by_name=False)
    except ValidationError:
        return Status()
