-- The heartbeat: every lease of one holder lasts on, unless somebody else took it. With an unknown epoch it puts back what the server
-- forgot, unless a market has a newer holder by now.
--
-- ASKED holder, microseconds, then market and number of each lease
-- Returns what was said, epoch, then the markets that are lost.
local holder, lease_us = ASKED[1], ASKED[2]
if forgot_the_caller() then
    return {'memory_lost', state.epoch}
end
local reply = {'granted', state.epoch}
for place = 3, #ASKED, 2 do
    local market, number = ASKED[place], ASKED[place + 1]
    local held, until_us = lease_of(market)
    if held == number or (held == 0 and KNOWN_EPOCH == '') then
        state.number = math.max(state.number, number)
        write_lease(market, number, math.max(until_us, now + lease_us), holder)
    else
        reply[#reply + 1] = market
    end
end
save(state)
return reply
