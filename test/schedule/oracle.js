/**
 * An independent judge of due times: slow, and written from the rule's statement alone. It walks real time minute by
 * minute, asks Intl what the clock on the wall reads, and applies the rule to what it sees. It shares no code with
 * src/schedule; it even reads the fields by itself.
 */
const MONTHS = ['JAN', 'FEB', 'MAR', 'APR', 'MAY', 'JUN', 'JUL', 'AUG', 'SEP', 'OCT', 'NOV', 'DEC'];
const WEEKDAYS = ['SUN', 'MON', 'TUE', 'WED', 'THU', 'FRI', 'SAT'];
const MINUTE = 60_000;
const LOOK_BACK_MINUTES = 26 * 60;
const formats = new Map();
function askIntl(zone, ms) {
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
  const part = {};
  for (const { type, value } of format.formatToParts(ms)) part[type] = Number(value);
  return Date.UTC(part.year, part.month - 1, part.day, part.hour, part.minute) / MINUTE;
}
const hourStarts = new Map();
const hours = new Map();
function readingAtHour(zone, hour) {
  const key = `${zone} ${hour}`;
  let reading = hourStarts.get(key);
  if (reading === undefined) hourStarts.set(key, (reading = askIntl(zone, hour * 60 * MINUTE)));
  return reading;
}
/** The readings of the 60 minutes of a UTC hour; every one is asked for unless the clock ran evenly through it. */
function readingsOfHour(zone, hour) {
  const key = `${zone} ${hour}`;
  let readings = hours.get(key);
  if (readings === undefined) {
    const first = readingAtHour(zone, hour);
    const isEven = readingAtHour(zone, hour + 1) - first === 60;
    readings = Array.from({ length: 60 }, (_, i) =>
      isEven ? first + i : askIntl(zone, (hour * 60 + i) * MINUTE),
    );
    hours.set(key, readings);
  }
  return readings;
}
function readingAt(zone, minute) {
  return readingsOfHour(zone, Math.floor(minute / 60))[((minute % 60) + 60) % 60];
}
/** The instants in [fromMs, toMs) at which a zone's clock changes; both on the hour's whole minutes. */
export function clockChanges(zone, fromMs, toMs) {
  const changes = [];
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
function number(text, names, firstNamed) {
  return names.includes(text) ? names.indexOf(text) + firstNamed : Number(text);
}
function itemAllows(item, value, max, min, names) {
  const [range, step] = item.split('/');
  const [low, high] = range.split('-');
  const anything = low === '*' || low === '?';
  const from = anything ? min : number(low, names, min);
  const to = anything ? max : high !== undefined ? number(high, names, min) : step !== undefined ? max : from;
  return value >= from && value <= to && (value - from) % Number(step ?? 1) === 0;
}
function fieldAllows(field, value, min, max, names = []) {
  return field.split(',').some((item) => itemAllows(item, value, max, min, names));
}
function dayOfMonthAllows(field, date) {
  const isLast = new Date(date.getTime() + 24 * 60 * MINUTE).getUTCDate() === 1;
  return field
    .split(',')
    .some((item) => (item === 'L' ? isLast : fieldAllows(item, date.getUTCDate(), 1, 31)));
}
function dayOfWeekAllows(field, date) {
  const weekday = date.getUTCDay();
  const sameDay = (text) => number(text, WEEKDAYS, 0) % 7 === weekday;
  return field.split(',').some((item) => {
    if (/^\w+L$/.test(item)) {
      const nextWeek = new Date(date.getTime() + 7 * 24 * 60 * MINUTE);
      return sameDay(item.slice(0, -1)) && nextWeek.getUTCMonth() !== date.getUTCMonth();
    }
    if (item.includes('#')) {
      const [day, nth] = item.split('#');
      return sameDay(day) && Math.floor((date.getUTCDate() - 1) / 7) + 1 === Number(nth);
    }
    // 0 and 7 are both Sunday.
    if (itemAllows(item, weekday, 7, 0, WEEKDAYS)) return true;
    return weekday === 0 && itemAllows(item, 7, 7, 0, WEEKDAYS);
  });
}
/** The due times of an expression of six fields in [fromMs, toMs), which are whole minutes; ascending. */
export function oracleDueTimes(expression, zone, fromMs, toMs) {
  const [second, minute, hour, dayOfMonth, month, dayOfWeek] = expression.split(' ');
  const isWildcard = minute.startsWith('*') || hour.startsWith('*');
  const bothDays = /^[*?]/.test(dayOfMonth) || /^[*?]/.test(dayOfWeek);
  const dayMatches = new Map();
  const matchesDay = (day) => {
    let matches = dayMatches.get(day);
    if (matches === undefined) {
      const date = new Date(day * 24 * 60 * MINUTE);
      const byDate = dayOfMonthAllows(dayOfMonth, date);
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
  const matches = (reading) => {
    const day = Math.floor(reading / (24 * 60));
    const timeOfDay = reading - day * 24 * 60;
    return minutesOfHour[timeOfDay % 60] && hoursOfDay[Math.floor(timeOfDay / 60)] && matchesDay(day);
  };
  const seconds = Array.from({ length: 60 }, (_, i) => i).filter((i) => fieldAllows(second, i, 0, 59));
  const due = new Set();
  const seen = new Set();
  for (let now = fromMs / MINUTE - LOOK_BACK_MINUTES; now < toMs / MINUTE; now++) {
    const reading = readingAt(zone, now);
    const before = readingAt(zone, now - 1);
    const add = (offsets) => {
      if (now >= fromMs / MINUTE) offsets.forEach((offset) => due.add(now * MINUTE + offset * 1000));
    };
    if (!isWildcard) {
      for (let skipped = before + 1; skipped < reading; skipped++) if (matches(skipped)) add([0]);
    }
    if (matches(reading) && (isWildcard || !seen.has(reading))) add(seconds);
    seen.add(reading);
  }
  return [...due].sort((a, b) => a - b);
}
