// Loads the model, and asks the worker that holds it.

const pending = new Map();
let worker;

/** Load the files of the model; from then on, the page and the worker may not connect to anything. */
export async function load() {
  const fetched = ["ort.wasm", "model/model.onnx", "model/vocab.txt", "model/config.json"].map(fetchFile);
  const [runtime, model, vocabulary, config] = await Promise.all(fetched);
  await start(new URL("worker.js", document.baseURI));
  const files = { vocabulary: await vocabulary.text(), config: await config.json() };
  const buffers = { runtime: await runtime.arrayBuffer(), model: await model.arrayBuffer() };
  return ask("load", { ...files, ...buffers }, () => {}, Object.values(buffers));
}

/** Return the answer of the worker. */
export function ask(action, values, report = () => {}, transferred = []) {
  const id = crypto.getRandomValues(new Uint32Array(1))[0];
  worker.postMessage({ id, action, ...values }, transferred);
  return new Promise((resolve, reject) => pending.set(id, { resolve, reject, report }));
}

async function fetchFile(name) {
  const response = await fetch(new URL(name, document.baseURI));
  if (!response.ok) throw new Error(`${name}: ${response.status} ${response.statusText}`);
  return response;
}

// A worker of a blob inherits the policies of the page; one of a URL would have none.
async function start(script) {
  const policy = document.createElement("meta");
  policy.httpEquiv = "Content-Security-Policy";
  policy.content = "connect-src 'none'";
  const source = new Blob([`import ${JSON.stringify(script.href)}; postMessage({ isReady: true });`], { type: "text/javascript" });
  document.head.append(policy);
  worker = new Worker(URL.createObjectURL(source), { type: "module" });
  await new Promise((resolve, reject) => {
    worker.onmessage = resolve;
    worker.onerror = () => reject(new Error("the worker does not start: reload the page"));
  });
  worker.onmessage = ({ data }) => receive(data);
  worker.onerror = ({ message }) => pending.forEach(({ reject }) => reject(new Error(message)));
}

function receive({ id, result, error, report }) {
  const { resolve, reject, report: received } = pending.get(id);
  if (report) return received(report);
  pending.delete(id);
  return error === undefined ? resolve(result) : reject(new Error(error));
}
