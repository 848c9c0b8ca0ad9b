import { PAGE_BYTES_MAX } from '../bounds.ts';
import { COMMON, type Script, scriptOf } from './script.ts';

/** 3: name. */
export const GET_CONFIG = read(
  'getConfig',
  `
local id = call('HGET', P .. 'k', ARGV[3])
if not id then return false end
return {row('c', id), call('GET', P .. 't:' .. id)}
`,
);

/** 3 and on: names. Of the first of them each row with its content or false, until they are enough for one page. */
export const GET_CONFIGS = read(
  'getConfigs',
  `
local found, bytes = {}, 0
for i = 3, #ARGV do
  if bytes > ${PAGE_BYTES_MAX} then break end
  local id = call('HGET', P .. 'k', ARGV[i])
  local content = id and call('GET', P .. 't:' .. id)
  bytes = bytes + string.len(content or '')
  found[i - 2] = id and {row('c', id), content}
end
return found
`,
);

/** Rows with their contents until they are enough for one page. First the last id that was looked at if there are more. */
const PAGE = `
local function page(read, texts, ids, limit)
  local found, bytes = {''}, 0
  for i, id in ipairs(ids) do
    if i > limit or bytes > ${PAGE_BYTES_MAX} then
      found[1] = ids[i - 1]
      break
    end
    local fields = read(id)
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
return page(function(id) return row(ARGV[4], id) end, ARGV[5], ids, tonumber(ARGV[7]))
`,
);

/** 3 and on: ids, in order. */
export const GET_BY_IDS = read(
  'getByIds',
  `${PAGE}
local ids = {}
for i = 3, #ARGV do ids[i - 2] = ARGV[i] end
return page(function(id) return row('c', id) end, 't', ids, #ids)
`,
);

/** 3: name, 4: after which id. */
export const GET_VARIANTS = read(
  'getVariants',
  `${PAGE}
local ids = call('ZRANGEBYSCORE', P .. 'vo:' .. ARGV[3], '(' .. ARGV[4], '+inf')
return page(function(id) return row('v', id) end, 'w', ids, #ids)
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

/** 3: after which number, 4: how many. */
export const SCAN_HISTORY = read(
  'scanHistory',
  `${PAST}${PAGE}
local nids = call('ZRANGEBYSCORE', P .. 'pasts', '(' .. ARGV[3], '+inf', 'LIMIT', 0, tonumber(ARGV[4]) + 1)
return page(past, 'q', nids, tonumber(ARGV[4]))
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

function read(name: string, lua: string): Script {
  return scriptOf(name, `${COMMON}${lua}`, false);
}
