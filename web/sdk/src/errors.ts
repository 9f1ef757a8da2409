/** The one error class of this package. */

/**
 * Codes that this package makes itself. They are negative: all positive codes are the server's, whose table is
 * `docs/errors.md` of Teahouse.
 */
export const LocalCode = {
  /** No answer in time. What was asked may have happened all the same; see {@link ChatClient.send} for repeating a send. */
  Timeout: -1,
  /** Nobody is logged in, or not any more. */
  NotLoggedIn: -2,
  /** A login is under way, or somebody is logged in already. */
  AlreadyLoggedIn: -3,
  /** Too many requests wait for their answer: {@link ClientOptions.requestsMax}. */
  TooManyRequests: -4,
  /** The server's answer lacks what is needed to go on. */
  BadAnswer: -5,
  /** An argument that cannot be right; nothing was sent. */
  BadArgument: -6,
  /** The connection was lost, and the request was one that is not repeated by itself. */
  ConnectionLost: -7,
} as const;

/** Why something failed: compare {@link ChatError.code}, the message is for people. */
export class ChatError extends Error {
  override readonly name = 'ChatError';
  /** A code of the server (positive) or a {@link LocalCode} (negative). */
  readonly code: number;
  /** The command that failed, `service.name`; empty if none was sent. */
  readonly command: string;

  constructor(code: number, message: string, command = '') {
    super(message);
    this.code = code;
    this.command = command;
  }
}
