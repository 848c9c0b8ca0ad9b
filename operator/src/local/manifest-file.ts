import { DiskError, type Host } from '@nacos-kube/core/host/host.ts';
import { badRequest, ProtocolError } from '@nacos-kube/core/http/protocol-error.ts';
import type { NacosCluster } from '../generated/nacos-cluster.ts';
import { type LocalManifest, ManifestError, readManifest } from './manifest.ts';
import { withReplicasInText } from './replicas.ts';

/** Replaces a file that is a person's own: it keeps its mode, and stays where a link leads. */
export type Rewrite = (file: string, text: string) => Promise<void>;

/** The manifest cannot be read or obeyed, in words for whoever wrote it. */
export class ManifestFileError extends Error {
  override readonly name = 'ManifestFileError';
}

export class ManifestFile {
  readonly path: string;
  readonly #host: Host;
  readonly #crdYaml: string;
  readonly #rewrite: Rewrite;

  constructor(host: Host, path: string, crdYaml: string, rewrite: Rewrite) {
    this.path = path;
    this.#host = host;
    this.#crdYaml = crdYaml;
    this.#rewrite = rewrite;
  }

  async read(): Promise<LocalManifest> {
    return readManifest(this.path, await this.#text(), this.#crdYaml);
  }

  /** Rejects with `ProtocolError`, and leaves the file alone, when the number may not or cannot be written. */
  async setReplicas(replicas: number): Promise<void> {
    try {
      const text = await this.#text();
      if (readManifest(this.path, text, this.#crdYaml).cluster.spec.replicas === replicas) return;
      const edited = withReplicasInText(text, replicas);
      if (edited === undefined) {
        throw new ProtocolError(
          409,
          `set spec.replicas to ${replicas} in ${this.path} by hand: it is written there in a way that cannot be changed safely`,
        );
      }
      readManifest(this.path, edited, this.#crdYaml);
      await this.#rewrite(this.path, edited);
    } catch (error) {
      if (error instanceof ManifestError || error instanceof ManifestFileError) throw badRequest(error.message);
      if (error instanceof ProtocolError) throw error;
      throw new ProtocolError(409, `${this.path} cannot be written: ${(error as Error).message}`);
    }
  }

  async #text(): Promise<string> {
    try {
      return new TextDecoder().decode(await this.#host.disk.read(this.path));
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      throw new ManifestFileError(`the manifest cannot be read: ${error.message}`, { cause: error });
    }
  }
}

export function withReplicas(cluster: NacosCluster, replicas: number): NacosCluster {
  return { ...cluster, spec: { ...cluster.spec, replicas } };
}
