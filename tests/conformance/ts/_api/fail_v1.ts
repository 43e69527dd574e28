import type { ApiResponse } from 'luckystack';

export const httpMethod = 'POST';

export interface ApiParams {
  data: { id: string };
}

/** An error with a parameter and a status. */
export const main = async ({ data }: ApiParams): Promise<ApiResponse> => ({
  status: 'error',
  errorCode: 'conformance.notFound',
  errorParams: [{ key: 'id', value: data.id }],
  httpStatus: 404,
});
