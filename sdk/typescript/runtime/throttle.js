// `createStreamThrottle`: fewer, larger chunks for text that arrives in crumbs.

/**
 * Collects the pieces of a text and emits fewer, longer ones: `push(text, emitter)`, `flush(emitter)` at
 * the end, `reset()`.
 *
 * A timer runs only while the handler awaits something that takes time. A loop that pushes without such a
 * wait is covered by looking at the clock at each push.
 */
export function createStreamThrottle({ flushAtChars = 32, flushEveryMs = 50, field = 'chunk' } = {}) {
  let text = '';
  let timer;
  let since;
  const reset = () => {
    if (timer !== undefined) clearTimeout(timer);
    timer = undefined;
    text = '';
  };
  const flush = (emitter) => {
    const chunk = text;
    reset();
    if (chunk !== '') emitter?.({ [field]: chunk });
  };
  return {
    push(more, emitter) {
      text += more;
      if (text.length >= flushAtChars) return flush(emitter);
      if (flushEveryMs === false || text === '') return;
      if (timer === undefined) {
        since = performance.now();
        timer = setTimeout(() => flush(emitter), flushEveryMs);
      } else if (performance.now() - since >= flushEveryMs) {
        flush(emitter);
      }
    },
    flush,
    reset,
  };
}
