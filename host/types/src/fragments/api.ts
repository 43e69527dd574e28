export interface ApiTypeMap extends _ProjectApiTypeMap {}

export type PagePath = keyof ApiTypeMap;
export type ApiName<P extends PagePath> = keyof ApiTypeMap[P];
export type ApiVersion<P extends PagePath, N extends ApiName<P>> = keyof ApiTypeMap[P][N];
type ApiRoute<P extends PagePath, N extends ApiName<P>, V extends ApiVersion<P, N>> = ApiTypeMap[P][N][V];

export type ApiInput<P extends PagePath, N extends ApiName<P>, V extends ApiVersion<P, N> = ApiVersion<P, N>> =
  Part<ApiRoute<P, N, V>, 'input'>;
export type ApiOutput<P extends PagePath, N extends ApiName<P>, V extends ApiVersion<P, N> = ApiVersion<P, N>> =
  Part<ApiRoute<P, N, V>, 'output'>;
export type ApiStream<P extends PagePath, N extends ApiName<P>, V extends ApiVersion<P, N> = ApiVersion<P, N>> =
  Part<ApiRoute<P, N, V>, 'stream'>;
export type ApiMethod<P extends PagePath, N extends ApiName<P>, V extends ApiVersion<P, N> = ApiVersion<P, N>> =
  Part<ApiRoute<P, N, V>, 'method'>;

/** `api/vehicles/getAll/v1`. */
export type FullApiPath<P extends PagePath, N extends ApiName<P>, V extends ApiVersion<P, N>> =
  `api/${Text<P>}/${Text<N>}/${Text<V>}`;

/** The names that a client calls: `vehicles/getAll`. */
export type ApiFullName = Text<keyof _ApiByFullName>;
type _ApiByFullName = {
  [R in { [P in PagePath]: { [N in ApiName<P>]: [P, N] }[ApiName<P>] }[PagePath] as `${Text<R[0]>}/${Text<R[1]>}`]:
    ApiTypeMap[R[0] & PagePath][R[1] & ApiName<R[0] & PagePath>];
};
export type VersionsOfApi<F extends ApiFullName> = Text<keyof _ApiByFullName[F]>;
export type ApiInputOf<F extends ApiFullName, V extends VersionsOfApi<F> = VersionsOfApi<F>> =
  Part<_ApiByFullName[F][V], 'input'>;
export type ApiOutputOf<F extends ApiFullName, V extends VersionsOfApi<F> = VersionsOfApi<F>> =
  Part<_ApiByFullName[F][V], 'output'>;
export type ApiStreamOf<F extends ApiFullName, V extends VersionsOfApi<F> = VersionsOfApi<F>> =
  Part<_ApiByFullName[F][V], 'stream'>;
