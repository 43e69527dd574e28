import { currentCaller } from 'luckystack';
import type { ApiResponse, SessionLayout } from 'luckystack';

export const httpMethod = 'GET';

export interface ApiParams {
  data: {};
  user: SessionLayout | null;
}

/** Who calls, and in which language. */
export const main = async ({ user }: ApiParams): Promise<ApiResponse> => ({
  status: 'success',
  result: { userId: user?.id ?? null, language: currentCaller()?.language ?? null },
});
