// What every page has. Pages load their own modules beside this one.
import { bindGlobalShortcuts } from "./keyboard.js";
import "./dialogs.js";
import "./htmx.js";
import "./likert.js";
import "./once.js";
import "./theme.js";
import "./times.js";
import "./toasts.js";

bindGlobalShortcuts();
