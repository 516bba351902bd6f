"""The engine of one market: what the feed shows goes in, orders come out, and everything in between can be asked about."""
