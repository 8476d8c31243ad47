-- Keep the newest version of a cached document: a slow writer must not put back what a faster one replaced.
-- KEYS[1] any key of kernel/signed_cache.py   STRING "<version>:<signed document>"
-- ARGV[1] version, a whole number that grows with each change
-- ARGV[2] "<version>:<signed document>"
-- ARGV[3] time to live, seconds
-- Returns 1 when written, 0 when the key holds a newer version already.
local held = redis.call('GET', KEYS[1])
if held then
  local version = tonumber(string.match(held, '^(%d+):'))
  if version and version > tonumber(ARGV[1]) then
    return 0
  end
end
redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[3])
return 1
