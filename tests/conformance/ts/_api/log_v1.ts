import type { ApiResponse } from 'luckystack';

export const httpMethod = 'POST';

export interface ApiParams {
  data: { text: string };
}

/** Writes a line to the log. */
export const main = async ({ data }: ApiParams): Promise<ApiResponse> => {
  console.info(data.text);
  return { status: 'success', result: null };
};
