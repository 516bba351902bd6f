-- Writes an intent down, if the caller still holds the market.
--
-- ASKED market, lease number, then the intent as `intent.lua` wants it
if forgot_the_caller() then
    return {'memory_lost', state.epoch}
end
if lease_of(ASKED[1]) ~= ASKED[2] then
    return {'lease_lost', state.epoch}
end
record_intent(3)
return {'granted', state.epoch}
