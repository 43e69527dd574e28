import type { ApiResponse, ApiStreamEmitter } from 'luckystack';

export const httpMethod = 'POST';

export interface ApiParams {
  data: { to: number };
  stream: ApiStreamEmitter<{ step: number }>;
}

/** Streams the numbers up to `to`. */
export const main = async ({ data, stream }: ApiParams): Promise<ApiResponse> => {
  for (let step = 1; step <= data.to; step++) stream({ step });
  return { status: 'success', result: { sent: data.to } };
};
