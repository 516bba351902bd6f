-- Lifts a halt, and remembers it: who saw it before and puts it back later must not bring it back. Asked again where the server forgot
-- what it was told before.
--
-- KEYS  after those of `state.lua`: lifted (hash: scope -> moment)
-- ASKED scope, milliseconds for which it is remembered after the last lift
-- Returns what `everything_halted` does.
redis.call('HDEL', HALTS, ASKED[1])
redis.call('HSET', KEYS[5], ASKED[1], whole(now))
redis.call('PEXPIRE', KEYS[5], ASKED[2])
return everything_halted()
