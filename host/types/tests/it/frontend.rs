//! The types, as a front end uses them.

use crate::support::{Workspace, Zod, examples, fleet, generated};

/// Calls in the manner of the stock client: the types decide what may be sent and what arrives.
const CLIENT: &str = r#"
import { apiMetaMap, getApiMeta, getApiMethod } from './apiTypes.generated';
import type {
  ApiFullName, ApiInput, ApiInputOf, ApiMethod, ApiOutput, ApiOutputOf, ApiResponse, ApiStream, ApiStreamEmitter, ApiStreamOf,
  ApiVersion, FullApiPath, FullSyncPath, Functions, MaybePromise, StreamPayload, SyncBroadcastStreamEmitter, SyncClientInput,
  SyncClientOutput, SyncClientResponse, SyncClientStream, SyncClientStreamEmitter, SyncFullName, SyncServerOutput,
  SyncServerResponse, SyncServerStream, SyncServerStreamEmitter, SyncStreamToEmitter, VersionsOfApi, VersionsOfSync,
} from './apiTypes.generated';

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const same = <A, B>(..._: Same<A, B> extends true ? [] : ['the types differ', A, B]): void => undefined;

declare function call<F extends ApiFullName, V extends VersionsOfApi<F>>(params: {
  name: F;
  version: V;
  data: ApiInputOf<F, V>;
  onStream?: (chunk: ApiStreamOf<F, V>) => void;
}): Promise<ApiOutputOf<F, V>>;
declare const functions: Functions;

export const use = async (): Promise<void> => {
  const answer = await call({ name: 'fleet/getVehicle', version: 'v10', data: { id: 'v07', since: null } });
  if (answer.status === 'success') {
    const id: string = answer.result.id;
    const trailer: string | undefined = answer.result.trailer?.trailer?.id;
    same<typeof answer.result.status, 'driving' | 'idle'>();
    void [id, trailer];
  } else {
    const code: string = answer.errorCode;
    void [code, answer.errorParams?.[0]?.key];
  }
  await call({ name: 'fleet/follow', version: 'v1', data: { id: 'a' }, onStream: (chunk) => void (chunk.lat + chunk.lng) });
  await call({ name: 'fleet/lab/everything', version: 'v1', data: { any: 1, size: 's', mixed: null, point: [1, 2], byNumber: { 7: true } } });
  await call({ name: 'fleet/updateTree', version: 'v1', data: { root: { label: 'a', children: [{ label: 'b' }] } } });
  const kilometres: number = await functions.geo.distance({ from: [52, 4], to: [51, 5] });
  const count: number = (await functions.fleet.count()) + (await functions.fleet.count.idle());
  void [kilometres, count, getApiMethod('fleet', 'ping', 'v1'), getApiMeta('fleet', 'ping', 'v1')?.auth.login, apiMetaMap];

  // @ts-expect-error a wrong type
  await call({ name: 'fleet/getVehicle', version: 'v10', data: { id: 7 } });
  // @ts-expect-error a missing key
  await call({ name: 'fleet/getVehicle', version: 'v10', data: {} });
  // @ts-expect-error an unknown key
  await call({ name: 'fleet/getVehicle', version: 'v10', data: { id: 'a', colour: 'red' } });
  // @ts-expect-error a key where there is no input
  await call({ name: 'fleet/getVehicle', version: 'v2', data: { id: 'a' } });
  // @ts-expect-error an unknown version
  await call({ name: 'fleet/getVehicle', version: 'v3', data: {} });
  // @ts-expect-error an unknown route
  await call({ name: 'fleet/missing', version: 'v1', data: {} });
  // @ts-expect-error not one of the values
  await call({ name: 'fleet/lab/everything', version: 'v1', data: { any: 1, size: 'xl' } });
  // @ts-expect-error three numbers
  await functions.geo.distance({ from: [1, 2, 3], to: [1, 2] });
};

