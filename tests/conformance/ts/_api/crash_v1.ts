import type { ApiResponse } from 'luckystack';

export const httpMethod = 'POST';

export interface ApiParams {
  data: {};
}

/**
 * Ends in a trap. An exception does not, however it comes about: it is answered with
 * `api.internalServerError` and the instance lives on. Taking all memory does.
 */
export const main = async (_: ApiParams): Promise<ApiResponse> => {
  const taken: Uint8Array[] = [];
  for (;;) taken.push(new Uint8Array(8 * 1024 * 1024).fill(1));
};
