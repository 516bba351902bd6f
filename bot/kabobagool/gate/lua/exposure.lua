-- What a market has at stake, replacing what its granted orders were counted with.
--
-- ASKED market, millionths of a dollar
local market, dollars = ASKED[1], ASKED[2]
local before = redis.call('HMGET', STAKES, 'at:' .. market, 'flight:' .. market)
state.at_stake = state.at_stake + dollars - tonumber(before[1] or 0) - tonumber(before[2] or 0)
save(state)
redis.call('HSET', STAKES, 'at:' .. market, whole(dollars), 'flight:' .. market, '0')
return {'granted', state.epoch}
