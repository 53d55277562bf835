const days = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];
const months = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
];

const padded = (value: number, width = 2, fill = '0'): string => String(value).padStart(width, fill);

/** Monday of the week of ISO 8601, and the year that the week belongs to. */
function isoWeek(date: Date): { readonly year: number; readonly week: number } {
  const thursday = new Date(
    date.getFullYear(),
    date.getMonth(),
    date.getDate() + 3 - ((date.getDay() + 6) % 7),
  );
  const first = new Date(thursday.getFullYear(), 0, 4);
  const days = Math.round((thursday.getTime() - first.getTime()) / 86_400_000);
  return { year: thursday.getFullYear(), week: 1 + Math.round((days - 3 + ((first.getDay() + 6) % 7)) / 7) };
}

function fieldsOf(date: Date): Readonly<Record<string, string>> {
  const day = days[date.getDay()] ?? '';
  const month = months[date.getMonth()] ?? '';
  const year = date.getFullYear();
  const dayOfYear = Math.round(
    (Date.UTC(year, date.getMonth(), date.getDate()) - Date.UTC(year, 0, 0)) / 86_400_000,
  );
  const iso = isoWeek(date);
  const two = {
    d: padded(date.getDate()),
    m: padded(date.getMonth() + 1),
    y: padded(year % 100),
    H: padded(date.getHours()),
    M: padded(date.getMinutes()),
    S: padded(date.getSeconds()),
    I: padded(date.getHours() % 12 || 12),
  };
  const half = date.getHours() < 12 ? 'AM' : 'PM';
  return {
    ...two,
    Y: String(year),
    C: padded(Math.floor(year / 100)),
    e: padded(date.getDate(), 2, ' '),
    j: padded(dayOfYear, 3),
    k: padded(date.getHours(), 2, ' '),
    l: padded(date.getHours() % 12 || 12, 2, ' '),
    f: padded(date.getMilliseconds() * 1000, 6),
    p: half,
    P: half.toLowerCase(),
    A: day,
    a: day.slice(0, 3),
    B: month,
    b: month.slice(0, 3),
    h: month.slice(0, 3),
    u: String(date.getDay() || 7),
    w: String(date.getDay()),
    U: padded(Math.floor((dayOfYear + 6 - date.getDay()) / 7)),
    W: padded(Math.floor((dayOfYear + 6 - ((date.getDay() + 6) % 7)) / 7)),
    V: padded(iso.week),
    G: String(iso.year),
    g: padded(iso.year % 100),
    s: String(Math.floor(date.getTime() / 1000)),
    D: `${two.m}/${two.d}/${two.y}`,
    x: `${two.m}/${two.d}/${two.y}`,
    F: `${year}-${two.m}-${two.d}`,
    T: `${two.H}:${two.M}:${two.S}`,
    X: `${two.H}:${two.M}:${two.S}`,
    R: `${two.H}:${two.M}`,
    r: `${two.I}:${two.M}:${two.S} ${half}`,
    c: `${day.slice(0, 3)} ${month.slice(0, 3)} ${padded(date.getDate(), 2, ' ')} ${two.H}:${two.M}:${two.S} ${year}`,
    n: '\n',
    t: '\t',
    // A time as `datetime.now()` gives it has no zone.
    z: '',
    Z: '',
    '%': '%',
  };
}

/** Formats a local time as Python's `strftime` does on Linux in the C locale. */
export function strftime(date: Date, format: string): string {
  const fields = fieldsOf(date);
  return format.replace(/%([-_0^#]?)([A-Za-z%])/g, (whole: string, flag: string, code: string) => {
    const value = Object.hasOwn(fields, code) ? fields[code] : undefined;
    if (value === undefined) return whole;
    if (flag === '-') return value.replace(/^[0 ]+(?=.)/, '');
    if (flag === '_') return value.replace(/^0+(?=.)/, (zeros) => ' '.repeat(zeros.length));
    if (flag === '0') return value.replace(/^ +/, (blanks) => '0'.repeat(blanks.length));
    return flag === '^' || flag === '#' ? value.toUpperCase() : value;
  });
}
