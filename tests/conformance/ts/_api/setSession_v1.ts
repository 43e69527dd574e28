import type { ApiResponse, AuthProps, Functions, SessionLayout } from 'luckystack';

export const httpMethod = 'POST';

export const auth: AuthProps = { login: true };

export interface ApiParams {
  data: { key: string; value: unknown };
  user: SessionLayout;
  functions: Functions;
}

/** Sets a field of the caller's session, as handlers of the framework do. */
export const main = async ({ data, user, functions }: ApiParams): Promise<ApiResponse> => {
  const saved = await functions.session.saveSession(user.token, { ...user, [data.key]: data.value });
  if (!saved.ok) return { status: 'error', errorCode: saved.errorCode };
  const session = await functions.session.getSession(user.token);
  return { status: 'success', result: { theme: session?.theme ?? null } };
};
