/** What the server offers to this page, beside the chat itself. */

/** `GET /try/info`. */
export type Info =
  | { readonly dev: true; readonly version: string; readonly sdkAppId: number }
  | { readonly dev: false; readonly version: string };

export interface User {
  readonly userId: string;
  readonly userSig: string;
}

/** `POST /try/users`: signatures for the users of this page, and for the backend that it plays. */
export interface Users {
  readonly users: readonly User[];
  readonly admin: User;
}

/** `GET /try/room`: the server's simulation of a live room. Counts are totals since its start. */
export interface RoomReport {
  readonly groupId: string;
  readonly viewers: number;
  readonly connected: number;
  readonly messagesPerSecond: number;
  /** Messages that were sent to the room. */
  readonly offered: number;
  /** Copies of them that reached a viewer. */
  readonly delivered: number;
  /** Messages that no viewer got: more were sent than the room may have. */
  readonly dropped: number;
  /** From sending to a viewer, over the last second. */
  readonly latencyMs: { readonly p50: number; readonly p99: number };
}

/** What is asked of the simulation. It ends by itself when nobody asks for half a minute. */
export interface RoomWish {
  readonly groupId: string;
  readonly viewers: number;
  readonly messagesPerSecond: number;
}

export const getInfo = () => ask<Info>('try/info');
export const postUsers = (userIds: readonly string[]) => ask<Users>('try/users', { userIds });
export const getRoom = () => ask<RoomReport>('try/room');
export const postRoom = (wish: RoomWish) => ask<RoomReport>('try/room', wish);

async function ask<Answer>(path: string, body?: object): Promise<Answer> {
  const answer = await fetch(path, body ? { method: 'POST', body: JSON.stringify(body) } : {});
  if (!answer.ok) throw new Error(`${path}: HTTP status ${answer.status}`);
  return (await answer.json()) as Answer;
}

/** The server's own address, as a backend names it. */
export const serverUrl = () => new URL('.', location.href).href.replace(/\/$/, '');

/** The same for clients. */
export const socketUrl = () => serverUrl().replace(/^http/, 'ws');
