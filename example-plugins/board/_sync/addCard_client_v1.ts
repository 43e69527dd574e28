import { partOf } from '../privacy';
import type { Part, SyncParams } from '../privacy';

/** Shows a new card to those who may see it. */
export const main = (params: SyncParams): Promise<Part> => partOf(params);
