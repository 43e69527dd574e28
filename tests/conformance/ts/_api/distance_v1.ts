import type { ApiResponse, Functions } from 'luckystack';

export const httpMethod = 'POST';

export interface ApiParams {
  data: { from: number[]; to: number[] };
  functions: Functions;
}

/** Calls a function of another plugin. */
export const main = async ({ data, functions }: ApiParams): Promise<ApiResponse> => ({
  status: 'success',
  result: { km: await functions.geo.distance({ from: data.from, to: data.to }) },
});
