"""`kabobagool doctor`: could this bot trade here and now, and if not, what is to be done about it.

Every question a trader would otherwise answer by losing an evening (wrong clock, blocked address, approval forgotten, wallet of another
key) is one small check. `cli/doctor.py` runs them all with `examine.examine` and prints what they found. No order is ever sent.
"""
