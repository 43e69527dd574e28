import type { SyncServerResponse, SyncServerStreamEmitter } from 'luckystack';

export interface SyncParams {
  clientInput: {};
  stream: SyncServerStreamEmitter<{ ready: boolean }>;
  abortSignal: AbortSignal;
}

/** Runs until it is cancelled. */
export const main = async ({
  stream, abortSignal,
}: SyncParams): Promise<SyncServerResponse<{ result: { aborted: boolean } }>> => {
  stream({ ready: true });
  while (!abortSignal.aborted);
  return { status: 'success', result: { aborted: true } };
};
