/**
 * An independent judge of due times: slow, and written from the rule's statement alone. It walks real time minute by
 * minute, asks Intl what the clock on the wall reads, and applies the rule to what it sees. It shares no code with
 * src/schedule; it even reads the fields by itself.
 */

const MONTHS = ['JAN', 'FEB', 'MAR', 'APR', 'MAY', 'JUN', 'JUL', 'AUG', 'SEP', 'OCT', 'NOV', 'DEC'];
const WEEKDAYS = ['SUN', 'MON', 'TUE', 'WED', 'THU', 'FRI', 'SAT'];
const MINUTE = 60_000;
const LOOK_BACK_MINUTES = 26 * 60;

/** What the wall clock shows, as the number of minutes since a nominal 1970-01-01 00:00. */
type Reading = number;

const formats = new Map<string, Intl.DateTimeFormat>();

function askIntl(zone: string, ms: number): Reading {
  let format = formats.get(zone);
  if (format === undefined) {
    format = new Intl.DateTimeFormat('en-US', {
      timeZone: zone,
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
    });
    formats.set(zone, format);
  }
  const part: Record<string, number> = {};
  for (const { type, value } of format.formatToParts(ms)) part[type] = Number(value);
  return Date.UTC(part.year!, part.month! - 1, part.day, part.hour, part.minute) / MINUTE;
}

/** Of each zone: the readings of the hours asked for so far. */
const hoursByZone = new Map<string, Map<number, Reading[]>>();

/** The readings of the 60 minutes of a UTC hour; every one is asked for unless the clock ran evenly through it. */
function readingsOfHour(zone: string, hour: number): Reading[] {
  let hours = hoursByZone.get(zone);
  if (hours === undefined) hoursByZone.set(zone, (hours = new Map<number, Reading[]>()));
  let readings = hours.get(hour);
  if (readings === undefined) {
    const first = askIntl(zone, hour * 60 * MINUTE);
    const isEven = askIntl(zone, (hour + 1) * 60 * MINUTE) - first === 60;
    readings = Array.from({ length: 60 }, (_, i) =>
      isEven ? first + i : askIntl(zone, (hour * 60 + i) * MINUTE),
    );
    hours.set(hour, readings);
  }
  return readings;
}

function readingAt(zone: string, minute: number): Reading {
  return readingsOfHour(zone, Math.floor(minute / 60))[minute % 60]!;
}

/** The instants in [fromMs, toMs) at which a zone's clock changes. */
export function clockChanges(zone: string, fromMs: number, toMs: number): number[] {
  const changes: number[] = [];
  let reading = askIntl(zone, fromMs);
  for (let ms = fromMs; ms < toMs; ms += 24 * 60 * MINUTE) {
    const later = askIntl(zone, ms + 24 * 60 * MINUTE);
    if (later - reading !== 24 * 60) {
      for (let minute = ms / MINUTE + 1; minute <= ms / MINUTE + 24 * 60; minute++) {
        if (readingAt(zone, minute) - readingAt(zone, minute - 1) !== 1) changes.push(minute * MINUTE);
      }
    }
    reading = later;
  }
  return changes;
}

function number(text: string, names: string[], firstNamed: number): number {
  return names.includes(text) ? names.indexOf(text) + firstNamed : Number(text);
}

function itemAllows(item: string, value: number, max: number, min: number, names: string[]): boolean {
  const [range, step] = item.split('/') as [string, string | undefined];
  const [low, high] = range.split('-') as [string, string | undefined];
  const anything = low === '*' || low === '?';
  const from = anything ? min : number(low, names, min);
  const to = anything ? max : high !== undefined ? number(high, names, min) : step !== undefined ? max : from;
  return value >= from && value <= to && (value - from) % Number(step ?? 1) === 0;
}

function fieldAllows(field: string, value: number, min: number, max: number, names: string[] = []): boolean {
  return field.split(',').some((item) => itemAllows(item, value, max, min, names));
}

/** The days of the month of `date` that are Monday to Friday. */
function workdaysOf(date: Date): number[] {
  const days: number[] = [];
  const day = new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth(), 1));
  for (; day.getUTCMonth() === date.getUTCMonth(); day.setUTCDate(day.getUTCDate() + 1)) {
    if (day.getUTCDay() % 6 !== 0) days.push(day.getUTCDate());
  }
  return days;
}

