import { COMMON, type Script, scriptOf } from './script.ts';

/** Beyond what a server that was lost or failed over may have given out without this one knowing. */
const REVISIONS_SKIPPED = 1_000_000;
/** Ids of other stores that a counter can go on from. */
const ID_TAKEN_MAX = 2 ** 52;

/** ARGV[3] is until when, by this server's clock, the write may be done; ARGV[4] how many changes are kept. */
const WRITES = `
local clock = call('TIME')
local now = tonumber(clock[1]) * 1000 + math.floor(tonumber(clock[2]) / 1000)
if now > tonumber(ARGV[3]) then return redis.error_reply('EXPIRED ' .. text(now)) end
local function begin()
  local server = string.match(call('INFO', 'server'), 'run_id:(%w+)')
  if call('HGET', meta, 'server') == server then return end
  local last = tonumber(call('HGET', meta, 'revision') or '0')
  -- Two servers that took over from the same state begin apart: the run id is random.
  local first = math.max(last + ${REVISIONS_SKIPPED}, now) + tonumber(string.sub(server, 1, 7), 16)
  call('XADD', P .. 'changes', text(first) .. '-0', 'c', '')
  call('HSET', meta, 'server', server, 'revision', text(first))
  call('HINCRBY', meta, 'ids', last == 0 and 0 or ${REVISIONS_SKIPPED})
end
local function replicas()
  local online = {}
  for host, port in string.gmatch(call('INFO', 'replication'), 'slave%d+:ip=([^,]*),port=(%d+),state=online') do
    table.insert(online, host .. ' ' .. port)
  end
  return online
end
local function newId() return text(call('HINCRBY', meta, 'ids', 1)) end
local function note(kind, removed, key)
  local revision = call('HINCRBY', meta, 'revision', 1)
  call('XADD', P .. 'changes', 'MAXLEN', '=', ARGV[4], text(revision) .. '-0', 'c', kind .. ' ' .. removed .. ' ' .. key)
  return revision
end
local function sumOf(values) return redis.sha1hex(table.concat(values, '\\n')) end
-- What an older write left, unless it is damaged.
local function sound(fields)
  local values = {}
  for i = 2, 10 do
    if not fields[i] then return false end
    values[i - 1] = fields[i]
  end
  return sumOf(values) == fields[11]
end
local function writeRow(kind, id, values)
  local arguments = {}
  for i, field in ipairs(FIELDS) do
    arguments[2 * i - 1] = field
    arguments[2 * i] = values[i]
  end
  call('HSET', P .. kind .. ':' .. id, 'sum', sumOf(values), unpack(arguments))
end
local function keepPast(nid, operation, configId, name, md5, app, by, at)
  local sum = sumOf({name, operation, configId, md5, app, by, at})
  call('HSET', P .. 'p:' .. nid, 'key', name, 'op', operation, 'config', configId, 'md5', md5, 'app', app, 'by', by, 'at', at, 'sum', sum)
  call('ZADD', P .. 'pasts', nid, nid)
  call('ZADD', P .. 'po:' .. name, nid, nid)
  call('ZADD', P .. 'past', at, nid)
  local newest = tonumber(call('HGET', P .. 'newest', configId) or '0')
  if operation ~= 'I' and tonumber(nid) > newest then call('HSET', P .. 'newest', configId, nid) end
  return P .. 'q:' .. nid
end
local function remember(operation, configId, name, md5, app, by)
  return keepPast(newId(), operation, configId, name, md5, app, by, text(now))
end
-- First what frees memory: a script that has begun is not stopped when there is none left.
local function removeConfig(id, name, by)
  local fields = row('c', id)
  call('HDEL', P .. 'k', name)
  begin()
  local past = remember('D', id, name, fields[5] or '', fields[7] or '', by)
  if call('EXISTS', P .. 't:' .. id) == 1 then call('RENAME', P .. 't:' .. id, past) end
  call('DEL', P .. 'c:' .. id)
  call('ZREM', P .. 'configs', id)
  call('ZREM', P .. 'ns:' .. (fields[3] or ''), id .. ' ' .. name)
  return note('config', 1, name)
end
`;

/** Makes the data set when there is none. 5: its name, 6: the format. */
export const INIT = write(
  'init',
  `
if not call('HGET', meta, 'dataset') then
  call('HSET', meta, 'dataset', ARGV[5], 'format', ARGV[6])
end
begin()
return {replicas(), call('HMGET', meta, 'dataset', 'format')}
`,
);

