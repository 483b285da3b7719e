// The official Phoenix JavaScript client, driven by JSON lines on standard input; prints JSON lines of what happens.
//
//   node peer.mjs URL USER_AGENT QUERY_AS_JSON [TOKEN_FOR_THE_HEADER]
//
// Commands: {"join": TOPIC, "payload": P}, {"push": EVENT, "payload": P}, {"leave": true}. Output: {"joined": R},
// {"join_failed": R}, {"event": NAME, "payload": P}, {"reply": STATUS, "to": EVENT, "response": R}, {"error": TEXT},
// {"closed": CODE}, {"heartbeat": REPLY}, {"left": true}.

import { createInterface } from "node:readline";

import { Socket } from "phoenix";
import WebSocket from "ws";

const [url, userAgent, query, token] = process.argv.slice(2);
const headers = { "User-Agent": userAgent, ...(token ? { "X-Authorization": `Bearer ${token}` } : {}) };
const say = (what) => process.stdout.write(JSON.stringify(what) + "\n");

class Transport extends WebSocket {
  constructor(address, protocols) {
    super(address, protocols, { headers });
    // The portal must never ping: devices take that for the end of the connection.
    this.on("ping", () => say({ error: "the portal sent a WebSocket ping" }));
  }
}

const socket = new Socket(url, {
  transport: Transport,
  params: JSON.parse(query),
  vsn: "1.0.0",
  encode: (message, done) => done(JSON.stringify(message)),
  decode: (text, done) => done(JSON.parse(text)),
  heartbeatIntervalMs: 500,
  reconnectAfterMs: () => 3_600_000,
});
socket.onError((error) => say({ error: String(error?.message ?? error) }));
socket.onClose((event) => say({ closed: event?.code ?? null }));
let leaving = false;
socket.onMessage((message) => {
  if (message.topic === "phoenix") {
    say({ heartbeat: message.payload.status });
  } else if (message.event === "phx_close" && leaving) {
    // Not before: without join references it would close a channel that has been opened in the meantime.
    leaving = false;
    say({ left: true });
  }
});
socket.connect();

let channel = null;
for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line);
  if (command.join !== undefined) {
    channel = socket.channel(command.join, command.payload ?? {});
    channel.onMessage = (event, payload) => {
      if (!event.startsWith("chan_reply_") && event !== "phx_reply") {
        say({ event, payload });
      }
      return payload;
    };
    channel
      .join(30_000)
      .receive("ok", (response) => say({ joined: response }))
      .receive("error", (response) => say({ join_failed: response }))
      .receive("timeout", () => say({ join_failed: "timeout" }));
  } else if (command.push !== undefined) {
    const reply = (status) => (response) => say({ reply: status, to: command.push, response });
    channel.push(command.push, command.payload ?? {}, 30_000).receive("ok", reply("ok")).receive("error", reply("error"));
  } else if (command.leave !== undefined) {
    leaving = true;
    channel.leave();
  }
}
process.exit(0);
