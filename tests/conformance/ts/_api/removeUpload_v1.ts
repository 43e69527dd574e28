import type { ApiResponse, AuthProps } from 'luckystack';
import * as uploads from 'luckystack/uploads';

export const httpMethod = 'POST';

export const auth: AuthProps = { login: true };

export interface ApiParams {
  data: { name: string };
}

/** Takes a file down, twice. */
export const main = async ({ data }: ApiParams): Promise<ApiResponse> => ({
  status: 'success',
  result: { removed: await uploads.remove(data.name), again: await uploads.remove(data.name) },
});
