-- What a wallet may send now, read without changing anything.
--
-- Returns the server's time, whether anybody ever asked this gate, then the numbers by name.
local state = load_state()
local reply = {server_time(), state.epoch ~= '' and 1 or 0}
for name, number in pairs(state) do
    if name ~= 'epoch' then
        reply[#reply + 1] = name
        reply[#reply + 1] = number
    end
end
return reply
