// From a type to the JSON Schema that the host enforces (wire protocol §3.5).
//
// The rule is to fail closed: what JSON cannot carry, or the host cannot check, becomes a schema that refuses
// every value, with a warning that names the property and the type. Nothing is widened to make it fit.

const FORBIDDEN_KEYS = ['__proto__', 'constructor', 'prototype'];
const MAX_DEPTH = 64;
const NUMBER_KEY = '^-?[0-9]+([.][0-9]+)?$';

/** Tags of documentation comments that add a keyword, by the type that they go with. */
const TAGS = {
  minLength: ['string', Number], maxLength: ['string', Number], pattern: ['string', String], format: ['string', String],
  minimum: ['number', Number], maximum: ['number', Number], exclusiveMinimum: ['number', Number],
  exclusiveMaximum: ['number', Number], multipleOf: ['number', Number],
  minItems: ['array', Number], maxItems: ['array', Number],
};

/** Makes schemas of the types of one program. `warn(node, text)` is told what cannot be expressed. */
export class Schemas {
  constructor(ts, checker, warn) {
    this.ts = ts;
    this.checker = checker;
    this.warn = warn;
  }

  /** The schema of a type; `where` is the node that warnings point at, `name` what it is called there. */
  of(type, where, name) {
    this.defs = {};
    this.names = new Map();
    this.open = new Set();
    this.where = where;
    const schema = this.schema(type, [name]);
    return Object.keys(this.defs).length > 0 ? { ...asObject(schema), $defs: this.defs } : schema;
  }

  refuse(type, path, reason) {
    const text = this.checker.typeToString(type, undefined, this.ts.TypeFormatFlags.NoTruncation);
    const shown = text.length > 120 ? `${text.slice(0, 117)}...` : text;
    this.warn(this.where, `\`${path.join('.')}\` has the type \`${shown}\`, ${reason}: every value of it will be refused`);
    return false;
  }

  schema(type, path) {
    const { ts, checker } = this;
    const flags = type.flags;
    const has = (flag) => (flags & flag) !== 0;
    if (path.length > MAX_DEPTH) return this.refuse(type, path.slice(0, 4), 'which goes on without end');
    if (has(ts.TypeFlags.Any) && isUnresolved(type)) return this.refuse(type, path, 'which is not known');
    if (has(ts.TypeFlags.Any | ts.TypeFlags.Unknown)) return true;
    if (has(ts.TypeFlags.StringLiteral | ts.TypeFlags.NumberLiteral)) return { const: type.value };
    if (has(ts.TypeFlags.BooleanLiteral)) return { const: type.intrinsicName === 'true' };
    if (has(ts.TypeFlags.Boolean)) return { type: 'boolean' };
    if (has(ts.TypeFlags.String)) return { type: 'string' };
    if (has(ts.TypeFlags.Number)) return { type: 'number' };
    if (has(ts.TypeFlags.Null)) return { type: 'null' };
    if (has(ts.TypeFlags.Never)) return false;
    if (has(ts.TypeFlags.Undefined | ts.TypeFlags.Void)) return false;
    if (type.isUnion()) return this.union(type, path);
    if (has(ts.TypeFlags.TemplateLiteral | ts.TypeFlags.StringMapping)) {
      return this.refuse(type, path, 'a pattern of texts that cannot be checked');
    }
    if (has(ts.TypeFlags.BigIntLike)) return this.refuse(type, path, 'which JSON does not have');
    if (has(ts.TypeFlags.ESSymbolLike)) return this.refuse(type, path, 'which JSON does not have');
    if (has(ts.TypeFlags.NonPrimitive)) return { type: 'object', additionalProperties: true };
    if (has(ts.TypeFlags.TypeParameter | ts.TypeFlags.Conditional | ts.TypeFlags.Index | ts.TypeFlags.IndexedAccess)) {
      const resolved = checker.getBaseConstraintOfType(type);
      return resolved !== undefined && resolved !== type
        ? this.schema(resolved, path)
        : this.refuse(type, path, 'which is not fixed here');
    }
    if (has(ts.TypeFlags.Object | ts.TypeFlags.Intersection)) return this.named(type, path);
    return this.refuse(type, path, 'which cannot be checked');
  }

  union(type, path) {
    const { ts } = this;
    const literals = [];
    const members = [];
    const sort = (member) => {
      if (member.flags & (ts.TypeFlags.Undefined | ts.TypeFlags.Void)) return;
      if (member.flags & (ts.TypeFlags.StringLiteral | ts.TypeFlags.NumberLiteral)) literals.push(member.value);
      else if (member.flags & ts.TypeFlags.BooleanLiteral) literals.push(member.intrinsicName === 'true');
      else if (member.flags & ts.TypeFlags.Null) members.push({ type: 'null' });
      else members.push(this.schema(member, path));
    };
    type.types.forEach(sort);
    if (literals.includes(true) && literals.includes(false)) {
      members.push({ type: 'boolean' });
      literals.splice(0, literals.length, ...literals.filter((value) => typeof value !== 'boolean'));
    }
    if (literals.length > 0) members.unshift(literals.length === 1 ? { const: literals[0] } : { enum: literals });
    if (members.includes(true)) return true;
    const possible = members.filter((member) => member !== false);
    if (possible.length === 0) return false;
    if (possible.length === 1) return possible[0];
    const plain = possible.every((member) => Object.keys(member).length === 1 && typeof member.type === 'string');
    return plain ? { type: [...new Set(possible.map((member) => member.type))] } : { anyOf: possible };
  }

