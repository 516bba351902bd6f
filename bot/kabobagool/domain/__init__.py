"""Trading rules as pure data and functions: no clock, no I/O, no logging, no float.

The feed fills these types, the engine asks these functions, execution carries their answers out. Prices are integers in 1/10,000 dollar,
shares and dollars integers in millionths.
"""
