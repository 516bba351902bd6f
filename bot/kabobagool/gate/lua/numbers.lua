-- What a server remembers of a wallet in one place: the epoch, and these numbers (microseconds since the epoch, or millionths of a dollar).
--
-- One value in MessagePack: as fields of a hash, or as text, reading and writing it was half of what a question costs.
local GATE = KEYS[1]
local NUMBERS = {'seen', 'behind', 'silent_until', 'wallet', 'pairs', 'paused', 'number', 'at_stake', 'last', 'wallet_before', 'pairs_before',
    'orphans', 'day', 'lost'}

local function load_state()
    local packed = redis.call('GET', GATE)
    local values = packed and cmsgpack.unpack(packed) or {false}
    local state = {epoch = values[1]}
    for place, name in ipairs(NUMBERS) do
        state[name] = values[place + 1] or 0
    end
    return state
end

local function save(state)
    local values = {state.epoch}
    for place, name in ipairs(NUMBERS) do
        values[place + 1] = state[name]
    end
    redis.call('SET', GATE, cmsgpack.pack(values))
end
