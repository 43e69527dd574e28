// Who calls, for the time of a call.

let current;

/** The caller of the running call; undefined in hooks, functions and per-recipient halves. */
export const caller = () => current;

export function setCaller(caller) {
  current = caller;
}
