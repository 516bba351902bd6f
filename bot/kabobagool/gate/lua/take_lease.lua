-- The lease of a market for one holder: kept, or taken when nobody alive has it, always with a higher number than before.
--
-- ASKED market, holder, microseconds
-- Returns what was said, epoch, the lease's number, microseconds (of the lease, or until it may be had).
local market, holder, lease_us = ASKED[1], ASKED[2], ASKED[3]
if forgot_the_caller() then
    return {'memory_lost', state.epoch}
end
local held, until_us, held_by = lease_of(market)
local number, reason, remaining = available_lease(holder, held, until_us, held_by)
if not number then
    return {reason, state.epoch, 0, remaining}
end
save(state)
write_lease(market, number, math.max(until_us, now + lease_us), holder)
return {'granted', state.epoch, number, lease_us}
