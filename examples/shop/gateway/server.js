// The shop's gateway: what customers see. It asks catalog for products and orders for orders.
"use strict";
const http = require("node:http");

const HOST = process.env.HOST || "127.0.0.1";
const PORT = Number(process.env.PORT || 3000);
const CATALOG = process.env.CATALOG_URL || "http://127.0.0.1:8000";
const ORDERS = process.env.ORDERS_URL || "http://127.0.0.1:7000";
const PATIENCE_MS = 2000; // for each call to a service
const LARGEST_BODY = 10_000; // characters of a request

// An answer that is no success: a status and what customers are told.
class Refusal extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

function log(level, message, fields) {
  console.log(JSON.stringify({ time: new Date().toISOString(), level, message, ...fields }));
}

// Calls a service. What it refuses (4xx) is refused with the same status; 502 when it fails, 504 when it is late.
async function call(service, method, url, context) {
  const patience = AbortSignal.timeout(PATIENCE_MS);
  let answer, body;
  try {
    answer = await fetch(url, { method, headers: context, signal: patience });
    body = await answer.json();
  } catch (error) {
    if (patience.aborted) throw new Refusal(504, `${service} did not answer in ${PATIENCE_MS} ms`);
    throw new Refusal(502, `${service} failed: ${error.cause?.code || error.message}`);
  }
  if (answer.ok) return body;
  throw new Refusal(answer.status < 500 ? answer.status : 502, `${service} answered ${answer.status}: ${body.error}`);
}

async function readJson(request) {
  let text = "";
  for await (const part of request) {
    text += part;
    if (text.length > LARGEST_BODY) throw new Refusal(413, `a request has at most ${LARGEST_BODY} characters`);
  }
  try {
    return JSON.parse(text) || {};
  } catch {
    throw new Refusal(400, "the request is no JSON");
  }
}

async function showProduct(id, context) {
  return [200, await call("catalog", "GET", `${CATALOG}/products/${id}`, context)];
}

async function placeOrder(request, context) {
  const { product, count = 1 } = await readJson(request);
  if (!Number.isSafeInteger(product) || !Number.isSafeInteger(count)) {
    throw new Refusal(400, 'an order is {"product": number, "count": number}');
  }
  const { price } = await call("catalog", "POST", `${CATALOG}/products/${product}/sales?count=${count}`, context);
  const order = await call("orders", "POST", `${ORDERS}/orders?price=${price}&count=${count}`, context);
  log("info", "order placed", { order: order.id, product, count, total: order.total });
  return [201, { ...order, product }];
}

// Chooses by method and path; answers [status, body].
async function route(request) {
  const path = request.url.split("?")[0];
  const traceparent = request.headers.traceparent;
  const context = traceparent ? { traceparent } : {}; // services know whose request it is
  const product = path.match(/^\/products\/(\d{1,9})$/);
  if (request.method === "GET" && product) return showProduct(product[1], context);
  if (request.method === "POST" && path === "/orders") return placeOrder(request, context);
  if (request.method === "GET" && path === "/health") return [200, { ok: true }];
  throw new Refusal(404, `no ${request.method} ${path} here`);
}

const server = http.createServer(async (request, response) => {
  let status, body;
  try {
    [status, body] = await route(request);
  } catch (error) {
    status = error instanceof Refusal ? error.status : 500;
    body = { error: status === 500 ? "internal error" : error.message };
    if (status >= 500) log("error", error.message, { method: request.method, path: request.url, status });
  }
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
});

server.listen(PORT, HOST, () => log("info", "gateway listens", { host: HOST, port: PORT }));
process.on("SIGTERM", () => process.exit(0));
