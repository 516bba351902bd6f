-- The time that the test says it is.
local function server_time()
    return tonumber(redis.call('GET', KEYS[1] .. ':test time'))
end
