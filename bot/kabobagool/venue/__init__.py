"""Polymarket on the wire: what is said to the venue and what it says back, turned into domain types.

Nothing above this package knows a URL, a JSON field or an error text. Feed, execution and engine call it; it knows only `domain` and
`clock`.
"""
