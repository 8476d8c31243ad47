-- One step of a provider's circuit breaker and of its limit of calls at once; apps/llm/resilience/breaker.py says why.
-- KEYS[1]  circuit:{provider}        HASH  state, failures, successes, opened_at_ms, probe, probe_until_ms, epoch
-- KEYS[2]  circuit:{provider}:slots  ZSET  token -> when its call ends at the latest, ms
-- ARGV[1]  acquire | release
-- ARGV[2]  token, unique to the call
-- ARGV[3]  now in ms; empty: Redis's own clock
-- ARGV[4]  failures in a row that open the circuit
-- ARGV[5]  ms that it stays open
-- ARGV[6]  successful probes in a row that close it
-- acquire: ARGV[7] ms the call may take, ARGV[8] calls at once
--   returns {verdict, is_probe, epoch, retry_in_ms, state before, state after}; verdict: ok, open or busy
-- release: ARGV[7] epoch of the admission, ARGV[8] success | failure | neutral
--   returns {state before, state after}
local HASH_TTL_S, SLOTS_TTL_S = 86400, 700
local token, rules = ARGV[2], {failures = tonumber(ARGV[4]), open_ms = tonumber(ARGV[5]), successes = tonumber(ARGV[6])}
local now_ms = tonumber(ARGV[3])
if not now_ms then
  local time = redis.call('TIME')
  now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
end

local held = redis.call('HMGET', KEYS[1], 'state', 'failures', 'successes', 'opened_at_ms', 'probe', 'probe_until_ms', 'epoch')
local circuit = {
  state = held[1] or 'CLOSED', failures = tonumber(held[2]) or 0, successes = tonumber(held[3]) or 0,
  opened_at_ms = tonumber(held[4]) or 0, probe = held[5] or '', probe_until_ms = tonumber(held[6]) or 0,
  epoch = tonumber(held[7]) or 0,
}
local before = circuit.state

local function whole(number)
  return string.format('%.0f', number)
end

local function save()
  redis.call('HSET', KEYS[1], 'state', circuit.state, 'failures', whole(circuit.failures), 'successes',
    whole(circuit.successes), 'opened_at_ms', whole(circuit.opened_at_ms), 'probe', circuit.probe, 'probe_until_ms',
    whole(circuit.probe_until_ms), 'epoch', whole(circuit.epoch))
  redis.call('EXPIRE', KEYS[1], HASH_TTL_S)
end

-- To another state, with everything else but the failures at its beginning.
local function move(state, failures)
  circuit = {
    state = state, failures = failures, successes = 0, opened_at_ms = 0, probe = '', probe_until_ms = 0,
    epoch = circuit.epoch + 1,
  }
  if state == 'OPEN' then
    circuit.opened_at_ms = now_ms
  end
end

if ARGV[1] == 'acquire' then
  local hold_ms, at_once = tonumber(ARGV[7]), tonumber(ARGV[8])
  redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', whole(now_ms))
  if redis.call('ZCARD', KEYS[2]) >= at_once then
    return {'busy', 0, circuit.epoch, 0, before, before}
  end
  local is_probe = 0
  if circuit.state == 'OPEN' then
    local left_ms = circuit.opened_at_ms + rules.open_ms - now_ms
    if left_ms > 0 then
      return {'open', 0, circuit.epoch, left_ms, before, before}
    end
    move('HALF_OPEN', circuit.failures)
  end
  if circuit.state == 'HALF_OPEN' then
    if circuit.probe ~= '' and now_ms < circuit.probe_until_ms then
      return {'open', 0, circuit.epoch, circuit.probe_until_ms - now_ms, before, circuit.state}
    end
    circuit.probe, circuit.probe_until_ms, is_probe = token, now_ms + hold_ms, 1
    save()
  end
  redis.call('ZADD', KEYS[2], whole(now_ms + hold_ms), token)
  redis.call('EXPIRE', KEYS[2], SLOTS_TTL_S)
  return {'ok', is_probe, circuit.epoch, 0, before, circuit.state}
end

redis.call('ZREM', KEYS[2], token)
if tonumber(ARGV[7]) ~= circuit.epoch then
  return {before, before}
end
local outcome = ARGV[8]
if circuit.state == 'HALF_OPEN' then
  if circuit.probe ~= token then
    return {before, before}
  end
  circuit.probe, circuit.probe_until_ms = '', 0
  if outcome == 'failure' then
    move('OPEN', circuit.failures)
  elseif outcome == 'success' then
    circuit.successes = circuit.successes + 1
    if circuit.successes >= rules.successes then
      move('CLOSED', 0)
    end
  end
  save()
elseif outcome == 'success' and circuit.failures > 0 then
  circuit.failures = 0
  save()
elseif outcome == 'failure' and circuit.state == 'CLOSED' then
  circuit.failures = circuit.failures + 1
  if circuit.failures >= rules.failures then
    move('OPEN', circuit.failures)
  end
  save()
end
return {before, circuit.state}
