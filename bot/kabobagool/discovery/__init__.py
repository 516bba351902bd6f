"""Which of the venue's many markets are worth an engine: found, screened, confirmed, and let go without haste.

Called by `kabobagool discover`, by supervisors of many markets in one process, and by the Kubernetes operator. Start at `discover.py`;
`reasons.py` holds the one word for every market that did not make it.
"""
