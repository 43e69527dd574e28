import type { ApiResponse, AuthProps } from 'luckystack';

import { all } from '../store';

export const auth: AuthProps = { login: false };

export interface ApiParams {
  data: {
    /** Only notes with this tag. */
    tag?: string;
  };
}

/** All notes, oldest first. */
export const main = async ({ data }: ApiParams): Promise<ApiResponse> => ({
  status: 'success',
  result: all(data.tag),
});
