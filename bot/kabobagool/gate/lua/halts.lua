-- Everything that is halted now, for whoever knows when the server forgot something.
--
-- Returns what was said, epoch, then scope and text of each.
if forgot_the_caller() then
    return {'memory_lost', state.epoch}
end
return {'granted', state.epoch, unpack(redis.call('HGETALL', HALTS))}
