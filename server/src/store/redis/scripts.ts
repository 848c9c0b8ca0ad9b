import { hash } from 'node:crypto';
import { PAGE_BYTES_MAX } from '../bounds.ts';

/**
 * What runs inside Redis. Each script is one transaction: it looks at everything first, and nothing that can be refused
 * (a replica, a full memory) comes after the first thing it writes. `P` is the prefix of all keys:
 *
 *   meta          hash   dataset, format, server (run id of the server that wrote last), revision, ids
 *   changes       stream one entry per revision, with the revision as its id
 *   k, vk         hash   name of a configuration or variant to its id
 *   c:ID, t:ID    hash, text   a configuration and its content; v:ID, w:ID a variant and its content
 *   configs, variants    sorted set of ids; ns:NAMESPACE of `ID NAME`; vo:NAME of the variants of a configuration
 *   p:NID, q:NID  hash, text   a past write and its content; po:NAME, past, newest: found by name, age, configuration
 *   r:KIND, rk:KIND      hash of records, sorted set of their keys
 */
export interface Script {
  readonly name: string;
  readonly lua: string;
  readonly sha: string;
  readonly isWrite: boolean;
}

/** Beyond what a server that was lost or failed over may have given out without this one knowing. */
const REVISIONS_SKIPPED = 1_000_000;

/** ARGV: prefix, the data set that is expected or the empty text, then what each script takes. */
const COMMON = `
local P, meta = ARGV[1], KEYS[1]
local call = redis.call
if ARGV[2] ~= '' then
  local dataset = call('HGET', meta, 'dataset')
  if dataset ~= ARGV[2] then return redis.error_reply('DATASET ' .. (dataset and 'another' or 'none')) end
end
local function text(number) return string.format('%.0f', number) end
local FIELDS = {'key', 'ns', 'variant', 'md5', 'facts', 'app', 'tags', 'created', 'modified'}
local function row(kind, id)
  local fields = call('HMGET', P .. kind .. ':' .. id, 'key', 'ns', 'variant', 'md5', 'facts', 'app', 'tags', 'created', 'modified', 'sum')
  table.insert(fields, 1, id)
  return fields
end
`;

/** ARGV[3] is until when, by this server's clock, the write may be done; ARGV[4] how many changes are kept. */
const WRITES = `
local clock = call('TIME')
local now = tonumber(clock[1]) * 1000 + math.floor(tonumber(clock[2]) / 1000)
if now > tonumber(ARGV[3]) then return redis.error_reply('EXPIRED ' .. text(now)) end
local function begin()
  local server = string.match(call('INFO', 'server'), 'run_id:(%w+)')
  if call('HGET', meta, 'server') == server then return end
  local last = tonumber(call('HGET', meta, 'revision') or '0')
  local first = math.max(last + ${REVISIONS_SKIPPED}, now)
  call('XADD', P .. 'changes', text(first) .. '-0', 'c', '')
  call('HSET', meta, 'server', server, 'revision', text(first))
  call('HINCRBY', meta, 'ids', last == 0 and 0 or ${REVISIONS_SKIPPED})
end
local function replicas()
  local _, online = string.gsub(call('INFO', 'replication'), 'state=online', '')
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
local function remember(operation, configId, name, md5, app, by)
  local nid = newId()
  local values = {name, operation, configId, md5, app, by, text(now)}
  call('HSET', P .. 'p:' .. nid, 'key', name, 'op', operation, 'config', configId, 'md5', md5, 'app', app, 'by', by, 'at', text(now), 'sum', sumOf(values))
  call('ZADD', P .. 'po:' .. name, nid, nid)
  call('ZADD', P .. 'past', text(now), nid)
  if operation ~= 'I' then call('HSET', P .. 'newest', configId, nid) end
  return P .. 'q:' .. nid
end
local function removeConfig(id, name, by)
  local fields = row('c', id)
  begin()
  local past = remember('D', id, name, fields[5] or '', fields[7] or '', by)
  if call('EXISTS', P .. 't:' .. id) == 1 then call('RENAME', P .. 't:' .. id, past) end
  call('DEL', P .. 'c:' .. id)
  call('HDEL', P .. 'k', name)
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
return {0, call('HMGET', meta, 'dataset', 'format')}
`,
);

/** 5: name, 6: namespace, 7: content, 8: md5, 9: facts, 10: by; after `=` or empty: 11: application, 12: tags, 13: md5 expected. */
export const PUT_CONFIG = write(
  'putConfig',
  `
local name, ns, content, md5, facts, by = ARGV[5], ARGV[6], ARGV[7], ARGV[8], ARGV[9], ARGV[10]
local id = call('HGET', P .. 'k', name)
local old = id and row('c', id)
if ARGV[13] ~= '' and string.sub(ARGV[13], 2) ~= (old and old[5] or '') then return {0, 0} end
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
if not id then return {0, 0} end
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
if not id then return {0, 0} end
begin()
call('HDEL', P .. 'vk', ARGV[5] .. ' ' .. ARGV[6])
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
if call('HEXISTS', P .. 'r:' .. ARGV[5], ARGV[6]) == 0 then return {0, 0} end
begin()
call('HDEL', P .. 'r:' .. ARGV[5], ARGV[6])
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
  if past[1] then call('ZREM', P .. 'po:' .. past[1], nid) end
  if past[2] and call('HGET', P .. 'newest', past[2]) == nid then call('HDEL', P .. 'newest', past[2]) end
end
return {0, #nids}
`,
);

