-- Microseconds since the epoch on the server's clock: the only clock that all bots of a wallet share.
local function server_time()
    local time = redis.call('TIME')
    return time[1] * 1000000 + time[2]
end
