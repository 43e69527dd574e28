// The queue of microtasks. Nothing in the engine runs it: a call does, in `drive.js`.

let queue = [];

/** Runs `task` before anything that waits does. */
export function enqueue(task) {
  queue.push(task);
}

/** Runs microtasks until there are none. What one throws goes to `failed`; the others still run. */
export function drain(failed) {
  while (queue.length > 0) {
    const batch = queue;
    queue = [];
    for (let i = 0; i < batch.length; i++) {
      try {
        batch[i]();
      } catch (error) {
        failed(error);
      }
    }
  }
}

/** Forgets what is queued. */
export function clear() {
  queue = [];
}
