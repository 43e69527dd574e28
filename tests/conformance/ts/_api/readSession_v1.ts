import type { ApiResponse, Functions, SessionLayout } from 'luckystack';

export const httpMethod = 'POST';

export interface ApiParams {
  data: { token: string };
  user: SessionLayout | null;
  functions: Functions;
}

/** Whose session a token is, with a field of it; and that field of the caller's. */
export const main = async ({ data, user, functions }: ApiParams): Promise<ApiResponse> => {
  const session = await functions.session.getSession(data.token);
  return {
    status: 'success',
    result: { userId: session?.id ?? null, theme: session?.theme ?? null, own: user?.theme ?? null },
  };
};
