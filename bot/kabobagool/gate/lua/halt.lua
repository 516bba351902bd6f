-- Sets a halt. The number before it is its place among the others, the oldest first.
--
-- ASKED scope, text
-- Returns what was said, epoch, then scope and text of everything that is halted now.
local place = next_number(state, now)
save(state)
redis.call('HSET', HALTS, ASKED[1], whole(place) .. ' ' .. ASKED[2])
return {'granted', state.epoch, unpack(redis.call('HGETALL', HALTS))}
