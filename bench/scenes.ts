/** What is measured by a scene of its own, not by throughput. */
import type { SceneResult } from './report.ts';
import type { Requests } from './requests.ts';
import type { Server } from './server.ts';
import type { Stage } from './stage.ts';

export interface SceneContext {
  readonly stage: Stage;
  readonly rounds: number;
  readonly isQuick: boolean;
  /** The given one, or a node for this scene alone. */
  readonly server: () => Promise<Server>;
  readonly requests: (server: Server) => Requests;
}

export interface Scene {
  readonly name: string;
  /** The server is started and killed by it, so only our own will do. */
  readonly needsOwnNode: boolean;
  readonly deadlineMs: number;
  readonly run: (context: SceneContext) => Promise<SceneResult>;
}
