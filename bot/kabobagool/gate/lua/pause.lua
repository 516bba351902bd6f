-- Silence for everybody, and no burst after it. Pauses only get longer.
--
-- ASKED microseconds
local ends = now + ASKED[1]
state.paused = math.max(state.paused, ends)
empty_lanes(state, ends, 1, 1)
state.last = 0
save(state)
return {'granted', state.epoch}
