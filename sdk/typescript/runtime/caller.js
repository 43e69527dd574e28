// Who calls, and which sessions were read, for the time of a call.

let current;

/** The session objects that were handed out, as they were then: bytes by token. */
export const read = new Map();

/** The caller of the running call; undefined in hooks, functions and per-recipient halves. */
export const caller = () => current;

export function setCaller(caller) {
  current = caller;
  read.clear();
}
