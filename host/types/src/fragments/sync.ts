export interface SyncTypeMap extends _ProjectSyncTypeMap {}

export type SyncPagePath = keyof SyncTypeMap;
export type SyncName<P extends SyncPagePath> = keyof SyncTypeMap[P];
export type SyncVersion<P extends SyncPagePath, N extends SyncName<P>> = keyof SyncTypeMap[P][N];
type SyncRoute<P extends SyncPagePath, N extends SyncName<P>, V extends SyncVersion<P, N>> = SyncTypeMap[P][N][V];

export type SyncClientInput<
  P extends SyncPagePath, N extends SyncName<P>, V extends SyncVersion<P, N> = SyncVersion<P, N>,
> = Part<SyncRoute<P, N, V>, 'clientInput'>;
export type SyncServerOutput<
  P extends SyncPagePath, N extends SyncName<P>, V extends SyncVersion<P, N> = SyncVersion<P, N>,
> = Part<SyncRoute<P, N, V>, 'serverOutput'>;
export type SyncClientOutput<
  P extends SyncPagePath, N extends SyncName<P>, V extends SyncVersion<P, N> = SyncVersion<P, N>,
> = Part<SyncRoute<P, N, V>, 'clientOutput'>;
export type SyncServerStream<
  P extends SyncPagePath, N extends SyncName<P>, V extends SyncVersion<P, N> = SyncVersion<P, N>,
> = Part<SyncRoute<P, N, V>, 'serverStream'>;
export type SyncClientStream<
  P extends SyncPagePath, N extends SyncName<P>, V extends SyncVersion<P, N> = SyncVersion<P, N>,
> = Part<SyncRoute<P, N, V>, 'clientStream'>;

/** `sync/board/moveCard/v1`. */
export type FullSyncPath<P extends SyncPagePath, N extends SyncName<P>, V extends SyncVersion<P, N>> =
  `sync/${Text<P>}/${Text<N>}/${Text<V>}`;

/** The names that a client calls: `board/moveCard`. */
export type SyncFullName = Text<keyof _SyncByFullName>;
type _SyncByFullName = {
  [R in { [P in SyncPagePath]: { [N in SyncName<P>]: [P, N] }[SyncName<P>] }[SyncPagePath] as `${Text<R[0]>}/${Text<R[1]>}`]:
    SyncTypeMap[R[0] & SyncPagePath][R[1] & SyncName<R[0] & SyncPagePath>];
};
export type VersionsOfSync<F extends SyncFullName> = Text<keyof _SyncByFullName[F]>;
export type SyncClientInputOf<F extends SyncFullName, V extends VersionsOfSync<F> = VersionsOfSync<F>> =
  Part<_SyncByFullName[F][V], 'clientInput'>;
export type SyncServerOutputOf<F extends SyncFullName, V extends VersionsOfSync<F> = VersionsOfSync<F>> =
  Part<_SyncByFullName[F][V], 'serverOutput'>;
export type SyncClientOutputOf<F extends SyncFullName, V extends VersionsOfSync<F> = VersionsOfSync<F>> =
  Part<_SyncByFullName[F][V], 'clientOutput'>;

// Gives the framework's `apiRequest` and `syncRequest` this project's routes. Without the framework
// there is nothing to augment, which is no error here.
// @ts-ignore
declare module '@luckystack/core/typemap' {
  interface ApiTypeMap extends _ProjectApiTypeMap {}
  interface SyncTypeMap extends _ProjectSyncTypeMap {}
}
