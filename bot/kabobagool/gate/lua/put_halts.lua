-- Puts back what was halted at a moment before this server process began to count, as somebody saw it then. Who saw it latest is believed:
-- what he did not see was lifted, unless it was set later. What was lifted since he saw it stays lifted.
--
-- KEYS  after those of `state.lua`: lifted (hash: scope -> moment)
-- ASKED moment, then scope and text of each
-- Returns what `everything_halted` does.
local seen = ASKED[1]

local function place_of(text)
    return tonumber(string.match(text, '^(%d+) '))
end

if state.halts_as_of < seen and seen < state.began then
    local texts = {}
    for place = 2, #ASKED, 2 do
        texts[ASKED[place]] = ASKED[place + 1]
    end
    local there = redis.call('HGETALL', HALTS)
    for place = 1, #there, 2 do
        local scope, set = there[place], place_of(there[place + 1])
        if not texts[scope] and set and set < seen then
            redis.call('HDEL', HALTS, scope)
        end
    end
    for scope, text in pairs(texts) do
        local known, lifted = redis.call('HGET', HALTS, scope), redis.call('HGET', KEYS[5], scope)
        local set = place_of(text) or now
        if not (known and (place_of(known) or now) >= set) and not (lifted and tonumber(lifted) > set) then
            redis.call('HSET', HALTS, scope, text)
        end
    end
    state.halts_as_of = seen
    save(state)
end
return everything_halted()
