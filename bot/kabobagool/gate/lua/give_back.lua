-- The orders of one answer did not leave. Its dollars are free; its slots only while nothing was taken after it and no pause began.
--
-- ASKED market, notional, ticket
local market, notional, ticket = ASKED[1], ASKED[2], ASKED[3]
local flight = tonumber(redis.call('HGET', STAKES, 'flight:' .. market) or 0)
local freed = math.min(notional, flight)
state.at_stake = state.at_stake - freed
if state.last == ticket then
    state.wallet, state.pairs, state.last = state.wallet_before, state.pairs_before, 0
end
save(state)
redis.call('HSET', STAKES, 'flight:' .. market, whole(flight - freed))
return {'granted', state.epoch}
