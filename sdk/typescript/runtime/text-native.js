// UTF-8 where the engine has it.

const decoder = new TextDecoder('utf-8', { fatal: true });
const encoder = new TextEncoder();

export const decode = (bytes) => decoder.decode(bytes);
export const encode = (text) => encoder.encode(text);