/** 3: name. */
export const GET_CONFIG = read(
  'getConfig',
  `
local id = call('HGET', P .. 'k', ARGV[3])
if not id then return false end
return {row('c', id), call('GET', P .. 't:' .. id)}
`,
);

/** Rows with their contents until they are enough for one page. Answers what is left first: 0, or the last id that was looked at. */
const PAGE = `
local function page(kind, texts, ids, limit)
  local found, bytes = {''}, 0
  for i, id in ipairs(ids) do
    if i > limit or bytes > ${PAGE_BYTES_MAX} then
      found[1] = ids[i - 1]
      break
    end
    local fields = row(kind, id)
    local content = call('GET', P .. texts .. ':' .. id)
    if fields[2] or content then
      bytes = bytes + string.len(content or '')
      table.insert(found, {fields, content})
    end
  end
  return found
end
`;

/** 3: `configs` or `variants`, 4: kind of the rows, 5: of their contents, 6: after which id, 7: how many. */
export const SCAN = read(
  'scan',
  `${PAGE}
local ids = call('ZRANGEBYSCORE', P .. ARGV[3], '(' .. ARGV[6], '+inf', 'LIMIT', 0, tonumber(ARGV[7]) + 1)
return page(ARGV[4], ARGV[5], ids, tonumber(ARGV[7]))
`,
);

/** 3 and on: ids, in order. */
export const GET_BY_IDS = read(
  'getByIds',
  `${PAGE}
local ids = {}
for i = 3, #ARGV do ids[i - 2] = ARGV[i] end
return page('c', 't', ids, #ids)
`,
);

/** 3: name, 4: after which id. */
export const GET_VARIANTS = read(
  'getVariants',
  `${PAGE}
local ids = call('ZRANGEBYSCORE', P .. 'vo:' .. ARGV[3], '(' .. ARGV[4], '+inf')
return page('v', 'w', ids, #ids)
`,
);

/** 3: namespace. */
export const COUNT_CONFIGS = read('countConfigs', `return call('ZCARD', P .. 'ns:' .. ARGV[3])`);

/** 3: namespace, 4: after which id, 5: how many, 6: 1 with application and tags. `ID NAME` of each. */
export const NAMES = read(
  'names',
  `
local names = call('ZRANGEBYSCORE', P .. 'ns:' .. ARGV[3], '(' .. ARGV[4], '+inf', 'LIMIT', 0, ARGV[5])
if ARGV[6] == '0' then return names end
local found = {}
for _, name in ipairs(names) do
  local facts = call('HMGET', P .. 'c:' .. string.match(name, '^%d+'), 'app', 'tags')
  table.insert(found, name)
  table.insert(found, facts[1] or '')
  table.insert(found, facts[2] or '[]')
end
return found
`,
);

const PAST = `
local function past(nid)
  local fields = call('HMGET', P .. 'p:' .. nid, 'key', 'op', 'config', 'md5', 'app', 'by', 'at', 'sum')
  table.insert(fields, 1, nid)
  return fields
end
`;

/** 3: name, 4: offset, 5: how many. */
export const SEARCH_HISTORY = read(
  'searchHistory',
  `${PAST}
local found = {call('ZCARD', P .. 'po:' .. ARGV[3])}
for _, nid in ipairs(call('ZREVRANGE', P .. 'po:' .. ARGV[3], ARGV[4], tonumber(ARGV[4]) + tonumber(ARGV[5]) - 1)) do
  table.insert(found, past(nid))
end
return found
`,
);

/** 3: number of a past write, or empty with 4: id of the configuration whose newest it is. */
export const GET_HISTORY = read(
  'getHistory',
  `${PAST}
local nid = ARGV[3] ~= '' and ARGV[3] or call('HGET', P .. 'newest', ARGV[4])
if not nid or call('EXISTS', P .. 'p:' .. nid) == 0 then return false end
return {past(nid), call('GET', P .. 'q:' .. nid)}
`,
);

/** 3: kind, 4: key. */
export const GET_RECORD = read('getRecord', `return call('HGET', P .. 'r:' .. ARGV[3], ARGV[4])`);

/** 3: kind, 4: after which key, 5: how many. */
export const SCAN_RECORDS = read(
  'scanRecords',
  `
local limit = tonumber(ARGV[5])
local from = ARGV[4] == '' and '-' or '(' .. ARGV[4]
local keys = call('ZRANGEBYLEX', P .. 'rk:' .. ARGV[3], from, '+', 'LIMIT', 0, limit + 1)
local found, bytes = {''}, 0
for i, key in ipairs(keys) do
  if i > limit or bytes > ${PAGE_BYTES_MAX} then
    found[1] = keys[i - 1]
    break
  end
  local stored = call('HGET', P .. 'r:' .. ARGV[3], key) or ''
  bytes = bytes + string.len(stored)
  table.insert(found, key)
  table.insert(found, stored)
end
return found
`,
);

/** 3: from which revision on, itself included, 4: how many. */
export const CHANGES = read(
  'changes',
  `return {call('HGET', meta, 'revision') or '0', call('XRANGE', P .. 'changes', ARGV[3] .. '-0', '+', 'COUNT', ARGV[4])}`,
);

export const REVISION = read('revision', `return call('HGET', meta, 'revision') or '0'`);

function write(name: string, lua: string): Script {
  return scriptOf(name, `${COMMON}${WRITES}${lua}`, true);
}

function read(name: string, lua: string): Script {
  return scriptOf(name, `${COMMON}${lua}`, false);
}

function scriptOf(name: string, lua: string, isWrite: boolean): Script {
  return { name, lua, sha: hash('sha1', lua), isWrite };
}
