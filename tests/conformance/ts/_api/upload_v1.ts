import type { ApiResponse, AuthProps } from 'luckystack';
import * as uploads from 'luckystack/uploads';

export const httpMethod = 'POST';

export const auth: AuthProps = { login: true };

export interface ApiParams {
  data: { name: string; text: string };
}

/** Puts a text up as a file. */
export const main = async ({ data }: ApiParams): Promise<ApiResponse> => {
  await uploads.put(data.name, new TextEncoder().encode(data.text));
  return { status: 'success', result: null };
};
