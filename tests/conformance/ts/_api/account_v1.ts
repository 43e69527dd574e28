import type { ApiResponse, AuthProps, SessionLayout } from 'luckystack';
import * as accounts from 'luckystack/accounts';

export const httpMethod = 'POST';

export const auth: AuthProps = { login: true };

export interface ApiParams {
  data: { password: string; newPassword: string; name: string };
  user: SessionLayout;
}

/** A new password and a new name for the caller. */
export const main = async ({ data, user }: ApiParams): Promise<ApiResponse> => {
  await accounts.changePassword(user.id, { current: data.password, new: data.newPassword, keep: user.token });
  await accounts.checkPassword(user.id, data.newPassword);
  const updated = await accounts.update(user.id, { name: data.name });
  const record = await accounts.get(user.id);
  const nobody = await accounts.get('nobody');
  return { status: 'success', result: { updated: updated.name, name: record?.name, nobody: nobody?.id ?? null } };
};
