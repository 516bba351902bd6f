"""A question in PromQL taken apart, as far as the tests want to know: which series it asks for, by which labels, grouped by which.

What is no function, keyword or label is taken for a metric, so that a misspelt one cannot hide. promtool judges the grammar.
"""

import re
from typing import Final, NamedTuple

AGGREGATIONS: Final = frozenset({"count", "max", "min", "sum"})
FUNCTIONS: Final = frozenset({"absent", "histogram_quantile", "increase", "max_over_time", "min_over_time", "rate", "vector"})
KEYWORDS: Final = frozenset({"and", "bool", "by", "ignoring", "on", "or", "unless"})
STRING: Final = re.compile(r'"[^"]*"')
GROUP: Final = re.compile(r"\b(?:by|on|ignoring)\s*\(([^)]*)\)")
RANGE: Final = re.compile(r"\[[^\]]*\]")
SELECTOR: Final = re.compile(r"\b([a-zA-Z_]\w*)\s*\{([^}]*)\}")
MATCHER: Final = re.compile(r'(\w+)\s*(=~|!~|!=|=)\s*"([^"]*)"')
NAME: Final = re.compile(r"\b[a-zA-Z_]\w*")
GROWTH: Final = re.compile(r"\b(rate|increase)\(")


class Selection(NamedTuple):
    """One matcher of a selector: of which metric, which label, and the words it may have."""

    metric: str
    label: str
    words: tuple[str, ...]


def metrics_of(question: str) -> set[str]:
    """The names of all series that are asked for."""
    bare = RANGE.sub("", GROUP.sub("", re.sub(r"\{[^}]*\}", "", STRING.sub('""', question))))
    return {name for name in NAME.findall(bare) if name not in AGGREGATIONS | FUNCTIONS | KEYWORDS}


def selections_of(question: str) -> list[Selection]:
    """Everything that is selected by; the words of a regular expression are its alternatives."""
    return [
        Selection(metric, label, tuple(text.split("|")) if sign.endswith("~") else (text,))
        for metric, matchers in SELECTOR.findall(question)
        for label, sign, text in MATCHER.findall(matchers)
    ]


def groups_of(question: str) -> set[str]:
    """Labels by which something is grouped or joined."""
    return {label.strip() for labels in GROUP.findall(question) for label in labels.split(",")}


def unselected_counters(question: str) -> list[str]:
    """Counters whose value is asked for and not their growth: a restart begins at 0."""
    counters = re.findall(r"\b(\w+_(?:total|bucket))\b(?:\s*\{[^}]*\})?(\[)?", question)
    return [name for name, growing in counters if not growing]
