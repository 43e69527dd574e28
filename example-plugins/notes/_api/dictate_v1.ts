import { sleep } from 'luckystack';
import type { ApiResponse, ApiStreamEmitter, AuthProps } from 'luckystack';

export const auth: AuthProps = { login: false };

export interface ApiParams {
  data: {
    text: string;
    /**
     * Milliseconds between two words; 100 when absent.
     * @minimum 0
     * @maximum 500
     */
    pause?: number;
  };
  stream: ApiStreamEmitter<{ word: string; left: number }>;
  abortSignal: AbortSignal;
}

/** Reads a text aloud, word by word. */
export const main = async ({ data, stream, abortSignal }: ApiParams): Promise<ApiResponse> => {
  const words = data.text.split(/\s+/).filter((word) => word !== '');
  let spoken = 0;
  for (const word of words) {
    if (abortSignal.aborted) break;
    if (spoken > 0) await sleep(data.pause ?? 100);
    spoken += 1;
    stream({ word, left: words.length - spoken });
  }
  return { status: 'success', result: { spoken } };
};
