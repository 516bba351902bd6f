-- What forbids these orders now whatever the rate. Takes nothing.
--
-- ASKED market, notional, whether it is a new pair, caps as `objection_to_pair` wants them
if forgot_the_caller() then
    return {'memory_lost', state.epoch}
end
local reason, retry_after = objection(ASKED[1], ASKED[2], ASKED[3], ASKED[4])
return {reason or 'granted', state.epoch, retry_after or 0}
