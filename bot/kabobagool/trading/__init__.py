"""Where clocks, sockets, keys and files meet: a wallet's session at the venue (`session.py`) and the bots on it (`market_bot.py`)."""
