-- Count one request against several sliding windows: all of them have room and count it, or none counts it.
-- KEYS[i]    any ratelimit:* key  HASH. "<owner>now" holds "slot count used oldest": the slot that is being filled, its
--            own count, the sum over the window and the oldest slot in it. "<owner><slot % (slots + 1)>" holds
--            "slot:count" of the slots before. So a request reads and writes one field; all are read when a slot begins.
-- ARGV[4i-3] limit
-- ARGV[4i-2] slots of the window
-- ARGV[4i-1] length of a slot, milliseconds
-- ARGV[4i]   owner, "" when the key has only one
-- Returns, for each key: used (this request included, if it may pass), milliseconds until the oldest slot leaves,
-- milliseconds until there is room again (0: there is). The clock is Redis's own. A slot that lies further in the
-- future than the next one was written before the clock was set back, and is forgotten.
local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)

-- The live slots before and beside `head`: slot -> count, their sum, the oldest.
local function slots_of(key, owner, slots, current, head, count)
  local names, counts, used, oldest = {}, {}, 0, current
  for n = 0, slots do
    names[n + 1] = owner .. n
  end
  local function add(slot, number)
    if slot and slot >= current - slots and slot <= current + 1 then
      counts[slot] = number
      used = used + number
      oldest = math.min(oldest, slot)
    end
  end
  for _, text in ipairs(redis.call('HMGET', key, unpack(names))) do
    local colon = text and string.find(text, ':', 1, true)
    if colon and tonumber(string.sub(text, 1, colon - 1)) ~= head then
      add(tonumber(string.sub(text, 1, colon - 1)), tonumber(string.sub(text, colon + 1)))
    end
  end
  add(head, count)
  return counts, used, oldest
end

local answer, writes, refused = {}, {}, false
for i, key in ipairs(KEYS) do
  local limit, slots, slot_ms = tonumber(ARGV[4 * i - 3]), tonumber(ARGV[4 * i - 2]), tonumber(ARGV[4 * i - 1])
  local owner, current = ARGV[4 * i], math.floor(now_ms / slot_ms)
  local head, count, used, oldest
  local state = redis.call('HGET', key, owner .. 'now')
  if state then
    head, count, used, oldest = string.match(state, '^(%d+) (%d+) (%d+) (%d+)$')
    head, count, used, oldest = tonumber(head), tonumber(count), tonumber(used), tonumber(oldest)
  end
  local write = {}
  if head ~= current and head ~= current + 1 then
    local counts
    counts, used, oldest = slots_of(key, owner, slots, current, head, count)
    if head and counts[head] then
      write = {owner .. (head % (slots + 1)), head .. ':' .. count}
    end
    head, count = current, counts[current] or 0
    write.ttl_ms = (slots + 1) * slot_ms
  end
  local wait_ms = 0
  if used >= limit then
    refused = true
    local counts = slots_of(key, owner, slots, current, head, count)
    local left, slot = used, oldest
    while left >= limit and slot <= head do
      left = left - (counts[slot] or 0)
      slot = slot + 1
    end
    wait_ms = (slot + slots) * slot_ms - now_ms
  end
  answer[3 * i - 2], answer[3 * i - 1], answer[3 * i] = used, (oldest + slots + 1) * slot_ms - now_ms, wait_ms
  write[#write + 1] = owner .. 'now'
  write[#write + 1] = string.format('%d %d %d %d', head, count + 1, used + 1, oldest)
  writes[i] = write
end
if refused then
  return answer
end
for i, key in ipairs(KEYS) do
  redis.call('HSET', key, unpack(writes[i]))
  if writes[i].ttl_ms then
    redis.call('PEXPIRE', key, writes[i].ttl_ms)
  end
  answer[3 * i - 2] = answer[3 * i - 2] + 1
end
return answer
