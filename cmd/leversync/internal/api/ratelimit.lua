-- Counts requests in their window of a minute, which the first one opens.
-- KEYS[1] the caller's counter; ARGV[1] the window in milliseconds, ARGV[2] how many requests. Returns the count with them, and
-- what is left of the window.
local n = redis.call('INCRBY', KEYS[1], ARGV[2])
local left = redis.call('PTTL', KEYS[1])
if left < 0 then
  redis.call('PEXPIRE', KEYS[1], ARGV[1])
  left = tonumber(ARGV[1])
end
return {n, left}
