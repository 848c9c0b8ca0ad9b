import type { HttpResponse } from '@nacos-kube/core/host/host.ts';
import { isoTime } from '@nacos-kube/core/host/time.ts';
import { badRequest } from '@nacos-kube/core/http/protocol-error.ts';
import type { Call } from '@nacos-kube/core/http/route.ts';
import type { Config } from '@nacos-kube/core/model/config.ts';
import { decodeSelection } from '@nacos-kube/core/wire/config-admin.ts';
import { configError } from '@nacos-kube/core/wire/config-errors.ts';
import { appNameKey, entryName, METADATA_V1, METADATA_V2, writeMetadataV2 } from './metadata.ts';
import { type Pace, paced } from './pace.ts';
import type { AdminPorts } from './ports.ts';
import { selectedConfigs } from './search.ts';
import { ArchiveError, type ArchiveFile, dosTime, writeArchive } from './zip.ts';

export const EXPORTED_CONFIGS_MAX = 10_000;
export const EXPORTED_BYTES_MAX = 100 * 1024 * 1024;

/** Selected configurations as an archive that both versions of the import understand, each in its own way. */
export async function exportConfigs(ports: AdminPorts, { form }: Call, version: 1 | 2): Promise<HttpResponse> {
  const selection = decodeSelection(form, EXPORTED_CONFIGS_MAX);
  const configs: Omit<Config, 'content'>[] = [];
  const files: ArchiveFile[] = [];
  let bytes = 0;
  for await (const page of selectedConfigs(ports.store, selection)) {
    for (const { content: text, ...config } of page) {
      const content = new TextEncoder().encode(text);
      bytes += content.length;
      if (configs.length >= EXPORTED_CONFIGS_MAX) throw tooMuch(`${EXPORTED_CONFIGS_MAX} configurations`);
      if (bytes > EXPORTED_BYTES_MAX) throw tooMuch(`${EXPORTED_BYTES_MAX} bytes`);
      configs.push(config);
      files.push({ name: entryName(config), content });
    }
  }
  const metadata = version === 1 ? metadataV1(configs) : metadataV2(configs);
  const now = isoTime(ports.host.clock.now());
  return {
    status: 200,
    headers: {
      'content-type': 'application/octet-stream',
      'content-disposition': `attachment;filename=nacos_config_export_${now.replace(/\D/g, '').slice(0, 14)}.zip`,
      'x-content-type-options': 'nosniff',
    },
    body: await archiveOf([...files, ...metadata], now, paced(ports.host.clock)),
  };
}

async function archiveOf(files: readonly ArchiveFile[], now: string, pace: Pace): Promise<Uint8Array> {
  try {
    return await writeArchive(files, dosTime(now), pace);
  } catch (error) {
    // A group may be called `..`: programs that unpack archives would be led out of their directory by it (S8).
    if (error instanceof ArchiveError) throw badRequest(`caused: cannot be exported: ${error.message};`);
    throw error;
  }
}

/** Only those with an application have a line; without any there is no metadata at all. */
function metadataV1(configs: readonly Omit<Config, 'content'>[]): readonly ArchiveFile[] {
  const lines = configs.flatMap((config) =>
    config.appName.trim() === '' ? [] : [`${appNameKey(config)}=${config.appName}\r\n`],
  );
  return lines.length === 0 ? [] : [{ name: METADATA_V1, content: new TextEncoder().encode(lines.join('')) }];
}

function metadataV2(configs: readonly Omit<Config, 'content'>[]): readonly ArchiveFile[] {
  const items = configs.map(({ dataId, group, type, description, appName }) => ({
    ...{ dataId, group, type, appName, description: description ?? undefined },
  }));
  return [{ name: METADATA_V2, content: new TextEncoder().encode(writeMetadataV2(items)) }];
}

function tooMuch(bound: string) {
  return configError(400, `the selection is over ${bound}, export it in parts`);
}
