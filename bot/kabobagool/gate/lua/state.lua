-- What every script of the gate begins with: the wallet's state, the time, and what forbids an order.
--
-- KEYS  gate (see `numbers.lua`), halts (hash: scope -> when and what), leases (hash: market -> number, until, holder),
--       stakes (hash: "at:" .. market -> at stake, cost of shares without a partner, day, made when it began, made so far;
--       "flight:" .. market -> dollars of granted orders; all in millionths)
-- ARGV  the run id of the server process that the caller's connection leads to; one MessagePack array: the epoch the caller knows ('' none),
--       silence at start in us, then for the wallet's lane and for that of new pairs us between slots, burst and slots at start; then
--       ASKED, what this script is asked
local HALTS, LEASES, STAKES = KEYS[2], KEYS[3], KEYS[4]
local SERVER, GIVEN = ARGV[1], cmsgpack.unpack(ARGV[2])
local KNOWN_EPOCH, SILENCE, ASKED = GIVEN[1], GIVEN[2], GIVEN[9]
local WALLET_LANE = {interval = GIVEN[3], burst = GIVEN[4], at_start = GIVEN[5]}
local PAIR_LANE = {interval = GIVEN[6], burst = GIVEN[7], at_start = GIVEN[8]}
local RECHECK, DAY = 1000000, 86400000000

-- Numbers beyond 2^31 would otherwise be written as 1.7e+15; all of ours are whole and below 2^53.
local function whole(number)
    return string.format('%d', number)
end

-- The largest number there has been plus one: for leases and tickets. It starts at the time, so that not even a server that forgot
-- everything gives a number out again.
local function next_number(state, now)
    state.number = math.max(state.number + 1, now)
    return state.number
end

-- A server that was set back is believed from where it had been: time may stand still, it never goes backwards.
local function current_time(state)
    local time = server_time()
    state.behind = math.max(state.behind, state.seen - time)
    state.seen = time + state.behind
    return state.seen
end

-- Hold no more than so many slots at a moment to come.
local function empty_lanes(state, moment, wallet_slots, pair_slots)
    state.wallet = math.max(state.wallet, moment + (WALLET_LANE.burst - wallet_slots) * WALLET_LANE.interval)
    state.pairs = math.max(state.pairs, moment + (PAIR_LANE.burst - pair_slots) * PAIR_LANE.interval)
end

local state = load_state()
local remembered = state.seen
local now = current_time(state)
local today = math.floor(now / DAY)

-- What a market said last, from its text: nothing where there is none. nil for one that cannot be read.
local function stake_in(text)
    local at_stake, orphan, day, start, result = string.match(text or '0 0 -1 0 0', '^(%-?%d+) (%-?%d+) (%-?%d+) (%-?%d+) (%-?%d+)$')
    return result and {at_stake = tonumber(at_stake), orphan = tonumber(orphan), day = tonumber(day), start = tonumber(start), result = tonumber(result)}
end

local function lost_on_this_day(market_day)
    return market_day.day == today and market_day.start - market_day.result or 0
end

-- The totals are kept beside what each market said. A server that was restarted may have kept the one and lost the other: markets that
-- say everything again must not be counted twice. What cannot be read counts for nothing and stops nobody.
local function count_stakes_again()
    state.at_stake, state.orphans, state.lost, state.day = 0, 0, 0, today
    local said = redis.call('HGETALL', STAKES)
    for place = 1, #said, 2 do
        local stake = string.sub(said[place], 1, 3) == 'at:' and stake_in(said[place + 1])
        if stake then
            state.at_stake, state.orphans = state.at_stake + stake.at_stake, state.orphans + stake.orphan
            state.lost = state.lost + lost_on_this_day(stake)
        elseif string.sub(said[place], 1, 7) == 'flight:' then
            state.at_stake = state.at_stake + (tonumber(said[place + 1]) or 0)
        end
    end
end

-- A server process that did not count the grants itself (restarted, flushed, promoted from a replica) may miss some, and some leases.
-- It begins a new epoch: silent for as long as an earlier grant may still be on its way or an earlier lease last, then with an empty
-- bucket.
if string.sub(state.epoch, 1, #SERVER) ~= SERVER then
    state.epoch = SERVER .. ':' .. whole(now)
    state.began = now
    state.halts_as_of = remembered
    state.silent_until = now + SILENCE
    empty_lanes(state, state.silent_until, WALLET_LANE.at_start, PAIR_LANE.at_start)
    state.last = 0
    count_stakes_again()
    save(state)
end

local function forgot_the_caller()
    return KNOWN_EPOCH ~= '' and KNOWN_EPOCH ~= state.epoch
end

-- What was said, epoch, the moment, then scope and text of everything that is halted now in a list of their own: thousands do not fit
-- beside the rest. Not for a caller who knows what this server forgot.
local function everything_halted()
    if forgot_the_caller() then
        return {'memory_lost', state.epoch}
    end
    return {'granted', state.epoch, now, redis.call('HGETALL', HALTS)}
end

local function lease_of(market)
    local number, until_us, holder = string.match(redis.call('HGET', LEASES, market) or '', '^(%d+) (%d+) (.*)$')
    return tonumber(number or 0), tonumber(until_us or 0), holder
end

local function write_lease(market, number, until_us, holder)
    redis.call('HSET', LEASES, market, whole(number) .. ' ' .. whole(until_us) .. ' ' .. holder)
end

-- The number of a lease that may be had now, where there is this one (as `lease_of` says): the holder's own, or a new one when nobody
-- alive has it. Else nil, why, and for how long.
local function available_lease(holder, number, until_us, held_by)
    if held_by == holder then
        return number
    end
    if until_us > now then
        return nil, 'lease_lost', until_us - now
    end
    if state.silent_until > now then
        return nil, 'gate_unavailable', state.silent_until - now
    end
    return next_number(state, now)
end

-- What all markets lost since the day began, gains negative.
local function lost_today()
    return state.day == today and state.lost or 0
end

-- The cap that forbids a new pair: dollars at stake, cost of shares without a partner, loss of the day (each -1: none).
local function objection_to_pair(notional, caps)
    if caps[1] >= 0 and state.at_stake + notional > caps[1] then
        return 'exposure', RECHECK
    end
    if caps[2] >= 0 and state.orphans >= caps[2] then
        return 'orphans', RECHECK
    end
    if caps[3] >= 0 and lost_today() >= caps[3] then
        return 'daily_loss', (today + 1) * DAY - now
    end
    return nil
end

-- What forbids these orders whatever the rate, and after how many microseconds to ask again.
local function objection(market, notional, is_new_pair, caps)
    local halted = redis.call('HMGET', HALTS, 'wallet', market, 'draining:wallet', 'draining:' .. market)
    if halted[1] or halted[2] or (is_new_pair and (halted[3] or halted[4])) then
        return 'halted', RECHECK
    end
    if now < state.paused then
        return 'venue_paused', state.paused - now
    end
    if is_new_pair then
        return objection_to_pair(notional, caps)
    end
    return nil
end
