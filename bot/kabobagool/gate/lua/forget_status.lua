-- Takes a bot's report away, unless whoever holds the market now has written one since.
--
-- KEYS  the report, the index of reports
-- ARGV  market, holder
local text = redis.call('GET', KEYS[1])
if text and cjson.decode(text).status.holder == ARGV[2] then
    redis.call('PEXPIRE', KEYS[1], 0)
    redis.call('ZREM', KEYS[2], ARGV[1])
end