/** 5: name, 6: namespace, 7: content, 8: md5, 9: facts, 10: by; after `=` or empty: 11: application, 12: tags, 13: md5 expected. */
export const PUT_CONFIG = write(
  'putConfig',
  `
local name, ns, content, md5, facts, by = ARGV[5], ARGV[6], ARGV[7], ARGV[8], ARGV[9], ARGV[10]
local id = call('HGET', P .. 'k', name)
local old = id and row('c', id)
if ARGV[13] ~= '' and string.sub(ARGV[13], 2) ~= (old and old[5] or '') then return {replicas(), 0} end
begin()
local isSound = old and sound(old)
local app = ARGV[11] ~= '' and string.sub(ARGV[11], 2) or isSound and old[7] or ''
local tags = ARGV[12] ~= '' and string.sub(ARGV[12], 2) or isSound and old[8] or '[]'
local created = isSound and old[9] or text(now)
if old then
  local past = remember('U', id, name, old[5] or '', old[7] or '', by)
  if call('EXISTS', P .. 't:' .. id) == 1 then call('RENAME', P .. 't:' .. id, past) end
  call('SET', P .. 't:' .. id, content)
else
  id = newId()
  call('SET', P .. 't:' .. id, content)
  call('COPY', P .. 't:' .. id, remember('I', '0', name, md5, app, by))
  call('HSET', P .. 'k', name, id)
  call('ZADD', P .. 'configs', id, id)
  call('ZADD', P .. 'ns:' .. ns, id, id .. ' ' .. name)
end
writeRow('c', id, {name, ns, '', md5, facts, app, tags, created, text(now)})
return {replicas(), note('config', 0, name)}
`,
);

/** 5: name, 6: by. */
export const REMOVE_CONFIG = write(
  'removeConfig',
  `
local id = call('HGET', P .. 'k', ARGV[5])
if not id then return {replicas(), 0} end
return {replicas(), removeConfig(id, ARGV[5], ARGV[6])}
`,
);

/** 5: by, then ids in the order that their changes shall have. */
export const REMOVE_CONFIGS = write(
  'removeConfigs',
  `
local count = 0
for i = 6, #ARGV do
  local name = call('HGET', P .. 'c:' .. ARGV[i], 'key')
  if name then
    removeConfig(ARGV[i], name, ARGV[5])
    count = count + 1
  end
end
return {replicas(), count}
`,
);

/** 5: name, 6: namespace, 7: content, 8: md5, 9: facts, 10: variant; 11: application, after `=` or empty. */
export const PUT_VARIANT = write(
  'putVariant',
  `
local name, variant = ARGV[5], ARGV[10]
local id = call('HGET', P .. 'vk', name .. ' ' .. variant)
local old = id and row('v', id)
local isSound = old and sound(old)
begin()
local app = ARGV[11] ~= '' and string.sub(ARGV[11], 2) or isSound and old[7] or ''
local created = isSound and old[9] or text(now)
if not id then
  id = newId()
  call('HSET', P .. 'vk', name .. ' ' .. variant, id)
  call('ZADD', P .. 'variants', id, id)
  call('ZADD', P .. 'vo:' .. name, id, id)
end
call('SET', P .. 'w:' .. id, ARGV[7])
writeRow('v', id, {name, ARGV[6], variant, ARGV[8], ARGV[9], app, '[]', created, text(now)})
return {replicas(), note('variant', 0, name)}
`,
);

/** 5: name, 6: variant. */
export const REMOVE_VARIANT = write(
  'removeVariant',
  `
local id = call('HGET', P .. 'vk', ARGV[5] .. ' ' .. ARGV[6])
if not id then return {replicas(), 0} end
call('HDEL', P .. 'vk', ARGV[5] .. ' ' .. ARGV[6])
begin()
call('UNLINK', P .. 'v:' .. id, P .. 'w:' .. id)
call('ZREM', P .. 'variants', id)
call('ZREM', P .. 'vo:' .. ARGV[5], id)
return {replicas(), note('variant', 1, ARGV[5])}
`,
);

/** 5 and on: kind, key and what is stored of each record. */
export const PUT_RECORDS = write(
  'putRecords',
  `
begin()
local revision = 0
for i = 5, #ARGV, 3 do
  call('HSET', P .. 'r:' .. ARGV[i], ARGV[i + 1], ARGV[i + 2])
  call('ZADD', P .. 'rk:' .. ARGV[i], 0, ARGV[i + 1])
  revision = note(ARGV[i], 0, ARGV[i + 1])
end
return {replicas(), revision}
`,
);

