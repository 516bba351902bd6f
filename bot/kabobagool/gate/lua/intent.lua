-- Writes an intent down before any of its orders leaves. One that is there already stays as it is.
--
-- KEYS[5] the market's open intents (sorted set by time), KEYS[6] all of its intents, KEYS[7] the intent, then one for each order
-- ASKED from `first` on: intent id (none: nothing to write), market, time in ms, text, time in ms before which intents are forgotten,
--       where the keys of intents start
local function record_intent(first)
    local id, market, created_ms, text, horizon_ms, start = unpack(ASKED, first, first + 5)
    if not id or redis.call('EXISTS', KEYS[7]) == 1 then
        return
    end
    redis.call('HSET', KEYS[7], 'market', market, 'created_ms', whole(created_ms), 'text', text, 'open', #KEYS - 7)
    for place = 8, #KEYS do
        redis.call('SET', KEYS[place], id)
    end
    redis.call('ZADD', KEYS[5], whole(created_ms), id)
    redis.call('ZADD', KEYS[6], whole(created_ms), id)
    for _, old in ipairs(redis.call('ZRANGEBYSCORE', KEYS[6], '-inf', whole(horizon_ms), 'LIMIT', 0, 20)) do
        if redis.call('EXISTS', start .. old) == 0 then
            redis.call('ZREM', KEYS[6], old)
        end
    end
end
