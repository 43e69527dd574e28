import type { ApiResponse } from 'luckystack';

export const httpMethod = 'POST';

export interface ApiParams {
  data: {
    name: string;
    count: number;
    tags?: string[];
    mode: 'fast' | 'slow';
  };
}

/** Input of several types, in a closed object. */
export const main = async ({ data }: ApiParams): Promise<ApiResponse> => ({
  status: 'success',
  result: { text: `${data.name} x${data.count} ${data.mode}`, tags: data.tags?.length ?? 0 },
});
