// Fills in the time zone that the browser tells, so that a day of a streak ends at midnight.
for (const field of document.querySelectorAll("input[data-time-zone]")) {
  field.value ||= Intl.DateTimeFormat().resolvedOptions().timeZone || "";
}