/** 5: kind, 6: key. */
export const REMOVE_RECORD = write(
  'removeRecord',
  `
if call('HEXISTS', P .. 'r:' .. ARGV[5], ARGV[6]) == 0 then return {replicas(), 0} end
call('HDEL', P .. 'r:' .. ARGV[5], ARGV[6])
begin()
call('ZREM', P .. 'rk:' .. ARGV[5], ARGV[6])
return {replicas(), note(ARGV[5], 1, ARGV[6])}
`,
);

/** 5: how long past writes are kept, in ms, 6: at most so many at once. */
export const FORGET = write(
  'forget',
  `
local nids = call('ZRANGEBYSCORE', P .. 'past', '-inf', text(now - tonumber(ARGV[5])), 'LIMIT', 0, ARGV[6])
for _, nid in ipairs(nids) do
  local past = call('HMGET', P .. 'p:' .. nid, 'key', 'config')
  call('UNLINK', P .. 'p:' .. nid, P .. 'q:' .. nid)
  call('ZREM', P .. 'past', nid)
  call('ZREM', P .. 'pasts', nid)
  if past[1] then call('ZREM', P .. 'po:' .. past[1], nid) end
  if past[2] and call('HGET', P .. 'newest', past[2]) == nid then call('HDEL', P .. 'newest', past[2]) end
end
return {replicas(), #nids}
`,
);

/**
 * Rows of another store, 11 values each. 5 and on: `config` or `variant`, name, namespace, content, md5, facts, variant,
 * application, tags, created, modified; of a config its id stands where the variant does. Or `past`, name, number, content,
 * md5, by, operation, application, id of the configuration, time, nothing.
 */
export const PUT_MOVED = write(
  'putMoved',
  `
begin()
local function free(key, id)
  local number = tonumber(id)
  if number == nil or number < 1 or number > ${ID_TAKEN_MAX} or call('EXISTS', key .. id) == 1 then return false end
  return true
end
local function raise(id)
  local number = tonumber(id)
  if number == nil or number > ${ID_TAKEN_MAX} then return end
  if number > tonumber(call('HGET', meta, 'ids') or '0') then call('HSET', meta, 'ids', text(number)) end
end
local function isKnown(name, operation, md5, at)
  for _, nid in ipairs(call('ZRANGE', P .. 'po:' .. name, 0, -1)) do
    local past = call('HMGET', P .. 'p:' .. nid, 'op', 'md5', 'at')
    if past[1] == operation and past[2] == md5 and past[3] == at then return true end
  end
  return false
end
for i = 5, #ARGV, 11 do
  local what, name, ns, content, md5, facts, variant, app, tags, created, modified = unpack(ARGV, i, i + 10)
  if what == 'config' then
    local id = call('HGET', P .. 'k', name)
    if not id then
      id = free(P .. 'c:', variant) and variant or newId()
      raise(id)
      call('HSET', P .. 'k', name, id)
      call('ZADD', P .. 'configs', id, id)
      call('ZADD', P .. 'ns:' .. ns, id, id .. ' ' .. name)
    end
    call('SET', P .. 't:' .. id, content)
    writeRow('c', id, {name, ns, '', md5, facts, app, tags, created, modified})
    note('config', 0, name)
  elseif what == 'variant' then
    local id = call('HGET', P .. 'vk', name .. ' ' .. variant)
    if not id then
      id = newId()
      call('HSET', P .. 'vk', name .. ' ' .. variant, id)
      call('ZADD', P .. 'variants', id, id)
      call('ZADD', P .. 'vo:' .. name, id, id)
    end
    call('SET', P .. 'w:' .. id, content)
    writeRow('v', id, {name, ns, variant, md5, facts, app, tags, created, modified})
    note('variant', 0, name)
  else
    -- Under its own number it is new; under another's it may have come before.
    local isFree = free(P .. 'p:', ns)
    if isFree or not isKnown(name, variant, md5, created) then
      local nid = isFree and ns or newId()
      raise(nid)
      raise(tags)
      call('SET', keepPast(nid, variant, tags, name, md5, app, facts, created), content)
    end
  end
end
return {replicas(), 1}
`,
);

function write(name: string, lua: string): Script {
  return scriptOf(name, `${COMMON}${WRITES}${lua}`, true);
}
