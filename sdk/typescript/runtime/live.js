// Whether the component runs in a host. While it is built, its modules are evaluated once and the memory
// is kept; there is no host then.

let live = false;

export const isLive = () => live;

export function goLive() {
  live = true;
}
