//! Functions of the generated module for rules that zod has no method for, or a different one in its
//! two versions. Only those that are used are written.

/// One of them. The order is that of the module: what is needed comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Helper {
    Pattern,
    Characters,
    Uuid,
    Email,
    Ipv4,
    Ipv6,
    IsDay,
    Date,
    DateTime,
    Present,
    Canonical,
    Unique,
    ExactlyOne,
    KeyCount,
    KeysAre,
    Matching,
}

impl Helper {
    pub fn name(self) -> &'static str {
        match self {
            Helper::Pattern => "pattern",
            Helper::Characters => "characters",
            Helper::Uuid => "uuid",
            Helper::Email => "email",
            Helper::Ipv4 => "ipv4",
            Helper::Ipv6 => "isIpv6",
            Helper::IsDay => "isDay",
            Helper::Date => "isDate",
            Helper::DateTime => "isDateTime",
            Helper::Present => "present",
            Helper::Canonical => "canonical",
            Helper::Unique => "unique",
            Helper::ExactlyOne => "exactlyOne",
            Helper::KeyCount => "keyCount",
            Helper::KeysAre => "keysAre",
            Helper::Matching => "matching",
        }
    }

    pub fn needs(self) -> Option<Helper> {
        match self {
            Helper::Date | Helper::DateTime => Some(Helper::IsDay),
            Helper::Unique => Some(Helper::Canonical),
            _ => None,
        }
    }

    pub fn text(self) -> &'static str {
        match self {
            Helper::Pattern => PATTERN,
            Helper::Characters => CHARACTERS,
            Helper::Uuid => UUID,
            Helper::Email => EMAIL,
            Helper::Ipv4 => IPV4,
            Helper::Ipv6 => IPV6,
            Helper::IsDay => IS_DAY,
            Helper::Date => DATE,
            Helper::DateTime => DATE_TIME,
            Helper::Present => PRESENT,
            Helper::Canonical => CANONICAL,
            Helper::Unique => UNIQUE,
            Helper::ExactlyOne => EXACTLY_ONE,
            Helper::KeyCount => KEY_COUNT,
            Helper::KeysAre => KEYS_ARE,
            Helper::Matching => MATCHING,
        }
    }
}

const PATTERN: &str = r"/** What this engine cannot read, only the server checks. */
const pattern = (source: string): RegExp => {
  for (const flags of ['u', '']) {
    try {
      return new RegExp(source, flags);
    } catch {
      continue;
    }
  }
  return /(?:)/;
};
";

const CHARACTERS: &str = "const characters = (min: number, max: number) => (text: string): boolean => {
  const count = Array.from(text).length;
  return count >= min && count <= max;
};
";

const UUID: &str = "const uuid = /^[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$/;\n";

const EMAIL: &str = r"const email =
  /^[a-zA-Z0-9.!#$%&'*+/=?^_`{|}~-]+@[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)*$/;
";

const IPV4: &str = r"const ipv4 = /^(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?!$)|$)){4}$/;
";

const IPV6: &str = r"const isIpv6 = (text: string): boolean => {
  const groups = text.replace(/(^|:)(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?!$)|$)){4}$/, '$10:0');
  const halves = groups.split('::').map((half) => (half === '' ? [] : half.split(':')));
  const parts = halves.reduce((all, half) => all.concat(half), []);
  return (
    parts.every((part) => /^[0-9a-fA-F]{1,4}$/.test(part)) &&
    (halves.length === 1 ? parts.length === 8 : halves.length === 2 && parts.length <= 7)
  );
};
";

const IS_DAY: &str = "const isDay = (year: number, month: number, day: number): boolean => {
  const leap = (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;
  const days = [31, leap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1];
  return days !== undefined && day >= 1 && day <= days;
};
";

const DATE: &str = r"const isDate = (text: string): boolean => {
  const found = /^(\d{4})-(\d\d)-(\d\d)$/.exec(text);
  return found !== null && isDay(Number(found[1]), Number(found[2]), Number(found[3]));
};
";

const DATE_TIME: &str = r"const isDateTime = (text: string): boolean => {
  const found =
    /^((?!-000000)[+-]\d{6}|\d{4})(?:-(\d\d)(?:-(\d\d))?)?(?:([Tt ])(\d\d):(\d\d)(?::(\d\d)(?:\.(\d+))?)?(?:[Zz]|[+-](\d\d):(\d\d))?)?$/.exec(text);
  if (found === null) return false;
  const number = (index: number, absent: number): number => {
    const digits: string | undefined = found[index];
    return digits === undefined ? absent : Number(digits);
  };
  if (!isDay(Math.abs(number(1, 0)), number(2, 1), number(3, 1))) return false;
  if (found[4] === ' ' && number(3, 0) === 0) return false;
  const [hours, minutes, seconds] = [number(5, 0), number(6, 0), number(7, 0)];
  if (minutes > 59 || seconds > 59 || number(9, 0) > 23 || number(10, 0) > 59) return false;
  return hours < 24 || (hours === 24 && minutes + seconds + number(8, 0) === 0);
};
";

const PRESENT: &str = "const present = (value: unknown): boolean => value !== undefined;\n";

const CANONICAL: &str = "const canonical = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(canonical);
  if (value === null || typeof value !== 'object') return value;
  const members = Object.entries(value).map(([name, inner]): [string, unknown] => [name, canonical(inner)]);
  return { members: members.sort(([left], [right]) => (left < right ? -1 : 1)) };
};
";

const UNIQUE: &str = "const unique = (items: readonly unknown[]): boolean =>
  new Set(items.map((item) => JSON.stringify(canonical(item)))).size === items.length;
";

const EXACTLY_ONE: &str = "const exactlyOne = (options: [z.ZodTypeAny, z.ZodTypeAny, ...z.ZodTypeAny[]]): z.ZodTypeAny =>
  z.union(options).refine((value: unknown) => options.filter((option) => option.safeParse(value).success).length === 1);
";

const KEY_COUNT: &str = "const keyCount = (min: number, max: number) => (value: object): boolean => {
  const count = Object.keys(value).length;
  return count >= min && count <= max;
};
";

const KEYS_ARE: &str = "const keysAre = (names: z.ZodTypeAny) => (value: object): boolean =>
  Object.keys(value).every((name) => names.safeParse(name).success);
";

const MATCHING: &str =
    "/** Keys are checked by every pattern that they match; the unnamed ones that match none by `rest`. */
const matching =
  (known: readonly string[], patterns: readonly (readonly [RegExp, z.ZodTypeAny])[], rest: z.ZodTypeAny) =>
  (value: object): boolean =>
    Object.entries(value).every(([name, inner]) => {
      const found = patterns.filter(([pattern]) => pattern.test(name));
      return found.length === 0 && !known.includes(name)
        ? rest.safeParse(inner).success
        : found.every(([, type]) => type.safeParse(inner).success);
    });
";