/** Whether a day-of-month field lets a date through. */
export function oracleAllowsDay(field: string, date: Date): boolean {
  const day = date.getUTCDate();
  const length = new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 0)).getUTCDate();
  return field.split(',').some((item) => {
    if (item === 'L') return day === length;
    if (item === 'LW') return day === Math.max(...workdaysOf(date));
    if (!item.endsWith('W')) return fieldAllows(item, day, 1, 31);
    const wanted = Number.parseInt(item, 10);
    const distances = workdaysOf(date).map((workday) => Math.abs(workday - wanted));
    return (
      wanted <= length && workdaysOf(date).includes(day) && Math.abs(day - wanted) === Math.min(...distances)
    );
  });
}

function dayOfWeekAllows(field: string, date: Date): boolean {
  const weekday = date.getUTCDay();
  const sameDay = (text: string): boolean => number(text, WEEKDAYS, 0) % 7 === weekday;
  return field.split(',').some((item) => {
    if (/^\w+L$/.test(item)) {
      const nextWeek = new Date(date.getTime() + 7 * 24 * 60 * MINUTE);
      return sameDay(item.slice(0, -1)) && nextWeek.getUTCMonth() !== date.getUTCMonth();
    }
    if (item.includes('#')) {
      const [day, nth] = item.split('#') as [string, string];
      return sameDay(day) && Math.floor((date.getUTCDate() - 1) / 7) + 1 === Number(nth);
    }
    // 0 and 7 are both Sunday.
    if (itemAllows(item, weekday, 7, 0, WEEKDAYS)) return true;
    return weekday === 0 && itemAllows(item, 7, 7, 0, WEEKDAYS);
  });
}

/** The due times of an expression of six fields in [fromMs, toMs), which are whole minutes; ascending. */
export function oracleDueTimes(expression: string, zone: string, fromMs: number, toMs: number): number[] {
  const [second, minute, hour, dayOfMonth, month, dayOfWeek] = expression.split(' ') as [
    string,
    string,
    string,
    string,
    string,
    string,
  ];
  const isWildcard = minute.startsWith('*') || hour.startsWith('*');
  const bothDays = /^[*?]/.test(dayOfMonth) || /^[*?]/.test(dayOfWeek);

  const dayMatches = new Map<number, boolean>();
  const matchesDay = (day: number): boolean => {
    let matches = dayMatches.get(day);
    if (matches === undefined) {
      const date = new Date(day * 24 * 60 * MINUTE);
      const byDate = oracleAllowsDay(dayOfMonth, date);
      const byWeekday = dayOfWeekAllows(dayOfWeek, date);
      matches =
        fieldAllows(month, date.getUTCMonth() + 1, 1, 12, MONTHS) &&
        (bothDays ? byDate && byWeekday : byDate || byWeekday);
      dayMatches.set(day, matches);
    }
    return matches;
  };
  const minutesOfHour = Array.from({ length: 60 }, (_, i) => fieldAllows(minute, i, 0, 59));
  const hoursOfDay = Array.from({ length: 24 }, (_, i) => fieldAllows(hour, i, 0, 23));
  const matches = (reading: Reading): boolean => {
    const day = Math.floor(reading / (24 * 60));
    const timeOfDay = reading - day * 24 * 60;
    return minutesOfHour[timeOfDay % 60]! && hoursOfDay[Math.floor(timeOfDay / 60)]! && matchesDay(day);
  };
  const seconds = Array.from({ length: 60 }, (_, i) => i).filter((i) => fieldAllows(second, i, 0, 59));

  const due = new Set<number>();
  const seen = new Set<Reading>();
  const startMinute = fromMs / MINUTE - LOOK_BACK_MINUTES;
  let before = readingAt(zone, startMinute - 1);
  for (let now = startMinute; now < toMs / MINUTE; now++) {
    const reading = readingAt(zone, now);
    const add = (offsets: number[]): void => {
      if (now >= fromMs / MINUTE) offsets.forEach((offset) => due.add(now * MINUTE + offset * 1000));
    };
    if (!isWildcard) {
      for (let skipped = before + 1; skipped < reading; skipped++) if (matches(skipped)) add([0]);
    }
    if (matches(reading) && (isWildcard || !seen.has(reading))) add(seconds);
    seen.add(reading);
    before = reading;
  }
  return [...due].sort((a, b) => a - b);
}
