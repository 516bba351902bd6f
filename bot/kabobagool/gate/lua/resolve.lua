-- What became of an order. Nothing opens one again whose end is known; an intent without open orders is forgotten after a while.
--
-- KEYS[5] the order
-- ASKED order hash, what became of it, whether that is its end, milliseconds to keep it, where the keys of intents and of a
--       market's open intents start
local hash, text, ended, keep_ms, intents, open = ASKED[1], ASKED[2], ASKED[3], ASKED[4], ASKED[5], ASKED[6]
if forgot_the_caller() then
    return {'memory_lost', state.epoch}
end
local id = redis.call('GET', KEYS[5])
if not id or redis.call('EXISTS', intents .. id) == 0 then
    return {'unknown_order', state.epoch}
end
local intent = intents .. id
local had_ended = redis.call('HEXISTS', intent, 'ended:' .. hash) == 1
if had_ended and not ended then
    return {'granted', state.epoch}
end
redis.call('HSET', intent, 'outcome:' .. hash, text)
if ended and not had_ended then
    redis.call('HSET', intent, 'ended:' .. hash, 1)
    if redis.call('HINCRBY', intent, 'open', -1) == 0 then
        redis.call('ZREM', open .. redis.call('HGET', intent, 'market'), id)
        redis.call('PEXPIRE', intent, whole(keep_ms))
    end
    redis.call('PEXPIRE', KEYS[5], whole(keep_ms))
end
return {'granted', state.epoch}
