import type { ApiResponse } from 'luckystack';

export const httpMethod = 'POST';

export interface ApiParams {
  data: {};
}

/** Never returns; the deadline ends it. */
export const main = async (_: ApiParams): Promise<ApiResponse> => {
  for (;;);
};
