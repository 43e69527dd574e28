export const routes = ['api/conformance/echo/v1'];
export const payload = ['routeName'];

/** Notes that a route was called. */
export const main = (): void => {
  console.info('echo was called');
};
