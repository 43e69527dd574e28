import type { ApiResponse } from 'luckystack';

export const httpMethod = 'POST';

export interface ApiParams {
  data: { value: unknown };
}

/** Answers with what it was given. */
export const main = ({ data }: ApiParams): ApiResponse => ({ status: 'success', result: data.value });
