"""What the parts of an ArbMarket are made of: kinds of text and amounts, and the two ways in which parts are read.

`arbmarket_spec.py` and `arbmarket_status.py` are built from these. A pattern is the same expression here and in the CRD, so that the API
server and the operator refuse the same things; what a person is told instead of the expression stands here, beside it.
"""

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, Final

from annotated_types import Ge, Le, Lt
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    StringConstraints,
    WithJsonSchema,
    model_validator,
)
from pydantic.alias_generators import to_camel

from kabobagool.settings import FIELDS, field_extra
from kabobagool.settings_types import MAX_TOKEN_ID

SLUG: Final = r"^[a-z0-9][a-z0-9_-]*$"
CONDITION_ID: Final = r"^0x[0-9a-fA-F]{64}$"
TOKEN_ID: Final = r"^[1-9][0-9]{0,77}$"  # noqa: S105, the token of a market is no secret
ADDRESS: Final = r"^0x[0-9a-fA-F]{40}$"
PROFILE: Final = r"^[a-z0-9][a-z0-9-]*$"
OBJECT_NAME: Final = r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$"
IMAGE: Final = r"^[a-zA-Z0-9][a-zA-Z0-9._:/@-]*$"
QUANTITY: Final = r"^[0-9]{1,18}(\.[0-9]{1,9})?(m|k|M|G|T|Ki|Mi|Gi|Ti)?$"
FOUR_DECIMALS: Final = r"^[0-9]{1,7}(\.[0-9]{1,4})?$"
SIX_DECIMALS: Final = r"^[0-9]{1,7}(\.[0-9]{1,6})?$"

FIXES: Final = {
    SLUG: "is not a slug: lower-case letters, digits and hyphens, the last part of the market's page address",
    CONDITION_ID: "is not a condition id: 0x and 64 hexadecimal digits; the slug is easier to copy",
    TOKEN_ID: "is not a token id: a long decimal number (`clobTokenIds` of the market); the slug is easier to copy",
    ADDRESS: "is not an address: 0x and 40 hexadecimal digits, as the wallet shows it",
    PROFILE: "is not the name of a profile: lower-case letters, digits and hyphens, such as conservative",
    OBJECT_NAME: "is not a name in Kubernetes: lower-case letters, digits, hyphens and dots",
    IMAGE: "is not the name of an image, such as registry.example/kabobagool-bot:1.0",
    QUANTITY: "is not a quantity: write it in quotes, like 100m, 0.5 or 256Mi",
    FOUR_DECIMALS: "is not an amount: digits with at most 4 decimals, such as 12.5",
    SIX_DECIMALS: "is not an amount: digits with at most 6 decimals, such as 0.975",
}
"""What is wrong with a text that does not match, by the pattern."""

MOST_COUNTED: Final = 10**18 - 1
"""As many digits as the pattern of a quantity allows."""
QUANTITY_SCHEMA: Final = {"x-kubernetes-int-or-string": True, "minimum": 0, "maximum": MOST_COUNTED, "pattern": QUANTITY}


def _token_in_range(text: str) -> str:
    if int(text) > MAX_TOKEN_ID:
        raise ValueError(FIXES[TOKEN_ID])
    return text


def _whole(value: Any) -> Any:
    """JSON knows one kind of numbers: the API server takes 60.0 for a whole one and stores 60."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _quantity(given: Any) -> str | int:
    value: str | int = _whole(given)
    written = isinstance(value, str) and re.fullmatch(QUANTITY, value)
    counted = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST_COUNTED
    if not written and not counted:
        raise ValueError(FIXES[QUANTITY])
    return value


Slug = Annotated[str, StringConstraints(pattern=SLUG, max_length=256)]
ConditionId = Annotated[str, StringConstraints(pattern=CONDITION_ID), AfterValidator(str.lower)]
"""Kept in lower case."""
TokenId = Annotated[str, StringConstraints(pattern=TOKEN_ID), AfterValidator(_token_in_range)]
Address = Annotated[str, StringConstraints(pattern=ADDRESS), AfterValidator(str.lower)]
"""Kept in lower case, as the order gate writes it."""
ProfileName = Annotated[str, StringConstraints(pattern=PROFILE, max_length=63)]
ObjectName = Annotated[str, StringConstraints(pattern=OBJECT_NAME, max_length=253)]
ImageName = Annotated[str, StringConstraints(pattern=IMAGE, max_length=512)]
Quantity = Annotated[str | int, PlainValidator(_quantity), WithJsonSchema(QUANTITY_SCHEMA)]
"""CPU in cores or thousandths (`100m`), memory in bytes (`256Mi`)."""
Shares = Annotated[str, StringConstraints(pattern=FOUR_DECIMALS)]
"""Shares as decimal text, never a JSON number: those are floats to most readers."""
Dollars = Annotated[str, StringConstraints(pattern=SIX_DECIMALS)]
"""Dollars as decimal text."""
WHOLE = BeforeValidator(_whole)
Moment = Annotated[AwareDatetime, Field(strict=False)]
"""A moment in UTC, RFC 3339 in the cluster."""


def moment(at_ms: int) -> datetime:
    """The moment of epoch milliseconds, to the second: what Kubernetes writes is no finer."""
    return datetime.fromtimestamp(at_ms // 1000, UTC)


def milliseconds(at: datetime) -> int:
    """Epoch milliseconds of a moment."""
    return int(at.timestamp()) * 1000


class Fields(BaseModel):
    """Fields as the cluster writes them, camelCase. Read once and never changed; a null is an absent field, as it is for the API server."""

    model_config = ConfigDict(frozen=True, alias_generator=to_camel, validate_by_name=True, validate_by_alias=True)

    @model_validator(mode="before")
    @classmethod
    def _null_is_absent(cls, given: Any) -> Any:
        if not isinstance(given, dict) or None not in given.values():
            return given
        known = {field.alias for field in cls.model_fields.values()}
        return {name: value for name, value in given.items() if value is not None or name not in known}


class Wish(Fields):
    """What a person writes: types are taken strictly, as the API server does, and an unknown field is a mistake."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Fact(Fields):
    """What the cluster or the operator writes: what a newer version wrote beyond it is passed over."""

    model_config = ConfigDict(extra="ignore")


def out_of_range(variable: str, value: str) -> str | None:
    """Say what is wrong with the amount when the bot's variable (lower-case name) may not have it; None when it may."""
    field, amount = FIELDS[variable], Decimal(value)
    unit = f" {field_extra(field, 'unit')}".rstrip()
    for bound in field.metadata:
        match bound:
            case Ge(ge=least) if amount < least:  # type: ignore[operator]
                return f"is too little, it must be at least {least}{unit}"
            case Le(le=most) if amount > most:  # type: ignore[operator]
                return f"is too much, it may be at most {most}{unit}"
            case Lt(lt=limit) if amount >= limit:  # type: ignore[operator]
                return field_extra(field, "above") or f"is too much, it must be below {limit}{unit}"
    return None
