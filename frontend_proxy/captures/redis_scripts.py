"""Lua scripts: each runs in Redis as one step, all of it or nothing."""

# Why `holder` can take no place more, by the rule of `Places.check`: "full" or "share"; nil if it can.
# `holders` has that of each place that is taken; an empty holder has to share with nobody.
_REFUSAL = """
local function refusal(holders, holder, most, share)
  if #holders >= tonumber(most) then return 'full' end
  local own = 0
  for _, other in ipairs(holders) do if other == holder then own = own + 1 end end
  local available = most - #holders + own
  if holder ~= '' and own > 0 and own + 1 > share * available then return 'share' end
end
"""

# The holders of the captures in a stream. Older proxies' entries name none.
_IN_QUEUE = (
    _REFUSAL
    + """
local function in_queue(queue)
  local holders = {}
  for _, entry in ipairs(redis.call('XRANGE', queue, '-', '+')) do
    local found = ''
    for index = 1, #entry[2], 2 do
      if entry[2][index] == 'holder' then found = entry[2][index + 1] end
    end
    holders[#holders + 1] = found
  end
  return holders
end
"""
)

# Returns the refusal, or "" if one capture more can be accepted.
QUEUE_ROOM = (
    _IN_QUEUE
    + """
local holder, most, share = unpack(ARGV)
return refusal(in_queue(KEYS[1]), holder, most, share) or ''
"""
)

# Accept a capture. Sent again after a lost connection, it changes nothing. Returns the claim of the capture
# that the Idempotency-Key belongs to (perhaps this one), the refusal or "created". A claim or record that
# cannot be read frees the key.
CREATE = (
    _IN_QUEUE
    + """
local queue, record, key = unpack(KEYS)
local id, document, lifetime, holder, most, share, claim, records, version = unpack(ARGV)
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
local refused = refusal(in_queue(queue), holder, most, share)
if refused then return refused end
redis.call('SET', record, document, 'PX', lifetime)
if key then redis.call('SET', key, claim, 'PX', lifetime) end
redis.call('XADD', queue, '*', 'id', id, 'version', version, 'holder', holder)
return 'created'
"""
)

# The holders of the batches that are not done. `names` is the beginning of the keys that have them.
_OPEN_BATCHES = (
    _REFUSAL
    + """
local function in_progress(open, names)
  local holders = {}
  for _, id in ipairs(redis.call('ZRANGE', open, 0, -1)) do
    holders[#holders + 1] = redis.call('GET', names .. id) or ''
  end
  return holders
end
"""
)

# Returns the refusal, or "" if one batch more can be accepted.
BATCH_ROOM = (
    _OPEN_BATCHES
    + """
local open, names = unpack(KEYS)
local holder, most, share = unpack(ARGV)
return refusal(in_progress(open, names), holder, most, share) or ''
"""
)

# Accept a batch whose request is stored. Sent again after a lost connection, it changes nothing. Returns the
# refusal or "created".
CREATE_BATCH = (
    _OPEN_BATCHES
    + """
local open, names, record, key = unpack(KEYS)
local id, document, lifetime, holder, most, share, claim, now = unpack(ARGV)
if redis.call('ZSCORE', open, id) then return 'created' end
local refused = refusal(in_progress(open, names), holder, most, share)
if refused then return refused end
redis.call('SET', record, document, 'PX', lifetime)
redis.call('SET', names .. id, holder, 'PX', lifetime)
if key then redis.call('SET', key, claim, 'PX', lifetime) end
redis.call('ZADD', open, now, id)
return 'created'
"""
)

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
