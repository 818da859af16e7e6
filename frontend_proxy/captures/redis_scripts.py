"""Lua scripts: each runs in Redis as one step, all of it or nothing."""

# Accept a capture. Sent again after a lost connection, it changes nothing. Returns the claim of the capture
# that the Idempotency-Key belongs to (perhaps this one), "full" or "created". A claim or record that cannot
# be read frees the key.
CREATE = """
local queue, record, jobs, key = unpack(KEYS)
local id, document, payload, lifetime, most, claim, records, version = unpack(ARGV)
local function decode(text)
  local ok, value = pcall(cjson.decode, text)
  return ok and type(value) == 'table' and value or {}
end
if key then
  local earlier = redis.call('GET', key)
  local known = earlier and decode(earlier) or {}
  if type(known.result_id) == 'string' and type(known.fingerprint) == 'string' then
    local other = redis.call('GET', records .. known.result_id)
    local state = other and decode(other).state
    if type(state) == 'string' and state ~= 'failed' then return earlier end
  end
end
if redis.call('EXISTS', record) == 1 then return 'created' end
if redis.call('XLEN', queue) >= tonumber(most) then return 'full' end
redis.call('SET', record, document, 'PX', lifetime)
redis.call('SET', jobs, payload, 'PX', lifetime)
if key then redis.call('SET', key, claim, 'PX', lifetime) end
redis.call('XADD', queue, '*', 'id', id, 'version', version)
return 'created'
"""

# The webhook queue: a sorted set of deliveries by due time, and the number of deliveries of each host. Times
# are milliseconds of Redis's clock, so the proxies' clocks need not agree.
_NOW = """
local time = redis.call('TIME')
local now = 1000 * time[1] + math.floor(time[2] / 1000)
"""

# Due at once. Sent again, it changes nothing.
ADD_DELIVERY = (
    _NOW
    + """
local due, hosts, document = unpack(KEYS)
local member, host, url, body, lifetime = unpack(ARGV)
if redis.call('ZADD', due, 'NX', now, member) == 1 then redis.call('HINCRBY', hosts, host, 1) end
redis.call('HSET', document, 'url', url, 'body', body)
for _, key in ipairs(KEYS) do redis.call('PEXPIRE', key, lifetime) end
"""
)

# Returns the members of deliveries that are due, and leases them: another proxy gets them when the lease has
# ended. ARGV: lease, limit, limit per host, then pairs of a host and its deliveries that are leased already.
CLAIM_DELIVERIES = (
    _NOW
    + """
local lease, limit, most = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local leased, claimed = {}, {}
for index = 4, #ARGV, 2 do leased[ARGV[index]] = tonumber(ARGV[index + 1]) end
for _, member in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now)) do
  if #claimed >= limit then break end
  local host = string.match(member, '^[^:]*:(.*)$') or ''
  if (leased[host] or 0) < most then
    leased[host] = (leased[host] or 0) + 1
    redis.call('ZADD', KEYS[1], 'XX', now + lease, member)
    claimed[#claimed + 1] = member
  end
end
return claimed
"""
)

# After a failed attempt: due again in ARGV[2] milliseconds, unless it was removed or has expired.
RETRY_DELIVERY = (
    _NOW
    + """
if redis.call('EXISTS', KEYS[2]) == 1 then
  redis.call('HINCRBY', KEYS[2], 'attempts', 1)
  redis.call('ZADD', KEYS[1], 'XX', now + ARGV[2], ARGV[1])
end
"""
)

REMOVE_DELIVERY = """
local due, hosts, document = unpack(KEYS)
local member, host = unpack(ARGV)
if redis.call('ZREM', due, member) == 1 and redis.call('HINCRBY', hosts, host, -1) <= 0 then
  redis.call('HDEL', hosts, host)
end
redis.call('DEL', document)
"""

# Renew a lease for ARGV[2] milliseconds. Returns 0 if another process has it.
RENEW_LEASE = """
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return 0
"""

# Replaces a value, for ARGV[3] milliseconds, if it is still the one that was read.
SWAP = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1
"""