  /** An object type, which may contain itself. */
  named(type, path) {
    if (this.open.has(type)) {
      if (!this.names.has(type)) this.names.set(type, this.freeName(type));
      return { $ref: `#/$defs/${this.names.get(type)}` };
    }
    this.open.add(type);
    const schema = this.object(type, path);
    this.open.delete(type);
    const name = this.names.get(type);
    if (name === undefined) return schema;
    this.defs[name] = schema;
    return { $ref: `#/$defs/${name}` };
  }

  freeName(type) {
    const base = (type.aliasSymbol ?? type.symbol)?.name?.replace(/\W/g, '') || 'type';
    const used = new Set(this.names.values());
    let name = base;
    for (let n = 2; used.has(name); n++) name = `${base}${n}`;
    return name;
  }

  object(type, path) {
    const { ts, checker } = this;
    if (checker.isTupleType(type)) return this.refuse(type, path, 'a tuple');
    if (checker.isArrayType(type)) {
      const [item] = checker.getTypeArguments(type);
      return { type: 'array', items: this.schema(item, [...path.slice(0, -1), `${path.at(-1)}[]`]) };
    }
    if (type.isIntersection() && type.types.some((member) => !(member.flags & (ts.TypeFlags.Object | ts.TypeFlags.Intersection)))) {
      return this.refuse(type, path, 'an intersection that is no object');
    }
    if (checker.getSignaturesOfType(type, ts.SignatureKind.Call).length > 0 || checker.getSignaturesOfType(type, ts.SignatureKind.Construct).length > 0) {
      return this.refuse(type, path, 'a function');
    }
    if (isOfLibrary(type, 'Date')) {
      return { anyOf: [{ type: 'string', format: 'date-time' }, { type: 'string', format: 'date' }] };
    }
    const symbol = type.symbol;
    if (symbol !== undefined && symbol.flags & ts.SymbolFlags.Class) return this.refuse(type, path, 'a class');
    if (isOfLibrary(type)) return this.refuse(type, path, 'which JSON does not have');
    return this.properties(type, path);
  }

  properties(type, path) {
    const { ts, checker } = this;
    const properties = {};
    const required = [];
    for (const property of checker.getPropertiesOfType(type)) {
      const name = property.name;
      const at = [...path, name];
      if (name.startsWith('__@')) {
        this.refuse(type, at, 'a symbol as a key');
        continue;
      }
      if (FORBIDDEN_KEYS.includes(ts.unescapeLeadingUnderscores(property.escapedName))) {
        this.warn(this.where, `\`${path.join('.')}\` has the key \`${name}\`, which the host refuses in every object`);
        continue;
      }
      const declaration = property.valueDeclaration ?? property.declarations?.[0];
      const propertyType = checker.getTypeOfSymbolAtLocation(property, declaration ?? this.where);
      let schema = this.schema(propertyType, at);
      schema = this.documented(schema, property);
      properties[name] = schema;
      if (!(property.flags & ts.SymbolFlags.Optional)) required.push(name);
    }
    const schema = { type: 'object' };
    if (Object.keys(properties).length > 0) schema.properties = properties;
    if (required.length > 0) schema.required = required;
    for (const index of checker.getIndexInfosOfType(type)) {
      const values = this.schema(index.type, [...path, '*']);
      if (index.keyType.flags & ts.TypeFlags.String) {
        // `Record<string, never>` is how one writes an object without keys.
        if (values !== false) schema.additionalProperties = values;
      } else if (index.keyType.flags & ts.TypeFlags.Number) {
        schema.patternProperties = { ...schema.patternProperties, [NUMBER_KEY]: values };
      } else {
        return this.refuse(type, path, 'with keys that cannot be checked');
      }
    }
    return schema;
  }

  /** Adds what the documentation of a property says. */
  documented(schema, symbol) {
    const { ts, checker } = this;
    if (typeof schema !== 'object') return schema;
    const text = ts.displayPartsToString(symbol.getDocumentationComment(checker)).trim();
    const added = { ...schema };
    if (text !== '') added.description = text;
    for (const tag of symbol.getJsDocTags(checker)) {
      const value = ts.displayPartsToString(tag.text).trim();
      if (tag.name === 'deprecated') added.deprecated = true;
      if (tag.name === 'integer' && schema.type === 'number') added.type = 'integer';
      const [type, convert] = TAGS[tag.name] ?? [];
      if (type === undefined || value === '') continue;
      if (schema.type !== type) {
        this.warn(symbol.valueDeclaration ?? this.where, `@${tag.name} on \`${symbol.name}\` needs the type ${type}`);
        continue;
      }
      const keyword = convert(value);
      if (Number.isNaN(keyword)) {
        this.warn(symbol.valueDeclaration ?? this.where, `@${tag.name} on \`${symbol.name}\` needs a number, not \`${value}\``);
        continue;
      }
      added[tag.name] = keyword;
    }
    return added;
  }
}

/** A type that stands for a name that nobody declared. */
const isUnresolved = (type) => type.intrinsicName === 'error' || type.intrinsicName === 'unresolved';

/** Whether a type is declared by the language's own library, and called so. */
function isOfLibrary(type, name = undefined) {
  const symbol = type.symbol;
  if (symbol === undefined || (name !== undefined && symbol.name !== name)) return false;
  const file = symbol.declarations?.[0]?.getSourceFile().fileName ?? '';
  // `Record`, `Partial` and the like are declared there too, but as anonymous mapped types.
  return /\/lib\.[^/]*\.d\.ts$/.test(file) && !symbol.name.startsWith('__');
}

const asObject = (schema) => (schema === true ? {} : schema === false ? { enum: [] } : schema);
