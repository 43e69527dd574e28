// Where notes are kept: one key a note, in the service's own store.

import * as keyvalue from 'luckystack/keyvalue';

export interface Note {
  id: string;
  title: string;
  text: string;
  tags: string[];
  /** Kilometres from home, of a note that was taken somewhere. */
  km?: number;
  createdAt: string;
}

const PREFIX = 'note/';

/** The notes, oldest first; those with a tag when one is given. */
export function all(tag?: string): Note[] {
  return keyvalue
    .keys()
    .filter((key) => key.startsWith(PREFIX))
    .map((key) => keyvalue.get<Note>(key))
    .filter((note): note is Note => note !== undefined && (tag === undefined || note.tags.includes(tag)))
    .sort((a, b) => Number(a.id) - Number(b.id));
}

/** Keeps a new note and gives it its number. */
export function add(note: Omit<Note, 'id' | 'createdAt'>): Note {
  const id = String(keyvalue.increment('last'));
  const kept: Note = { ...note, id, createdAt: new Date().toISOString() };
  keyvalue.set(PREFIX + id, kept);
  return kept;
}
