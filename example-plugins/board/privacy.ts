// What one recipient of a change gets to see.
//
// The server halves, in Rust, tell everybody in the room of a change, and nothing of a private card but its
// number. Its owner gets the card from here; everybody else is told that there is none, so that a card that
// was just made private goes away on their screens.
//
// Whose a recipient's token is, the host says: the service is granted `sessions` in its preset.

import * as keyvalue from 'luckystack/keyvalue';
import { getSession } from 'luckystack';
import type { SyncClientResponse } from 'luckystack';

/** A card as the server halves keep it: `src/card.rs`. */
export interface Card {
  id: string;
  text: string;
  column: 'todo' | 'doing' | 'done';
  rank: number;
  owner: string;
  ownerName: string;
  private: boolean;
  rev: number;
}

/** What the server halves tell the room. */
export interface Changed {
  id: string;
  rev: number;
  private: boolean;
  card: Card | null;
}

export interface SyncParams {
  serverOutput: { status: 'success'; result: Changed };
  /** The recipient's session; null for nobody signed in. */
  token: string | null;
  /** `board-NAME` */
  roomCode: string;
}

/** Empty where the server's output says it all; else the card, for its owner, or null. */
export type Part = SyncClientResponse<{ card?: Card | null }>;

export async function partOf({ serverOutput, token, roomCode }: SyncParams): Promise<Part> {
  const { id, private: isPrivate } = serverOutput.result;
  if (!isPrivate) return { status: 'success' };
  const reader = await getSession(token);
  // The server halves look under the same key: `src/store.rs`.
  const card = keyvalue.get<Card>(`${roomCode.replace(/^board-/, '')}/card/${id}`);
  // Meanwhile it may have been taken away.
  if (reader === null || card === undefined) return { status: 'success', card: null };
  return { status: 'success', card: card.owner === reader.id || !card.private ? card : null };
}
