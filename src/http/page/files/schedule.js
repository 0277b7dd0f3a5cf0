// What starts runs by itself: shown, paused, resumed and changed.

import { get, post } from "./api.js";
import { open } from "./dialogs.js";
import { every, h, put, say } from "./dom.js";
import { count, fullTime, span } from "./format.js";
import { act, failure, loading, notice } from "./states.js";

const LOOK_MS = 5000;

export function schedulePanel(signal) {
  const box = h("section", { class: "panel schedule", "aria-label": "Schedule" }, loading("the schedule"));
  const next = h("span", { class: "soft" });
  let current;

  const words = h("span", { class: "schedule-words" });
  const pause = h("button", { type: "button", onclick: () => act(pause, () => save({ paused: !current.paused })) });
  const edit = h("button", { type: "button", onclick: () => change(current, save) }, "Change");

  function show(schedule) {
    current = schedule;
    const rules = rulesOf(schedule);
    say(words, rules.length ? rules.join(", ") : "Nothing starts runs by itself");
    words.classList.toggle("struck", schedule.paused);
    say(pause, schedule.paused ? "Resume" : "Pause");
    pause.hidden = !rules.length && !schedule.paused;
    tick();
    if (!box.contains(words)) {
      put(box, h("div", null, h("h2", null, "Schedule"), h("p", null, words, " ", next)), h("div", { class: "row" }, pause, edit));
    }
  }

  function tick() {
    if (!current) return;
    if (current.paused) say(next, "paused: only runs started by hand");
    else if (current.next_ms) say(next, current.next_ms > Date.now() ? `next in ${span(current.next_ms - Date.now())}` : "next one is due");
    else say(next, "");
    next.title = current.next_ms ? fullTime(current.next_ms) : "";
  }

  async function save(fields) {
    show(await post("v1/schedule", fields, "PUT"));
    notice(fields.paused === undefined ? "The schedule is set." : fields.paused ? "The schedule is paused." : "The schedule goes on.");
  }

  async function look() {
    try {
      show(await get("v1/schedule", signal));
    } catch (problem) {
      if (problem.name !== "AbortError") put(box, failure(problem, look));
    }
  }

  look();
  every(LOOK_MS, signal, look);
  every(1000, signal, tick);
  return box;
}

function rulesOf({ cron, interval_seconds: seconds, every_events: events, drift }) {
  return [
    cron && `cron “${cron}” (UTC)`,
    seconds > 0 && `every ${span(seconds * 1000)}`,
    events > 0 && `after each ${count(events)} new events`,
    drift > 0 && `when the live version's NDCG@10 on arriving events falls by ${percent(drift)} %`,
  ].filter(Boolean);
}

function percent(share) {
  return Number((share * 100).toFixed(2));
}

/** A share from a field of percents; the field is named where it is none. */
function shareOf(input, name) {
  const value = Number(input.value.trim() || 0);
  if (!(value >= 0 && value <= 100)) throw new Error(`${name}: write a number from 0 to 100, or 0 for none.`);
  return value / 100;
}

/** A whole number from a field; the field is named where it is none. */
function wholeNumber(input, name) {
  const text = input.value.trim();
  if (!/^\d+$/.test(text || "0")) throw new Error(`${name}: write a whole number, or 0 for none.`);
  return Number(text || 0);
}

function change(current, save) {
  const cron = h("input", { value: current.cron, placeholder: "0 3 * * *", spellcheck: "false", "aria-describedby": "cron-help" });
  const interval = h("input", { value: String(current.interval_seconds), inputmode: "numeric" });
  const events = h("input", { value: String(current.every_events), inputmode: "numeric" });
  const drift = h("input", { value: String(percent(current.drift)), inputmode: "decimal" });
  return open({
    title: "Change the schedule",
    body: [
      h("label", { class: "field" }, "Cron line", cron),
      h("p", { class: "note", id: "cron-help" }, "Five fields in UTC: minute, hour, day, month, weekday. Empty for none."),
      h("label", { class: "field" }, "Seconds between the starts of runs, 0 for none", interval),
      h("label", { class: "field" }, "New events that start a run, 0 for none", events),
      h("label", { class: "field" }, "Percent that NDCG@10 on arriving events may fall, 0 for any", drift),
    ],
    action: "Set it",
    first: cron,
    read: async () => {
      await save({
        cron: cron.value.trim(),
        interval_seconds: wholeNumber(interval, "Seconds"),
        every_events: wholeNumber(events, "Events"),
        drift: shareOf(drift, "Percent"),
      });
      return true;
    },
  });
}
