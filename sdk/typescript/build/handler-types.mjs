// What the types of a handler file say of its route: input, output, chunks, documentation.

import { Schemas } from './schema.mjs';

const PARAMS = { api: ['ApiParams', 'data'], 'sync-server': ['SyncParams', 'clientInput'] };

/** Reads the handlers' types from a checked program. */
export class HandlerTypes {
  constructor(ts, program, warn) {
    this.ts = ts;
    this.program = program;
    this.checker = program.getTypeChecker();
    this.warn = warn;
    this.schemas = new Schemas(ts, this.checker, warn);
    // What an output or a chunk cannot express is not enforced either, and nothing to warn of.
    this.quiet = new Schemas(ts, this.checker, () => {});
  }

  exportsOf(file) {
    const source = this.program.getSourceFile(file);
    const module = source && this.checker.getSymbolAtLocation(source);
    return { source, exports: module === undefined ? [] : this.checker.getExportsOfModule(module) };
  }

  /** The function that an export is, with its declaration. */
  callable(symbol) {
    const target = symbol.flags & this.ts.SymbolFlags.Alias ? this.checker.getAliasedSymbol(symbol) : symbol;
    const declaration = target.valueDeclaration;
    if (declaration === undefined) return undefined;
    const type = this.checker.getTypeOfSymbolAtLocation(target, declaration);
    const [signature] = type.getCallSignatures();
    return signature === undefined ? undefined : { symbol: target, declaration, signature };
  }

  /** A route's part of the manifest; `error` when the file is no handler. */
  route({ kind, file }) {
    const { source, exports } = this.exportsOf(file);
    const main = exports.find((symbol) => symbol.name === 'main');
    const callable = main && this.callable(main);
    if (callable === undefined) {
      return { error: 'it exports no function `main`: a handler is `export const main = async (…) => { … }`' };
    }
    const description = this.documentation(callable.symbol);
    const entry = { ...(description && { description: description.slice(0, 2000) }) };
    if (kind !== 'sync-client') this.set(entry, 'input', this.input(kind, source, callable));
    this.set(entry, 'output', this.output(kind, callable));
    this.set(entry, 'stream', this.stream(callable, source));
    return { entry };
  }

  set(entry, key, schema) {
    if (schema !== undefined && schema !== true) entry[key] = schema;
  }

  documentation(symbol) {
    return this.ts.displayPartsToString(symbol.getDocumentationComment(this.checker)).trim();
  }

  /** The type of `ApiParams['data']`; where there is none, of `data` in the parameter of `main`. */
  input(kind, source, { signature, declaration }) {
    const { checker, ts } = this;
    const [container, key] = PARAMS[kind];
    const declared = checker.resolveName(container, source, ts.SymbolFlags.Type, false);
    const params = declared === undefined ? undefined : checker.getDeclaredTypeOfSymbol(declared);
    const type = params ?? this.parameter(signature, declaration);
    if (type === undefined || type.flags & ts.TypeFlags.Any) return undefined;
    const property = checker.getPropertyOfType(type, key);
    if (property === undefined) return undefined;
    const where = property.valueDeclaration ?? declaration;
    return this.schemas.of(checker.getTypeOfSymbolAtLocation(property, where), where, key);
  }

  parameter(signature, declaration) {
    const [first] = signature.getParameters();
    return first && this.checker.getTypeOfSymbolAtLocation(first, declaration);
  }

  /** What a success carries: `result` of an API answer, the whole object of a sync. */
  output(kind, { signature, declaration }) {
    const returned = this.checker.getAwaitedType(signature.getReturnType()) ?? signature.getReturnType();
    const candidates = [...(returned.isUnion() ? returned.types : [returned]), ...this.returns(declaration)];
    const successes = candidates.filter((type) => this.isSuccess(type));
    const found = [];
    for (const type of successes) {
      // `ApiResponse` says nothing of the result; what the `return`s say is better.
      const vague = this.checker.getIndexInfosOfType(type).length > 0;
      if (vague && successes.length > 1) continue;
      const result = kind === 'api' ? this.checker.getPropertyOfType(type, 'result') : undefined;
      if (kind === 'api' && result === undefined) continue;
      const of = kind === 'api' ? this.checker.getTypeOfSymbolAtLocation(result, declaration) : type;
      const schema = this.quiet.of(this.checker.getBaseTypeOfLiteralType(of), declaration, 'result');
      if (!found.some((other) => JSON.stringify(other) === JSON.stringify(schema))) found.push(schema);
    }
    return found.length > 1 ? { anyOf: found } : found[0];
  }

