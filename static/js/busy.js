// While many people sign in: solves the challenge in the page and sends the form, so that nobody
// has to wait. Without scripts, or where the browser hashes only on secure pages, people wait.

const form = document.querySelector("form[data-busy]");
const asked = JSON.parse(document.getElementById("busy-challenge").textContent);

async function hash(text) {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

async function solve() {
  for (let number = 0; number <= asked.maxnumber; number += 1) {
    if ((await hash(asked.salt + number)) === asked.challenge) return number;
  }
  throw new Error("no number solves the challenge");
}

if (crypto.subtle) {
  form.querySelector("[data-busy-works]").hidden = false;
  form.querySelector("[data-busy-wait]").hidden = true;
  solve().then((number) => {
    const { algorithm, challenge, salt, signature } = asked;
    form.elements.altcha.value = btoa(
      JSON.stringify({ algorithm, challenge, number, salt, signature }),
    );
    form.submit();
  });
}
