// The module `luckystack/accounts`: user records, passwords, e-mail addresses. Importing it asks for the
// grant `accounts`.
//
// It acts for any user, so say whom you mean: `user.id`, in nearly all cases. What is refused is thrown as a
// `HandlerError` with the framework's reason, such as `login.wrongPassword`.

/** A user record, without its secrets. */
export interface UserRecord {
  id: string;
  email: string;
  name: string;
  provider: string;
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  [key: string]: any;
}

/** The record of a user, or null. */
export function get(userId: string): Promise<UserRecord | null>;
/**
 * Sets fields of a record, and alike in all sessions of the user; null removes one. Not `id`, `email`,
 * `provider` or secrets: `account.fieldNotAllowed`. The record as it is then.
 */
export function update(userId: string, fields: Record<string, unknown>): Promise<UserRecord>;
/** Checks a user's password, for what is asked for twice. Throws `login.wrongPassword`, also when there is none. */
export function checkPassword(userId: string, password: string): Promise<void>;
/**
 * Sets a new password, if `current` is right, and ends all other sessions of the user. `keep` is the token of
 * the one that goes on: `user.token`.
 */
export function changePassword(
  userId: string,
  change: { current: string; new: string; keep?: string | null },
): Promise<void>;
/** The same without a check, for a user who was identified otherwise. */
export function setPassword(userId: string, change: { new: string; keep?: string | null }): Promise<void>;
/** Sends a link for a new password, if somebody has that address; the same answer if not. `ip` is the caller's. */
export function requestPasswordReset(email: string, ip?: string): Promise<void>;
/** Sets a new password with the token of such a link, once. Ends all sessions of the user. */
export function completePasswordReset(token: string, password: string): Promise<void>;
/** Sends a link to a new address, which confirms it. */
export function requestEmailChange(userId: string, email: string): Promise<void>;
/** Changes the address with the token of such a link, once. */
export function confirmEmailChange(token: string): Promise<void>;
/** Deletes a user and ends all sessions. */
export function remove(userId: string): Promise<void>;
