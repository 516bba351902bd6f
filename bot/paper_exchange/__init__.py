"""A local exchange that speaks Polymarket's Gamma, CLOB and socket protocols over recorded or synthetic books.

It exists so that anyone can watch the bot trade without keys, money or internet, and so that the bot's arithmetic has somebody
independent to disagree with: nothing here imports `kabobagool`, and nothing there imports this. They meet only over HTTP and WebSocket.
"""
