// Passkeys: asks the browser to make one or to use one, and sends its answer with the form. The
// forms show only where the browser can; without scripts there are codes and mails.

const known = window.PublicKeyCredential?.parseRequestOptionsFromJSON !== undefined;

function given() {
  return JSON.parse(document.getElementById("passkey-options").textContent);
}

function use({ publicKey }) {
  return navigator.credentials.get({
    publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(publicKey),
  });
}

function create({ publicKey }, signsInAlone) {
  const options = PublicKeyCredential.parseCreationOptionsFromJSON(publicKey);
  options.authenticatorSelection = {
    ...options.authenticatorSelection,
    residentKey: signsInAlone ? "required" : "discouraged",
    requireResidentKey: signsInAlone,
    ...(signsInAlone && { userVerification: "required" }),
  };
  return navigator.credentials.create({ publicKey: options });
}

const asks = {
  add: (form) => create(given().creation_options, form.elements.passwordless?.checked ?? false),
  use: () => use(given().request_options),
  async login(form) {
    const answer = await fetch(form.action, { headers: { Accept: "application/json" } });
    if (!answer.ok) throw new Error(`${answer.status}`);
    return use((await answer.json()).request_options);
  },
};

for (const form of known ? document.querySelectorAll("form[data-passkey]") : []) {
  form.hidden = false;
  const failed = form.querySelector("[data-passkey-failed]");
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    failed.hidden = true;
    try {
      const credential = await asks[form.dataset.passkey](form);
      form.elements.credential.value = JSON.stringify(credential.toJSON());
      form.submit();
    } catch {
      failed.hidden = false;
    }
  });
}
if (known) document.querySelectorAll("[data-passkey-missing]").forEach((notice) => notice.remove());
