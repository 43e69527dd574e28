#!/bin/sh
# Makes generated/ anew from ../../wit, one binding per world. Run it after the contract changed:
#
#     cargo install wit-bindgen-cli --version 0.61.1 --locked
#     sdk/c/regenerate.sh
#
# Needs python3, for the component types: wit-bindgen writes them as object files, which are turned into
# C files with the same custom section, so that everything here is text.
set -eu
cd "$(dirname "$0")"
rm -rf generated
mkdir generated
bind() { wit-bindgen c ../../wit --no-sig-flattening --out-dir generated --world "$@" 2>/dev/null; }
for world in manifest api-handlers sync-server-handlers sync-client-handlers hook-handlers \
    function-provider error-formatting; do
    # The worlds are linked together, and all would bring the same helpers.
    bind "$world" --no-helpers
done
bind imports
python3 - <<'PYTHON'
import hashlib, pathlib

def number(data, at):
    value = shift = 0
    while True:
        byte = data[at]; at += 1
        value |= (byte & 127) << shift; shift += 7
        if byte < 128:
            return value, at

for path in sorted(pathlib.Path("generated").glob("*_component_type.o")):
    data, at = path.read_bytes(), 8
    world = path.name.removesuffix("_component_type.o")
    while at < len(data):
        kind = data[at]
        size, at = number(data, at + 1)
        body, at = data[at:at + size], at + size
        length, start = number(body, 0)
        name = body[start:start + length].decode()
        if kind == 0 and name.startswith("component-type"):
            break
    else:
        raise SystemExit(f"{path}: no component type")
    content = body[start + length:]
    rows = ["".join(f"\\\\{byte:03o}" for byte in content[n:n + 24]) for n in range(0, len(content), 24)]
    path.with_suffix(".c").write_text(
        f"// The component type of the world `{world.replace('_', '-')}`, as `wit-bindgen` wrote it. DO NOT EDIT!\n"
        f"void __component_type_object_force_link_{world}(void) {{}}\n\n"
        f'__asm__(".section \\".custom_section.{name}\\",\\"\\",@\\n"\n'
        + "".join(f'        ".ascii \\"{row}\\"\\n"\n' for row in rows) + '        ".text\\n");\n')
    path.unlink()

# A test compares this with ../../wit, so that nobody forgets to run this script.
digest = hashlib.sha256()
for path in sorted(pathlib.Path("../../wit").rglob("*.wit")):
    digest.update(path.read_bytes())
pathlib.Path("generated/WIT_SHA256").write_text(digest.hexdigest() + "\n")
PYTHON
