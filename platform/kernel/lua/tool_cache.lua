-- What a tenant's tools keep for a while, within a number of keys and of bytes (apps/tenancy/tool_cache.py).
-- KEYS[1] tools:cache:keys:{tenant}    ZSET  key text, scored with when it expires (ms)
-- KEYS[2] tools:cache:sizes:{tenant}   HASH  key text -> bytes; the field "" holds their sum
-- KEYS[3..] tools:cache:{tenant}:{key}     STRING
-- ARGV[1] get, put or drop
-- get:  ARGV[2] the key's text. Returns {value, ms left}, or nothing: what the index does not know is not there.
-- put:  ARGV[2] the key's text, [3] the value, [4] time to live (s), [5] keys and [6] bytes a tenant may have,
--       [7] time to live of the index (s). Returns kept, keys or bytes: what there would be too much of.
-- drop: ARGV[2..] the keys' texts, as KEYS[3..]. Returns how many were there.
local expiries, sizes = KEYS[1], KEYS[2]

local function forget(text)
  local size = redis.call('HGET', sizes, text)
  redis.call('ZREM', expiries, text)
  if size then
    redis.call('HDEL', sizes, text)
    redis.call('HINCRBY', sizes, '', -tonumber(size))
  end
  return size
end

if ARGV[1] == 'get' then
  local value = redis.call('GET', KEYS[3])
  if not value or redis.call('HEXISTS', sizes, ARGV[2]) == 0 then
    return false
  end
  return {value, redis.call('PTTL', KEYS[3])}
end

if ARGV[1] == 'drop' then
  local there = 0
  for place = 3, #KEYS do
    local was = redis.call('DEL', KEYS[place])
    if forget(ARGV[place - 1]) and was == 1 then
      there = there + 1
    end
  end
  return there
end

local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
for _, text in ipairs(redis.call('ZRANGEBYSCORE', expiries, '-inf', now, 'LIMIT', 0, 1000)) do
  forget(text)
end
local count = redis.call('ZCARD', expiries)
if count == 0 then
  redis.call('DEL', sizes)
end
local held = redis.call('HGET', sizes, ARGV[2])
local size = #ARGV[2] + #ARGV[3]
local sum = tonumber(redis.call('HGET', sizes, '') or '0') - tonumber(held or '0') + size
if not held and count + 1 > tonumber(ARGV[5]) then
  return 'keys'
end
if sum > tonumber(ARGV[6]) then
  return 'bytes'
end
redis.call('SET', KEYS[3], ARGV[3], 'EX', ARGV[4])
redis.call('ZADD', expiries, now + tonumber(ARGV[4]) * 1000, ARGV[2])
redis.call('HSET', sizes, ARGV[2], size, '', sum)
redis.call('EXPIRE', expiries, ARGV[7])
redis.call('EXPIRE', sizes, ARGV[7])
return 'kept'
