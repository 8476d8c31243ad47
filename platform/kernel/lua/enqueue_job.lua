-- Show an accepted job and put its id on its queue: what a pipeline of six commands would do, in one answer.
-- KEYS[1] jobs:state:{id}         HASH, written
-- KEYS[2] jobs:events:{id}        LIST, RPUSH of the first event
-- KEYS[3] jobs:queue:{type}[:high] LIST, LPUSH of the id
-- KEYS[4] idempotency:{key}       STRING, written; the state key again when there is no key
-- ARGV[1] job id
-- ARGV[2] first event, JSON
-- ARGV[3] time to live of the state, seconds
-- ARGV[4] time to live of the ring, seconds
-- ARGV[5] time to live of the idempotency mapping, seconds; 0 for none
-- ARGV[6..] fields and values of the state
-- Returns the length of the queue.
redis.call('HSET', KEYS[1], unpack(ARGV, 6))
redis.call('EXPIRE', KEYS[1], ARGV[3])
redis.call('RPUSH', KEYS[2], ARGV[2])
redis.call('EXPIRE', KEYS[2], ARGV[4])
if ARGV[5] ~= '0' then
  redis.call('SET', KEYS[4], ARGV[1], 'EX', ARGV[5])
end
return redis.call('LPUSH', KEYS[3], ARGV[1])
