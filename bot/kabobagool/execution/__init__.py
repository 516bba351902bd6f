"""Orders on their way and what became of them: signed, journalled, posted once, looked up when in doubt, followed until settled.

The engine calls it; nothing here decides what to trade.
"""
