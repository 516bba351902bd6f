"""The HTTP and WebSocket shell of the paper exchange: clocks, sockets, signatures and JSON around the passive core.

`paper_exchange.app` starts it; nothing inside the core knows it exists.
"""
