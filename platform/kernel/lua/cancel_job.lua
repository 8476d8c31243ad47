-- Ask a job to stop, if its state hash does not say that it already ended.
-- KEYS[1] jobs:state:{id}   HASH
-- KEYS[2] jobs:cancel:{id}  STRING, written "1"
-- ARGV[1] time to live of the flag, seconds
-- Returns 1 when the flag was set, 0 when the job had ended. A missing hash (Redis was emptied) sets the flag:
-- the row in PostgreSQL, which the caller has checked first, is the truth.
local status = redis.call('HGET', KEYS[1], 'status')
if status == 'finished' or status == 'failed' or status == 'cancelled' then
  return 0
end
redis.call('SET', KEYS[2], '1', 'EX', ARGV[1])
return 1
