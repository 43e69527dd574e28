
type ByRoute<T> = { readonly [page: string]: { readonly [name: string]: { readonly [version: string]: T } } };

const find = <T>(map: ByRoute<T>, page: string, name: string, version: string): T | undefined => {
  const has = (object: object, key: string): boolean => Object.prototype.hasOwnProperty.call(object, key);
  const names = has(map, page) ? map[page] : undefined;
  const versions = names && has(names, name) ? names[name] : undefined;
  return versions && has(versions, version) ? versions[version] : undefined;
};

export const getApiMethod = (page: string, name: string, version: string): HttpMethod | undefined =>
  find(apiMethodMap, page, name, version);

export interface ApiMetaEntry {
  method: HttpMethod;
  auth: { login: boolean; additional?: Record<string, unknown>[]; hasAdditional?: boolean };
  /** Calls a window; `false` for no limit; absent for the project's default. */
  rateLimit?: number | false;
}

export const getApiMeta = (page: string, name: string, version: string): ApiMetaEntry | undefined =>
  find(apiMetaMap, page, name, version);