same<ApiMethod<'fleet', 'getVehicle', 'v10'>, 'GET'>();
same<ApiVersion<'fleet', 'getVehicle'>, 'v2' | 'v10'>();
same<ApiInput<'fleet', 'follow', 'v1'>, { id: string }>();
same<ApiStream<'fleet', 'getVehicle', 'v10'>, never>();
same<ApiStream<'fleet', 'follow'>, { lat: number; lng: number }>();
same<Extract<ApiOutput<'fleet', 'follow', 'v1'>, { status: 'success' }>['result'], { sent: number }>();
same<FullApiPath<'fleet/lab', 'everything', 'v1'>, 'api/fleet/lab/everything/v1'>();
same<SyncClientInput<'fleet', 'move', 'v1'>, { to: string }>();
same<Extract<SyncServerOutput<'fleet', 'move', 'v1'>, { status: 'success' }>['result'], { moved: boolean }>();
same<Extract<SyncClientOutput<'fleet', 'move', 'v1'>, { status: 'success' }>['result'], { text: string }>();
same<SyncServerStream<'fleet', 'move', 'v1'>, { percent: number }>();
same<SyncClientStream<'fleet', 'move', 'v1'>, never>();
same<SyncClientOutput<'fleet', 'nudge', 'v1'>, Record<string, never>>();
same<SyncFullName, 'fleet/move' | 'fleet/nudge'>();
same<VersionsOfSync<'fleet/move'>, 'v1'>();
same<FullSyncPath<'fleet', 'move', 'v1'>, 'sync/fleet/move/v1'>();

// What handlers are written with.
export const handler = async (stream: ApiStreamEmitter<ApiStream<'fleet', 'follow'>>): Promise<ApiResponse<{ result: number }>> => {
  await stream({ lat: 1, lng: 2 });
  // @ts-expect-error not what the route streams
  await stream({ lat: 'north' });
  return { status: 'success', result: 1 };
};
export const server = (
  stream: SyncServerStreamEmitter, client: SyncClientStreamEmitter, all: SyncBroadcastStreamEmitter, some: SyncStreamToEmitter,
): MaybePromise<SyncServerResponse | SyncClientResponse> => {
  const chunk: StreamPayload = { percent: 1 };
  void stream(chunk);
  void client(chunk);
  all(chunk);
  some(['token'], chunk);
  return { status: 'error', errorCode: 'fleet.gone' };
};
"#;

fn both() -> Vec<luckystack_plugins::Manifest> {
    let mut manifests = examples();
    manifests.push(fleet());
    manifests
}

#[test]
fn a_front_end_type_checks_strictly_and_wrong_calls_do_not() {
    let workspace = Workspace::new("client", Zod::Four);
    workspace.write_all(&generated(&both()));
    workspace.write("client.ts", CLIENT);
    workspace.type_check().unwrap();
}

#[test]
fn files_of_no_routes_type_check() {
    let workspace = Workspace::new("nothing", Zod::Three);
    workspace.write_all(&generated(&[]));
    workspace.type_check().unwrap();
}

/// The framework declares empty maps, in a module of their own; its functions read them from there.
#[test]
fn the_frameworks_own_functions_learn_the_routes() {
    let workspace = Workspace::new("framework", Zod::Four);
    workspace.write_all(&generated(&both()));
    let package = "node_modules/@luckystack/core";
    workspace.write(
        &format!("{package}/package.json"),
        r#"{ "name": "@luckystack/core", "version": "1.0.0", "type": "module", "exports": {
            "./client": { "types": "./client.d.ts" }, "./typemap": { "types": "./typemap.d.ts" } } }"#,
    );
    workspace.write(
        &format!("{package}/typemap.d.ts"),
        "export interface ApiTypeMap {}\nexport interface SyncTypeMap {}\n",
    );
    workspace.write(
        &format!("{package}/client.d.ts"),
        "import type { ApiTypeMap } from './typemap';
        export declare function input<P extends keyof ApiTypeMap, N extends keyof ApiTypeMap[P]>(
          page: P, name: N, data: ApiTypeMap[P][N] extends { v1: { input: infer I } } ? I : never): void;\n",
    );
    workspace.write(
        "use.ts",
        "import './apiTypes.generated';
        import { input } from '@luckystack/core/client';
        input('vehicles', 'getById', { id: 'v07' });
        // @ts-expect-error a wrong type
        input('vehicles', 'getById', { id: 7 });
        // @ts-expect-error an unknown page
        input('boats', 'getById', { id: 'a' });\n",
    );
    workspace.type_check().unwrap();
}
