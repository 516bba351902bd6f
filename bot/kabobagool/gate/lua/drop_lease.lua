-- Lets the next holder have a market at once, if the caller still holds it.
--
-- ASKED market, number
local number = lease_of(ASKED[1])
if number == ASKED[2] then
    redis.call('HDEL', LEASES, ASKED[1])
end
return {'granted', state.epoch}
