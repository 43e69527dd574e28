import type {
  SessionLayout, SyncBroadcastStreamEmitter, SyncServerResponse, SyncServerStreamEmitter, SyncStreamToEmitter,
} from 'luckystack';

export interface SyncParams {
  clientInput: {
    text: string;
    secret: string;
    /** @integer */
    steps: number;
    /** The session that gets the secret. */
    reader?: string | null;
    /** The session that gets an error. */
    refused?: string | null;
    /** The sessions that get an aside. */
    aside: string[];
  };
  user: SessionLayout | null;
  roomCode: string;
  stream: SyncServerStreamEmitter<{ step: number }>;
  broadcastStream: SyncBroadcastStreamEmitter<{ heard: string }>;
  streamTo: SyncStreamToEmitter<{ aside: string }>;
  flushPressure: (options?: { thresholdBytes?: number }) => Promise<void>;
}

export interface Whispered {
  text: string;
  room: string;
  userId: string | null;
}

/** Tells the caller how far it is, the room what is said and some sessions what they alone hear. */
export const main = async ({
  clientInput, user, roomCode, stream, broadcastStream, streamTo, flushPressure,
}: SyncParams): Promise<SyncServerResponse<{ result: Whispered }>> => {
  for (let step = 1; step <= clientInput.steps; step++) stream({ step });
  await flushPressure();
  broadcastStream({ heard: clientInput.text });
  streamTo(clientInput.aside, { aside: clientInput.text });
  return { status: 'success', result: { text: clientInput.text, room: roomCode, userId: user?.id ?? null } };
};
