-- Counts a request in its window of a minute, which its first request opens.
-- KEYS[1] the caller's counter; ARGV[1] the window in milliseconds. Returns the count and what is left of the window.
local n = redis.call('INCR', KEYS[1])
local left = redis.call('PTTL', KEYS[1])
if n == 1 or left < 0 then
  redis.call('PEXPIRE', KEYS[1], ARGV[1])
  left = tonumber(ARGV[1])
end
return {n, left}
