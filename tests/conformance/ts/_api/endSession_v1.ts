import { endSession } from 'luckystack';
import type { ApiResponse, AuthProps } from 'luckystack';

export const httpMethod = 'POST';

export const auth: AuthProps = { login: true };

export interface ApiParams {
  data: {};
}

/** Ends the caller's session, twice. */
export const main = async (_: ApiParams): Promise<ApiResponse> => ({
  status: 'success',
  result: { ended: await endSession(), again: await endSession() },
});
