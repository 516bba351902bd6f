-- Sets a halt, also where the server forgot what it was told before: it is asked again once that is put back. The number before it is its
-- place among the others, the oldest first.
--
-- ASKED scope, text
-- Returns what `everything_halted` does.
local place = next_number(state, now)
save(state)
redis.call('HSET', HALTS, ASKED[1], whole(place) .. ' ' .. ASKED[2])
return everything_halted()
