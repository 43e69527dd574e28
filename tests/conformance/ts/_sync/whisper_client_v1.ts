import { HandlerError } from 'luckystack';
import type { SyncClientResponse, SyncClientStreamEmitter } from 'luckystack';

import type { SyncParams as Server, Whispered } from './whisper_server_v1';

export interface SyncParams {
  clientInput: Server['clientInput'];
  serverOutput: { status: 'success'; result: Whispered };
  token: string | null;
  stream: SyncClientStreamEmitter<{ ahead: string }>;
}

/** Keeps the secret from everybody but the reader. */
export const main = async ({
  clientInput, serverOutput, token, stream,
}: SyncParams): Promise<SyncClientResponse<{ result: { text: string; secret: string | null } }>> => {
  if (token !== null && token === clientInput.refused) {
    throw new HandlerError('conformance.refused', { text: clientInput.text }, 403);
  }
  const isReader = token !== null && token === clientInput.reader;
  if (isReader) stream({ ahead: serverOutput.result.text });
  return { status: 'success', result: { text: serverOutput.result.text, secret: isReader ? clientInput.secret : null } };
};
