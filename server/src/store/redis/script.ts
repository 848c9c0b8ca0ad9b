import { hash } from 'node:crypto';

/**
 * What runs inside Redis. Each script is one transaction: it looks at everything first, and nothing that can be refused
 * (a replica, a full memory) comes after the first thing it writes. `P` is the prefix of all keys:
 *
 *   meta          hash   dataset, format, server (run id of the server that wrote last), revision, ids
 *   changes       stream one entry per revision, with the revision as its id
 *   k, vk         hash   name of a configuration or variant to its id
 *   c:ID, t:ID    hash, text   a configuration and its content; v:ID, w:ID a variant and its content
 *   configs, variants    sorted set of ids; ns:NAMESPACE of `ID NAME`; vo:NAME of the variants of a configuration
 *   p:NID, q:NID  hash, text   a past write and its content; pasts in order, past by age, po:NAME of one configuration,
 *                 newest: by the id of the configuration
 *   r:KIND, rk:KIND      hash of records, sorted set of their keys
 */
export interface Script {
  readonly name: string;
  readonly lua: string;
  readonly sha: string;
  readonly isWrite: boolean;
}

/** KEYS[2] is there where only a master may answer. ARGV: prefix, the data set that is expected or the empty text, then what each script takes. */
export const COMMON = `
local P, meta = ARGV[1], KEYS[1]
local call = redis.call
if ARGV[2] ~= '' then
  local dataset = call('HGET', meta, 'dataset')
  if dataset ~= ARGV[2] then return redis.error_reply('DATASET ' .. (dataset and 'another' or 'none')) end
end
if KEYS[2] and string.find(call('INFO', 'replication'), 'role:slave', 1, true) then
  return redis.error_reply('READONLY it has become a replica')
end
local function text(number) return string.format('%.0f', number) end
local FIELDS = {'key', 'ns', 'variant', 'md5', 'facts', 'app', 'tags', 'created', 'modified'}
local function row(kind, id)
  local fields = call('HMGET', P .. kind .. ':' .. id, 'key', 'ns', 'variant', 'md5', 'facts', 'app', 'tags', 'created', 'modified', 'sum')
  table.insert(fields, 1, id)
  return fields
end
`;

export function scriptOf(name: string, lua: string, isWrite: boolean): Script {
  return { name, lua, sha: hash('sha1', lua), isWrite };
}
