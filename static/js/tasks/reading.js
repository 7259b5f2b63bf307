// Pages of messages: copying, and the dialog to report and label.
import "./copy.js";
import "./message_dialog.js";
import "./report_key.js";
