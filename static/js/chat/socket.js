// The socket of a chat: opens it, opens it again, and says whether there is a connection.

const VERSION = 1;
const FIRST_RETRY_MS = 500;
const LAST_RETRY_MS = 15_000;
const PING_MS = 25_000;
// Nobody answers: the connection is dead, even if the browser has not noticed.
const SILENCE_MS = 60_000;
// Signed out, not found, too many: trying again does not help until the page is loaded anew.
const FINAL_CODES = new Set([4401, 4403, 4404]);

/** Keep a socket to `url`. `on(frame)` gets each frame, `onState(isOpen)` what is known of it. */
export function connect(url, { on, onState, onRefused }) {
  const address = new URL(url, location.href);
  address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
  let socket = null;
  let retryMs = FIRST_RETRY_MS;
  let timer = 0;
  let heardAt = 0;

  function open() {
    clearTimeout(timer);
    if (!navigator.onLine) return;
    socket = new WebSocket(address);
    heardAt = Date.now();
    socket.addEventListener("message", (event) => hear(event.data));
    socket.addEventListener("close", (event) => closed(event.code));
  }

  function hear(data) {
    heardAt = Date.now();
    const frame = JSON.parse(data);
    if (frame.type === "hello") {
      // A newer server speaks another protocol: its page knows it.
      if (frame.version !== VERSION) return location.reload();
      retryMs = FIRST_RETRY_MS;
      onState(true);
    }
    on(frame);
  }

  function closed(code) {
    onState(false);
    if (FINAL_CODES.has(code)) return onRefused(code);
    timer = setTimeout(open, retryMs * (0.75 + Math.random() / 2));
    retryMs = Math.min(2 * retryMs, LAST_RETRY_MS);
  }

  function send(frame) {
    if (socket?.readyState !== WebSocket.OPEN) return false;
    socket.send(JSON.stringify(frame));
    return true;
  }

  setInterval(() => {
    if (Date.now() - heardAt > SILENCE_MS) socket?.close();
    else send({ type: "ping" });
  }, PING_MS);
  // Back on the network: no need to wait for the timer.
  addEventListener("online", () => {
    if (socket?.readyState !== WebSocket.OPEN) open();
  });
  addEventListener("offline", () => {
    onState(false);
    socket?.close();
  });
  open();
  return { send };
}
