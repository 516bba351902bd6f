-- What a market has at stake and has made, replacing what its granted orders were counted with.
--
-- ASKED market, dollars at stake, cost of its shares without a partner, dollars made so far; then what the caller heard of the market's
--       last day: the day, dollars made when it began, dollars made when it was told. A server that forgot the market begins there; at
--       last the number of the caller's lease, 0 for none. Who had the market before somebody else took it over knows nothing new of it
-- Returns what was said, epoch, today, dollars made when today began.
local market, at_stake, orphan, result = ASKED[1], ASKED[2], ASKED[3], ASKED[4]
local heard = {day = ASKED[5], start = ASKED[6], result = ASKED[7]}
local known, flight = unpack(redis.call('HMGET', STAKES, 'at:' .. market, 'flight:' .. market))
local own = stake_in(known) or stake_in(nil)

local held = lease_of(market)
if held ~= 0 and ASKED[8] ~= 0 and held ~= ASKED[8] then
    return {'granted', state.epoch, own.day, own.start}
end

local last = heard.day > own.day and heard or own
local now_made = {day = today, start = last.day == today and last.start or last.result, result = result}

state.at_stake = state.at_stake + at_stake - own.at_stake - tonumber(flight or 0)
state.orphans = state.orphans + orphan - own.orphan
state.lost, state.day = lost_today() + lost_on_this_day(now_made) - lost_on_this_day(own), today
save(state)
local stake = string.format('%d %d %d %d %d', at_stake, orphan, today, now_made.start, result)
redis.call('HSET', STAKES, 'at:' .. market, stake, 'flight:' .. market, '0')
return {'granted', state.epoch, today, now_made.start}
