/** Twice a number. */
export const double = ({ n }: { n: number }) => ({ n: 2 * n });
