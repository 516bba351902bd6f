-- May these orders leave? Either everything is taken and the answer says when they may, or nothing is.
--
-- ASKED market, cost, notional, whether it is a new pair, longest wait in us, caps as `objection_to_pair` wants them,
--       lease number (0 none), holder, lease in us, then the intent as `intent.lua` wants it
-- Returns what was said, epoch, microseconds (of wait, or until asking again helps), ticket, lease number.
local market, cost, notional, is_new_pair = ASKED[1], ASKED[2], ASKED[3], ASKED[4]
local longest_wait, caps = ASKED[5], ASKED[6]
local lease_number, holder, lease_us = ASKED[7], ASKED[8], ASKED[9]

local function refused(reason, retry_after)
    return {reason, state.epoch, retry_after, 0, 0}
end

local function wait_in(lane, arrival)
    local burst_us = lane.burst * lane.interval
    return math.max(0, math.max(arrival, now) + math.min(cost * lane.interval, burst_us) - burst_us - now)
end

if forgot_the_caller() then
    return refused('memory_lost', 0)
end
local reason, retry_after = objection(market, notional, is_new_pair, caps)
if reason then
    return refused(reason, retry_after)
end
-- A caller that never held the market takes its lease along; whoever names one must still be its holder.
local number, held, until_us, held_by = lease_number, lease_of(market)
if lease_number == 0 then
    number, reason, retry_after = available_lease(holder, held, until_us, held_by)
elseif held ~= lease_number then
    number, reason, retry_after = nil, 'lease_lost', math.max(until_us - now, RECHECK)
end
if not number then
    return refused(reason, retry_after)
end
local wait = wait_in(WALLET_LANE, state.wallet)
if is_new_pair then
    wait = math.max(wait, wait_in(PAIR_LANE, state.pairs))
end
if wait > longest_wait then
    return refused('wait_too_long', wait - longest_wait)
end

local leaves = now + wait
state.last, state.wallet_before, state.pairs_before = next_number(state, now), state.wallet, state.pairs
state.wallet = math.max(state.wallet, leaves) + cost * WALLET_LANE.interval
if is_new_pair then
    state.pairs = math.max(state.pairs, leaves) + cost * PAIR_LANE.interval
end
state.at_stake = state.at_stake + notional
save(state)
redis.call('HINCRBY', STAKES, 'flight:' .. market, whole(notional))
-- The lease outlives the wait: nobody takes the market over before these orders left.
write_lease(market, number, leaves + lease_us, holder)
record_intent(10)
return {'granted', state.epoch, wait, state.last, number}
