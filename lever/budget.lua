-- One connector's budget: a token bucket as GCRA keeps it, with reservations, lanes and a rate that
-- adapts. Redis' clock is the only one. Times are microseconds.
--
-- KEYS[1] the connector's hash:
--   tat      when the bucket is full again, with all reservations made
--   factor   share of the full rate in force, 0.1 to 1;  ft  when it was last raised
--   lt       when it was last halved;  blocked  nothing is granted before
--   at       when it was last looked at
--   m<lane>  while this time is ahead, callers of that lane want slots: lower lanes stand back
-- ARGV: 1 mode, "take" or "throttled"
--   take:      2 full rate per second, 3 burst, 4 lane, 5 horizon, 6 slots wanted now, 7 callers of the
--              lane that wait, 8 whether calls succeeded since the last time
--   throttled: 2 retry-after
-- take answers {granted, time to the first slot or to asking again, time between slots}.

local clock = redis.call('TIME')
local now = tonumber(clock[1]) * 1000000 + tonumber(clock[2])
local key = KEYS[1]
local second = 1000000
local minute = 60 * second

local f = redis.call('HMGET', key, 'tat', 'factor', 'ft', 'lt', 'blocked', 'm0', 'm1', 'm2', 'm3', 'm4', 'at')
local tat = tonumber(f[1]) or 0
local factor = tonumber(f[2]) or 1
local ft = tonumber(f[3]) or now
local lt = tonumber(f[4]) or 0
local blocked = tonumber(f[5]) or 0

local function int(n) return string.format('%.0f', n) end

local function keep(...)
	redis.call('HSET', key, 'at', int(now), ...)
	redis.call('PEXPIRE', key, math.ceil((math.max(minute, blocked - now + minute)) / 1000))
end

local back = (tonumber(f[11]) or now) - now
if back > 0 then -- the clock was put back: what lay ahead lies as far ahead as it did
	tat, ft, lt, blocked = math.max(0, tat - back), ft - back, math.max(0, lt - back), math.max(0, blocked - back)
	keep('tat', int(tat), 'ft', int(ft), 'lt', int(lt), 'blocked', int(blocked))
	for m = 6, 10 do
		if f[m] then
			f[m] = int(tonumber(f[m]) - back)
			redis.call('HSET', key, 'm' .. (m - 6), f[m])
		end
	end
end

if ARGV[1] == 'throttled' then
	blocked = math.max(blocked, now + tonumber(ARGV[2]))
	if now - lt > second then -- calls under way together are refused together: that is one refusal
		factor = math.max(0.1, factor / 2)
		lt = now
	end
	keep('factor', tostring(factor), 'ft', int(now), 'lt', int(lt), 'blocked', int(blocked))
	return {0, 0, 0}
end

local rate, burst, lane = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local horizon, want, waiting = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])

if ARGV[8] == '1' and factor < 1 then
	factor = math.min(1, factor + 0.05 * math.min(now - ft, 2 * second) / second)
	ft = now
end

local between = second / (rate * factor)
local tolerance = (burst - 1) * between
local mark = 'm' .. lane

for higher = 0, lane - 1 do
	local standing = tonumber(f[6 + higher]) or 0
	if standing > now then
		keep('factor', tostring(factor), 'ft', int(ft))
		return {0, math.ceil(math.min(standing - now, second / 10)), math.ceil(between)}
	end
end

tat = math.max(tat, now)
local first = math.max(tat - tolerance, blocked) - now
if first > horizon then
	local ask = first - horizon
	keep('factor', tostring(factor), 'ft', int(ft), mark, int(now + math.min(second, ask + 2 * between)))
	return {0, math.ceil(ask), math.ceil(between)}
end

local granted = 1
while granted < want and first + granted * between <= horizon do
	granted = granted + 1
end
tat = math.max(tat, blocked) + granted * between
local stands = 0
if waiting > granted then
	stands = now + math.min(second, math.max(0, first) + (granted + 1) * between)
end
keep('factor', tostring(factor), 'ft', int(ft), 'tat', int(tat), mark, int(stands))
return {granted, math.floor(first), math.ceil(between)}
