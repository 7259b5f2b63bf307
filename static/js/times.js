// Keeps relative times true while a page stays open.

const UNITS = [
  ["year", 31557600],
  ["month", 2629800],
  ["week", 604800],
  ["day", 86400],
  ["hour", 3600],
  ["minute", 60],
];
const REFRESH_MS = 60_000;

const format = new Intl.RelativeTimeFormat(document.documentElement.lang, { numeric: "always" });

function relative(moment, now) {
  const seconds = (moment - now) / 1000;
  const [unit, size] = UNITS.find((each) => Math.abs(seconds) >= each[1]) || [null, 0];
  return unit ? format.format(Math.trunc(seconds / size), unit) : null;
}

function refresh() {
  for (const time of document.querySelectorAll("time[data-ago]")) {
    const text = relative(Date.parse(time.dateTime), Date.now());
    if (text) time.textContent = text;
  }
}

setInterval(refresh, REFRESH_MS);
