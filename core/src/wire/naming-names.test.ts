import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ServiceId } from '../model/names.ts';
import { checkNewService, decodeCluster, decodeDeclaredService, decodeService } from './naming-names.ts';

function form(parameters: Record<string, string>): ReadonlyMap<string, string> {
  return new Map(Object.entries(parameters));
}

test('a service is named by group and name, grouped once', () => {
  const table: readonly (readonly [Record<string, string>, ServiceId])[] = [
    [{ serviceName: 'demo' }, { namespaceId: 'public', name: 'DEFAULT_GROUP@@demo' }],
    [
      { serviceName: ' demo ', groupName: ' g ' },
      { namespaceId: 'public', name: 'g@@demo' },
    ],
    [
      { serviceName: 'g@@demo', groupName: 'other' },
      { namespaceId: 'public', name: 'g@@demo' },
    ],
    [{ serviceName: 'a@@b@@c' }, { namespaceId: 'public', name: 'a@@b@@c' }],
    [{ dom: 'demo' }, { namespaceId: 'public', name: 'DEFAULT_GROUP@@demo' }],
    [
      { serviceName: ' ', dom: 'g@@demo' },
      { namespaceId: 'public', name: 'g@@demo' },
    ],
    [
      { serviceName: 'demo', groupName: ' ', namespaceId: ' ' },
      { namespaceId: 'public', name: 'DEFAULT_GROUP@@demo' },
    ],
    [
      { serviceName: 'demo', namespaceId: ' 开发-1 ' },
      { namespaceId: '开发-1', name: 'DEFAULT_GROUP@@demo' },
    ],
  ];
  for (const [parameters, service] of table) assert.deepEqual(decodeService(form(parameters)), service);
});

test('a name without its parts is refused in the words of the reference', () => {
  const format = "Param 'serviceName' is illegal, it should be format as 'groupName@@serviceName'";
  const noGroup = "Param 'serviceName' is illegal, groupName can't be empty";
  const table: readonly (readonly [Record<string, string>, string])[] = [
    [{}, "Param 'serviceName' is required."],
    [{ serviceName: ' ' }, "Param 'serviceName' is required."],
    [{ serviceName: '@@' }, format],
    [{ serviceName: 'g@@' }, format],
    [{ serviceName: 'g@@@@' }, format],
    [{ serviceName: '@@@@' }, format],
    [{ serviceName: '@@demo' }, noGroup],
    [{ serviceName: 'x'.repeat(500) }, "Param 'serviceName' is illegal, it is longer than 512 characters"],
    [{ serviceName: 'demo', namespaceId: 'a##b' }, "Param 'namespaceId' is illegal, it must not contain '#'"],
    [{ serviceName: 'demo', namespaceId: 'a#' }, "Param 'namespaceId' is illegal, it must not contain '#'"],
    [
      { serviceName: 'demo', namespaceId: 'x'.repeat(129) },
      "Param 'namespaceId' is illegal, it is longer than 128 characters",
    ],
    [
      { serviceName: 'demo', namespaceId: 'a\u202eb' },
      "Param 'namespaceId' is illegal, it must not contain control characters",
    ],
    [
      { serviceName: 'demo', namespaceId: 'a\0b' },
      "Param 'namespaceId' is illegal, it must not contain control characters",
    ],
  ];
  for (const [parameters, message] of table) {
    assert.throws(() => decodeService(form(parameters)), { name: 'ProtocolError', status: 400, message });
  }
  assert.throws(() => decodeDeclaredService(form({})), { status: 400, message: "Parameter 'serviceName' is missing" });
});

test('a service comes into being under plain characters only', () => {
  for (const name of ['G@@S', 'DEFAULT_GROUP@@providers:com.x.Y:1.0:', 'g@@..', 'g@@a-b_c']) {
    assert.doesNotThrow(() => checkNewService({ namespaceId: 'public', name }));
  }
  for (const name of ['G@@a b', 'G@@a/b', 'G@@名', 'G@@a#b', 'G@@a\n', 'G@@%2e']) {
    assert.throws(() => checkNewService({ namespaceId: 'public', name }), {
      status: 400,
      message: `dom name can only have these characters: 0-9a-zA-Z-._:, current: ${name}`,
    });
  }
});

test('a cluster has one of two parameters, a default, and plain characters', () => {
  assert.equal(decodeCluster(form({ clusterName: 'a-1', cluster: 'b' })), 'a-1');
  assert.equal(decodeCluster(form({ clusterName: ' ', cluster: 'b' })), 'b');
  assert.equal(decodeCluster(form({})), 'DEFAULT');
  assert.equal(decodeCluster(form({ clusterName: 'None' })), 'None');
  for (const clusterName of ['a_b', 'a,b', 'a b', '名']) {
    assert.throws(() => decodeCluster(form({ clusterName })), {
      status: 400,
      message: `cluster name can only have these characters: 0-9a-zA-Z-, current: ${clusterName}`,
    });
  }
  assert.throws(() => decodeCluster(form({ clusterName: 'x'.repeat(129) })), {
    status: 400,
    message: "Param 'clusterName' is illegal, it is longer than 128 characters",
  });
});
