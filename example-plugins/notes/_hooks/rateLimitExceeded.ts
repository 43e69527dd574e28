export const payload = ['route', 'limit', 'ip'];
export const routes = ['api/notes/'];

/** Leaves a trace of callers that were too quick. */
export const main = ({ route, limit, ip }: { route?: string; limit: number; ip?: string }): void => {
  console.warn('%s: more than %d calls a minute from %s', route ?? 'any route', limit, ip ?? 'unknown');
};