  isSuccess(type) {
    const status = this.checker.getPropertyOfType(type, 'status');
    if (status === undefined) return false;
    const of = this.checker.getTypeOfSymbol(status);
    return of.isStringLiteral() ? of.value === 'success' : (of.flags & this.ts.TypeFlags.String) !== 0;
  }

  /** The types of what a function returns by itself. */
  returns(declaration) {
    const { ts } = this;
    const body = functionOf(ts, declaration)?.body;
    if (body === undefined) return [];
    if (!ts.isBlock(body)) return [this.checker.getTypeAtLocation(body)];
    const types = [];
    const visit = (node) => {
      if (ts.isReturnStatement(node) && node.expression !== undefined) types.push(this.checker.getTypeAtLocation(node.expression));
      if (!ts.isFunctionLike(node)) ts.forEachChild(node, visit);
    };
    ts.forEachChild(body, visit);
    return types;
  }

  /** The chunks: the argument of the emitter's type, or what is passed to `stream(…)`. */
  stream({ signature, declaration }, source) {
    const { ts, checker } = this;
    const parameter = this.parameter(signature, declaration);
    const property = parameter && checker.getPropertyOfType(parameter, 'stream');
    if (property !== undefined) {
      const [emitter] = checker.getTypeOfSymbolAtLocation(property, declaration).getCallSignatures();
      const chunk = emitter && this.parameter(emitter, declaration);
      if (chunk !== undefined && checker.getPropertiesOfType(chunk).length > 0) return this.quiet.of(chunk, declaration, 'chunk');
    }
    const found = [];
    const visit = (node) => {
      if (ts.isCallExpression(node) && ts.isIdentifier(node.expression) && node.expression.text === 'stream' && node.arguments.length > 0) {
        const type = checker.getTypeAtLocation(node.arguments[0]);
        const schema = this.quiet.of(this.widened(type), node, 'chunk');
        if (!found.some((other) => JSON.stringify(other) === JSON.stringify(schema))) found.push(schema);
      }
      ts.forEachChild(node, visit);
    };
    visit(source);
    return found.length > 1 ? { anyOf: found } : found[0];
  }

  widened(type) {
    return this.checker.getBaseTypeOfLiteralType(this.checker.getWidenedType?.(type) ?? type);
  }

  /** A group's functions: their part of the manifest, and how many parameters each has. */
  group({ file, name }) {
    const { exports } = this.exportsOf(file);
    const functions = [];
    const arities = {};
    for (const symbol of exports) {
      const callable = this.callable(symbol);
      if (callable === undefined || symbol.name === 'default') continue;
      const full = `${name}/${symbol.name}`;
      const parameters = callable.signature.getParameters();
      const rest = this.ts.getJSDocParameterTags !== undefined && callable.signature.declaration?.parameters.some((p) => p.dotDotDotToken);
      arities[full] = rest ? 1000 : parameters.length;
      const entry = { name: full };
      const description = this.documentation(callable.symbol);
      if (description !== '') entry.description = description.slice(0, 2000);
      if (parameters.length === 1 && !rest) {
        const type = this.parameter(callable.signature, callable.declaration);
        this.set(entry, 'input', this.quiet.of(type, callable.declaration, parameters[0].name));
      }
      const returned = this.checker.getAwaitedType(callable.signature.getReturnType()) ?? callable.signature.getReturnType();
      if (!(returned.flags & (this.ts.TypeFlags.Void | this.ts.TypeFlags.Undefined))) {
        this.set(entry, 'output', this.quiet.of(returned, callable.declaration, 'result'));
      }
      functions.push(entry);
    }
    return functions.length === 0
      ? { error: 'it exports no function: each exported function of the file becomes a function of the group' }
      : { functions, arities };
  }

  /** A hook has nothing in the manifest but its name. */
  hook({ file }) {
    const { exports } = this.exportsOf(file);
    const main = exports.find((symbol) => symbol.name === 'main');
    if (main === undefined || this.callable(main) === undefined) {
      return { error: 'it exports no function `main`: a hook is `export const main = (payload) => { … }`' };
    }
    return { exports: exports.map((symbol) => symbol.name) };
  }
}

/** The function of a declaration such as `const main = async () => {}`. */
function functionOf(ts, declaration) {
  let node = ts.isVariableDeclaration(declaration) ? declaration.initializer : declaration;
  while (node !== undefined && (ts.isParenthesizedExpression(node) || ts.isAsExpression(node) || ts.isSatisfiesExpression?.(node))) {
    node = node.expression;
  }
  return node !== undefined && ts.isFunctionLike(node) ? node : undefined;
}
