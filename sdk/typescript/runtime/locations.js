// Where a line of the bundle comes from, so that a stack names the author's files.
//
// The builder appends a table to the bundle: `{ files, lines }`, where `lines` is a text of one entry for each
// line of the bundle, `<file>:<line>` in base 36, relative to nothing. It is read when something is thrown.

/** A place in the bundle, as the engines write it. */
const FRAME = /(?:componentize-qjs:user\.js|[^\s(]*component\.js|<input>):(\d+)(?::\d+)?/;

let table;

/** Called by the bundle's last line. */
export function setLocations(text) {
  table = text;
}

/** A stack with the author's files and lines; frames of the SDK and of the engine are left out. */
export function located(stack) {
  if (table === undefined) return stack;
  if (typeof table === 'string') {
    const { files, lines } = JSON.parse(table);
    table = { files, lines: lines.split(',') };
  }
  const frames = stack.split('\n').flatMap((frame) => {
    if (frame.endsWith('(native)')) return [];
    const place = FRAME.exec(frame);
    if (place === null) return [frame];
    const entry = table.lines[Number(place[1]) - 1];
    if (!entry) return [];
    const [file, line] = entry.split(':');
    return [frame.replace(FRAME, `${table.files[parseInt(file, 36)]}:${parseInt(line, 36)}`)];
  });
  return frames.join('\n');
}
