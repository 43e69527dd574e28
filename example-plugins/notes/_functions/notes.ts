import { all } from '../store';

/** How many notes there are, for other plugins: `functions.notes.count()`. */
export const count = (tag?: string): number => all(tag).length;
